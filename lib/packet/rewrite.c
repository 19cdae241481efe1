/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes fields, and keeps the checksums that cover them right. */
#include "packet/packet.h"
#include "packet/inside.h"

#include <string.h>

/*
 * Sums are taken in the machine's byte order and over words of 16 or 32 bits alike, which one's
 * complement allows, and are not folded before the end. A change from m to m' adds ~m + m'
 * (RFC 1624, equation 3), by the words of the header that the field touches: its place in them, odd
 * or even, then needs no care.
 */
struct patch {
	uint8_t *bytes;
	const struct packet_view *view;
	uint64_t header, pseudo, transport; /* what the checksums have to make up for */
	bool last_hop; /* the pseudo-header has the header's destination: no source route is left */
	bool changed;
};

static inline uint16_t load16(const uint8_t *at)
{
	uint16_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

static inline uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static inline void amend(uint8_t *checksum, uint64_t delta)
{
	uint16_t word = (uint16_t)~fold((uint16_t)~load16(checksum) + delta);
	memcpy(checksum, &word, sizeof word);
}

/* What a checksum has to make up for when an address changes that it covers at an even offset. */
static inline uint64_t difference(const uint8_t *before, const uint8_t *after, unsigned size)
{
	uint64_t delta = 0;

	for (unsigned i = 0; i < size; i += 4)
		delta += (uint64_t)(uint32_t)~load32(before + i) + load32(after + i);
	return delta;
}

/* What came of putting a value in its place: what its header's checksum has to make up for. */
struct change {
	uint64_t delta;
	bool changed;
};

static inline struct change put_address(uint8_t *at, const uint8_t *with, unsigned size)
{
	if (!memcmp(at, with, size))
		return (struct change){0, false};
	uint64_t delta = difference(at, with, size);
	memcpy(at, with, size);
	return (struct change){delta, true};
}

static inline struct change put_mac(uint8_t *at, const uint8_t *with)
{
	bool changed = memcmp(at, with, 6);
	memcpy(at, with, 6);
	return (struct change){0, changed}; /* no checksum covers it */
}

static struct change put_bytes(uint8_t *header, unsigned offset, unsigned size, const uint8_t *with)
{
	uint8_t *from = header + (offset & ~1u), *end = header + ((offset + size + 1) & ~1u);
	uint64_t delta = 0;

	if (!memcmp(header + offset, with, size))
		return (struct change){0, false};
	for (uint8_t *at = from; at < end; at += 2)
		delta += (uint16_t)~load16(at);
	memcpy(header + offset, with, size);
	for (uint8_t *at = from; at < end; at += 2)
		delta += load16(at);
	return (struct change){delta, true};
}

static struct change put_number(uint8_t *header, const struct packet_field *field, uint64_t number)
{
	uint32_t mask = (uint32_t)(((1ull << field->bits) - 1) << field->shift), whole = 0;
	uint8_t with[4];

	for (unsigned i = 0; i < field->size; i++)
		whole = whole << 8 | header[field->offset + i];
	whole = (whole & ~mask) | ((uint32_t)(number << field->shift) & mask);
	for (unsigned i = field->size; i-- > 0; whole >>= 8)
		with[i] = (uint8_t)whole;
	return put_bytes(header, field->offset, field->size, with);
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

static bool is_last_hop(const uint8_t *bytes, const struct packet_view *view)
{
	struct route route = {0};

	while (route_next(bytes, view, &route))
		if (route.final)
			return false;
	return true;
}

/* Whether the pseudo-header has the field. */
static inline bool is_covered(const struct patch *p, const struct packet_field *field)
{
	switch (field->kind) {
	case PACKET_IPV4: return field->offset < 16 || p->last_hop;
	case PACKET_IPV6: return field->offset < 24 || p->last_hop;
	default: return false;
	}
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

static inline void amend_transport(struct patch *p)
{
	bool icmp = p->view->ip_proto == PROTO_ICMP; /* whose checksum has no pseudo-header */
	bool udp = p->view->ip_proto == PROTO_UDP;
	uint64_t delta = p->transport + (icmp ? 0 : p->pseudo);
	uint8_t *checksum = p->bytes + p->view->checksum;

	if (!p->view->checksum || !delta || (udp & !load16(checksum)))
		return;
	amend(checksum, delta);
	if (udp & !load16(checksum))
		memset(checksum, 0xff, 2);
}

static inline bool finish(struct patch *p)
{
	if (p->header)
		amend(p->bytes + p->view->offset[PACKET_IP] + 10, p->header);
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
	patch.last_hop = !route_possible(bytes, view) || is_last_hop(bytes, view);
	for (size_t i = 0; i < count; i++)
		set(&patch, sets[i].field, &sets[i].value);
	return finish(&patch);
}

static void change_address(struct patch *p, const struct route *route, uint32_t at,
                           const uint8_t *with)
{
	uint8_t *address = p->bytes + at, before[16];
	struct change change;

	memcpy(before, address, route->size);
	if (route->size == 4) { /* of an option, perhaps at an odd offset */
		uint32_t ip = p->view->offset[PACKET_IP];
		change = put_bytes(p->bytes + ip, at - ip, 4, with);
		p->header += change.delta;
	} else { /* IPv6's header has no checksum */
		change = put_address(address, with, 16);
	}
	p->changed |= change.changed;
	if (change.changed && at == route->final)
		p->pseudo += difference(before, with, route->size);
}

bool rewrite_routes(uint8_t *bytes, size_t length, const struct packet_view *view,
                    void (*change)(void *arg, uint8_t *address, size_t size), void *arg)
{
	struct patch patch = {.bytes = bytes, .view = view};
	struct route route = {0};

	while (is_of(view, length) && route_next(bytes, view, &route))
		for (uint32_t i = 0; i < route.count; i++) {
			uint32_t at = route.first + i * route.size;
			uint8_t address[16];
			memcpy(address, bytes + at, route.size);
			change(arg, address, route.size);
			change_address(&patch, &route, at, address);
		}
	return finish(&patch);
}
