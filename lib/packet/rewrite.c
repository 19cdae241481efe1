/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes fields, and keeps the checksums that cover them right. */
#include "packet/checksum.h"
#include "packet/tunnel.h"

#include <string.h>

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/*
 * A change from m to m' adds ~m + m' to a sum (RFC 1624, equation 3), by the words of the header
 * that the field touches: its place in them, odd or even, then needs no care.
 */
struct patch {
	uint8_t *bytes;
	const struct packet_view *view;
	uint64_t header, pseudo, transport; /* what the checksums have to make up for */
	struct checksum_ends ends;
	bool changed;
};

/* What came of putting a value in its place: what its header's checksum has to make up for. */
struct change {
	uint64_t delta;
	bool changed;
};

static inline struct change put_address(uint8_t *at, const uint8_t *with, unsigned size)
{
	if (!memcmp(at, with, size))
		return (struct change){0, false};
	uint64_t delta = sum_difference(at, with, size);
	memcpy(at, with, size);
	return (struct change){delta, true};
}

static inline struct change put_mac(uint8_t *at, const uint8_t *with)
{
	bool changed = memcmp(at, with, 6);
	memcpy(at, with, 6);
	return (struct change){0, changed}; /* no checksum covers it */
}

/* Two or four bytes as a number. */
static inline uint32_t load_words(const uint8_t *at, unsigned size)
{
	return size == 2 ? be16(at) : be32(at);
}

static inline void store_words(uint8_t *at, unsigned size, uint32_t words)
{
	uint32_t whole = htonl(size == 2 ? words << 16 : words);
	if (size == 2)
		memcpy(at, &whole, 2);
	else
		memcpy(at, &whole, 4);
}

/* In the one or two words that it lies in, which are read and written once. */
__attribute__((noinline)) static struct change
put_number(uint8_t *header, const struct packet_field *field, uint64_t number)
{
	unsigned odd = field->offset & 1, size = (odd + field->size + 1) & ~1u;
	unsigned shift = field->shift + 8 * (size - odd - field->size);
	uint8_t *at = header + field->offset - odd;
	uint32_t mask = (uint32_t)(((1ull << field->bits) - 1) << shift);
	uint32_t before = load_words(at, size);
	uint32_t after = (before & ~mask) | ((uint32_t)(number << shift) & mask);

	if (after == before)
		return (struct change){0, false};
	store_words(at, size, after);
	uint32_t minus = size == 2 ? (uint16_t)~before : ~before;
	return (struct change){(uint64_t)sum_number(minus) + sum_number(after), true};
}

static inline struct change put(uint8_t *header, const struct packet_field *field,
                                const struct packet_value *value)
{
	uint8_t *at = header + field->offset;

	if (field->kind == PACKET_IPV4)
		return put_address(at, value->bytes, 4);
	if (field->kind == PACKET_IPV6)
		return put_address(at, value->bytes, 16);
	if (field->kind == PACKET_MAC)
		return put_mac(at, value->bytes);
	return put_number(header, field, value->number);
}

/* Whether the pseudo-header has the field. */
static inline bool is_covered(const struct patch *p, const struct packet_field *field)
{
	uint32_t at = p->view->offset[field->in] + field->offset;

	return (field->kind == PACKET_IPV4 || field->kind == PACKET_IPV6) &&
	       (at == p->ends.source || at == p->ends.destination);
}

static inline void set(struct patch *p, const struct packet_field *field,
                       const struct packet_value *value)
{
	if (field->read_only || !packet_has(p->view, field->in))
		return;
	uint8_t *header = p->bytes + p->view->offset[field->in];
	if (field->query && !icmp_is_query(field->in, header[0]))
		return;

	struct change change = put(header, field, value);
	p->changed |= change.changed;
	if (field->in >= PACKET_TCP)
		p->transport += change.delta;
	if (field->in == PACKET_IP)
		p->header += change.delta;
	if ((field->in == PACKET_IP || field->in == PACKET_IP6) && is_covered(p, field))
		p->pseudo += change.delta;
}

/*
 * Who leaves checksums to the network card writes the pseudo-header's sum into the field, some
 * without the length; so it is captured there. A checksum that is right may look so by chance.
 */
static bool is_offloaded(const struct patch *p, const struct checksum *sum)
{
	uint64_t field = load16(p->bytes + sum->at);
	uint64_t pseudo = checksum_pseudo(p->bytes, p->view, &p->ends, sum) + sum_minus(p->pseudo);
	uint64_t rest = field + sum_minus(pseudo);
	bool alike = sum_is_zero(rest);

	if (p->view->part ||
	    (!alike && !(sum->whole && sum_is_zero(rest + sum_number(sum->length)))))
		return false;
	return !sum->whole ||
	       !sum_is_zero(checksum_message(p->bytes, sum) + sum_minus(p->transport) + pseudo);
}

static inline uint64_t sum_addresses(const uint8_t *from, const uint8_t *to, bool six)
{
	uint64_t sum = (uint64_t)load32(from) + load32(to);

	if (six)
		for (unsigned i = 4; i < 16; i += 4)
			sum += (uint64_t)load32(from + i) + load32(to + i);
	return sum;
}

/* Quickly: whether what the field has more than the addresses and the protocol may be a length. */
static inline bool may_be_offloaded(const struct patch *p, const uint8_t *field)
{
	const uint64_t zero = 0xffffffffull << 8; /* modulo 0xffff, and more than is known */
	bool six = packet_has(p->view, PACKET_IP6);
	const uint8_t *ip = p->bytes + p->view->offset[six ? PACKET_IP6 : PACKET_IP];
	uint64_t known =
		sum_number(p->view->ip_proto) +
		sum_addresses(p->bytes + p->ends.source, p->bytes + p->ends.destination, six);
	uint16_t most = be16(ip + (six ? 4 : 2));
	uint16_t rest = ntohs(sum_fold(load16(field) + p->pseudo + zero - known));

	return !most || (uint16_t)(rest + 1) <= most + 1; /* also without a length */
}

static inline void amend(uint8_t *field, uint64_t delta, bool zero_is_none)
{
	if (!delta || (zero_is_none && !load16(field)))
		return;
	sum_amend(field, delta);
	if (zero_is_none && !load16(field))
		memset(field, 0xff, 2);
}

static bool has_pseudo(const struct patch *p, const struct checksum *sum)
{
	if (sum->over != CHECKSUM_EITHER)
		return sum->over == CHECKSUM_PSEUDO;
	return checksum_has_pseudo(
		p->bytes, sum, checksum_message(p->bytes, sum) + sum_minus(p->transport),
		checksum_pseudo(p->bytes, p->view, &p->ends, sum) + sum_minus(p->pseudo));
}

/* All but TCP's and UDP's that are not left to the card. Out of the way of those, whose patch is in
   registers as long as nobody is given its address. */
__attribute__((noinline)) static void amend_rare(uint8_t *bytes, const struct packet_view *view,
                                                 uint64_t pseudo, uint64_t transport,
                                                 uint32_t source, uint32_t destination, bool there)
{
	const struct patch patch = {.bytes = bytes,
	                            .view = view,
	                            .pseudo = pseudo,
	                            .transport = transport,
	                            .ends = {source, destination, there}},
			   *p = &patch;
	uint8_t *field = bytes + view->checksum;
	struct checksum sum;
	if (!checksum_find(p->bytes, p->view, &sum))
		return;
	bool card = p->ends.there && (sum.kind->proto == PROTO_TCP || sum.kind->proto == PROTO_UDP);

	if (card && is_offloaded(p, &sum)) {
		uint16_t word = sum_fold(load16(field) + p->pseudo);
		memcpy(field, &word, sizeof word);
		return;
	}
	amend(field, p->transport + (has_pseudo(p, &sum) ? p->pseudo : 0), sum.kind->zero_is_none);
}

ALWAYS_INLINE void amend_transport(const struct patch *p)
{
	uint8_t *field = p->bytes + p->view->checksum;
	bool udp = p->view->ip_proto == PROTO_UDP, tcp = p->view->ip_proto == PROTO_TCP;

	if (!p->view->checksum || !(p->transport + p->pseudo))
		return;
	if ((!tcp && !udp) || (p->ends.there && may_be_offloaded(p, field)))
		amend_rare(p->bytes, p->view, p->pseudo, p->transport, p->ends.source,
		           p->ends.destination, p->ends.there);
	else
		amend(field, p->transport + p->pseudo, udp);
}

ALWAYS_INLINE bool finish(const struct patch *p)
{
	if (p->header)
		sum_amend(p->bytes + p->view->offset[PACKET_IP] + 10, p->header);
	amend_transport(p);
	return p->changed;
}

/* All that is looked at lies before the payload's end. */
static bool is_of(const struct packet_view *view, size_t length)
{
	return (size_t)view->offset[PACKET_PAYLOAD] + view->payload_length <= length;
}

bool packet_rewrite(uint8_t *bytes, size_t length, const struct packet_view *view,
                    const struct packet_set *sets, size_t count)
{
	struct patch patch = {.bytes = bytes, .view = view};

	if (!is_of(view, length))
		return false;
	patch.ends = checksum_ends(bytes, view);
	for (size_t i = 0; i < count; i++)
		set(&patch, sets[i].field, &sets[i].value);
	return finish(&patch);
}

void packet_rewrite_payload(uint8_t *bytes, const struct packet_view *view, const void *payload)
{
	struct patch patch = {.bytes = bytes, .view = view, .ends = checksum_ends(bytes, view)};
	uint32_t at = view->offset[PACKET_PAYLOAD], length = view->payload_length;
	bool layer = view->present >> PACKET_TCP & ((1u << (PACKET_PAYLOAD - PACKET_TCP)) - 1);
	struct checksum sum;

	if (!length || !memcmp(bytes + at, payload, length))
		return;
	if (layer && checksum_find(bytes, view, &sum)) {
		uint32_t before = at - sum.start;
		uint32_t covered = sum.covered > before ? sum.covered - before : 0;
		covered = covered < length ? covered : length;
		uint64_t delta =
			sum_minus(sum_bytes(bytes + at, covered)) + sum_bytes(payload, covered);
		patch.transport = before & 1 ? sum_odd(delta) : delta;
	}
	memcpy(bytes + at, payload, length);
	amend_transport(&patch);
}

static bool put_checksum(uint8_t *field, uint16_t word)
{
	bool changed = load16(field) != word;

	memcpy(field, &word, sizeof word);
	return changed;
}

/* The sum has the field in it, which is taken out of it again. */
static uint16_t checksum_anew(const uint8_t *field, uint64_t sum)
{
	return (uint16_t)~sum_fold(sum + sum_minus(load16(field)));
}

static bool transport_anew(uint8_t *bytes, const struct packet_view *view)
{
	struct checksum_ends ends = checksum_ends(bytes, view);
	struct checksum sum;
	if (!ends.there || !checksum_find(bytes, view, &sum) || !sum.whole)
		return false;
	uint8_t *field = bytes + sum.at;
	if (sum.kind->proto == PROTO_UDP && !load16(field) && packet_has(view, PACKET_IP))
		return false;

	uint64_t message = checksum_message(bytes, &sum),
		 pseudo = checksum_pseudo(bytes, view, &ends, &sum);
	bool both = checksum_has_pseudo(bytes, &sum, message, pseudo);
	uint16_t word = checksum_anew(field, message + (both ? pseudo : 0));
	return put_checksum(field, !word && sum.kind->zero_is_none ? 0xffff : word);
}

/* Whether all of what IP carries is there, and as much at least; of those that have no layer. */
static bool is_whole(const uint8_t *bytes, const struct packet_view *view, uint32_t least)
{
	uint32_t at = view->offset[PACKET_PAYLOAD], left = view->payload_length;

	return !view->part && left >= least && checksum_length(bytes, view, at, left) <= left;
}

/* RFC 2784: if there is one. */
static bool gre_anew(uint8_t *bytes, const struct packet_view *view)
{
	enum { SIZE = 8, SUM_AT = 4, HAS_SUM = 0x80, VERSION = 7 };
	uint8_t *header = bytes + view->offset[PACKET_PAYLOAD];

	if (!is_whole(bytes, view, SIZE) || !(header[0] & HAS_SUM) || header[1] & VERSION)
		return false;
	return put_checksum(
		header + SUM_AT,
		checksum_anew(header + SUM_AT, sum_bytes(header, view->payload_length)));
}

/* RFC 9260; over no address, and of bytes that begin with the least. */
static bool sctp_anew(uint8_t *bytes, const struct packet_view *view)
{
	enum { SIZE = 12, SUM_AT = 8 };
	uint32_t at = view->offset[PACKET_PAYLOAD], left = view->payload_length;
	uint8_t *field = bytes + at + SUM_AT, was[4];

	if (!is_whole(bytes, view, SIZE))
		return false;
	memcpy(was, field, sizeof was);
	memset(field, 0, sizeof was);
	uint32_t sum = ~checksum_crc32c(UINT32_MAX, bytes + at, left);
	for (unsigned i = 0; i < sizeof was; i++)
		field[i] = (uint8_t)(sum >> 8 * i);
	return memcmp(was, field, sizeof was);
}

bool packet_checksums(uint8_t *bytes, size_t length, const struct packet_view *view)
{
	bool changed = false;

	if (!is_of(view, length))
		return false;
	if (packet_has(view, PACKET_IP)) {
		uint8_t *header = bytes + view->offset[PACKET_IP];
		uint32_t size = (header[0] & 15) * 4u;
		if (view->offset[PACKET_IP] + size <= length)
			changed = put_checksum(header + 10,
			                       checksum_anew(header + 10, sum_bytes(header, size)));
	}
	switch (view->ip_proto) {
	case PROTO_SCTP: return sctp_anew(bytes, view) || changed;
	case PROTO_GRE: return gre_anew(bytes, view) || changed;
	default: return transport_anew(bytes, view) || changed;
	}
}

/* What lies in front of its IP header is a link's, and no tunnel. */
void packet_checksums_inside(const struct pt_msg *m, uint8_t *bytes, const struct packet_view *view)
{
	struct packet_inner in[PACKET_TUNNEL_DEPTH];
	struct packet_view inner;
	uint32_t before = network_at(view);
	unsigned count = 0;

	while (count < PACKET_TUNNEL_DEPTH && packet_unwrap(m, UINT32_MAX, count + 1, &in[count]) &&
	       (!count || in[count].at > in[count - 1].at))
		count++;
	while (count-- && in[count].at > before) {
		packet_dissect_ether_type(bytes + in[count].at, in[count].length,
		                          in[count].ether_type, &inner);
		packet_checksums(bytes + in[count].at, in[count].length, &inner);
	}
}
