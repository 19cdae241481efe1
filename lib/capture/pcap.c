/* SPDX-License-Identifier: BSD-2-Clause */
/* pcap files, read and written. */
#include "capture/byte_order.h"
#include "capture/format.h"

#include <byteswap.h>
#include <errno.h>
#include <string.h>

#define MAGIC          0xa1b2c3d4u
#define MAGIC_NANO     0xa1b23c4du
#define MAGIC_PATCHED  0xa1b2cd34u
#define FILE_HEADER    24
#define RECORD_HEADER  16
#define SNAPLEN_AT     16
#define PATCHED_HEADER 24
#define SECTION        0x0a0d0d0au /* of pcapng, and its byte order */
#define BYTE_ORDER     0x1a2b3c4du
#define ZONE_MAX_S     86400
#define LAST_NS        (UINT32_MAX * MOMENT_S + MOMENT_S - 1)
#define ALWAYS_INLINE  __attribute__((always_inline)) static inline
#define LINK_TYPE_BITS 0x03ffffffu
#define CHECKED        0x04000000u /* frames end with a check sequence, of so many … */
#define CHECK_SHIFT    28          /* … words of 16 bits as stand there */
#define CHECK_MOST     30

struct pcap {
	bool swapped, nano, patched;
	bool wire_first, wire_greater; /* of the two lengths in a record: see below */
	uint16_t link_type;
	uint32_t packet_max;
	struct pt_origin *origin; /* NULL: the header tells nothing of an interface */
};

/*
 * Versions (libpcap, sf-pcap.c): up to 2.2, and in 543.0 of DG/UX, a record tells its length on the
 * wire before the captured one; in 2.3 the greater of the two is that on the wire. A libpcap that
 * Kuznetzov patched has another magic and 8 bytes more in each record's header. AIX writes 2.2 with
 * nanoseconds and the interface's type of RFC 1573 in place of the link type (Wireshark,
 * libpcap.c).
 */

/* Files that begin nearly as pcap and have other records. */
static const struct variant {
	uint32_t magic;
	const char *words;
} variants[] = {
	{0x1c0001acu, "IXIA's hardware format (editcap -F pcap turns it into pcap)"},
	{0x1c0001abu, "IXIA's software format (editcap -F pcap turns it into pcap)"},
	{0xa1b234cdu, "the 'modified' format of a patched tcpdump of 2001"},
	{0xa12b3c4du, "the format of Navtel's tools"},
};

static bool is_known(uint32_t magic)
{
	return magic == MAGIC || magic == MAGIC_NANO || magic == MAGIC_PATCHED;
}

static bool begins(uint32_t magic)
{
	uint32_t other = bswap_32(magic);
	if (is_known(magic) || is_known(other))
		return true;
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		if (variants[i].magic == magic || variants[i].magic == other)
			return true;
	return false;
}

static inline uint32_t load(const uint8_t *at, bool swapped)
{
	uint32_t v;
	memcpy(&v, at, sizeof v);
	return swapped ? bswap_32(v) : v;
}

static int refuse_variant(const struct window *w, uint32_t magic, struct pt_error *err)
{
	const char *words = "no format known here";
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		if (variants[i].magic == magic || variants[i].magic == bswap_32(magic))
			words = variants[i].words;
	return pt_fail(err, -EBADMSG, "fname", "'%s' is not plain pcap but in %s", w->name, words);
}

static uint16_t load16(const uint8_t *at, bool swapped)
{
	uint16_t v;
	memcpy(&v, at, sizeof v);
	return swapped ? bswap_16(v) : v;
}

static bool is_version(uint16_t major, uint16_t minor)
{
	return (major == 2 && minor <= 4) || (major == 543 && minor == 0);
}

/* What can be taken for a record of no other file: its packet would be of 2055, a fraction of a
   second that is a version, and shorter on the wire than the time zone. */
int pcap_follows(const uint8_t *at, size_t left)
{
	uint32_t magic = load(at, false);
	bool swapped = !is_known(magic);
	if (magic == SECTION) {
		uint32_t order = load(at + 8, false);
		return order == BYTE_ORDER || order == bswap_32(BYTE_ORDER);
	}
	if (!is_known(swapped ? bswap_32(magic) : magic))
		return 0;
	int32_t zone = (int32_t)load(at + 8, swapped);
	if (!is_version(load16(at + 4, swapped), load16(at + 6, swapped)) || zone < -ZONE_MAX_S ||
	    zone > ZONE_MAX_S)
		return 0;
	if (left < FILE_HEADER)
		return -1;
	return load(at + 12, swapped) == 0 &&
	       (load(at + 20, swapped) & LINK_TYPE_BITS) < PT_NO_LINK_TYPE;
}

static void take_version(struct pcap *p, uint16_t major, uint16_t minor)
{
	static const uint16_t types[][2] = {{6, 1}, {9, 6}, {15, 10}, {24, 0}};
	p->wire_first = major == 543 || minor < 3;
	p->wire_greater = major == 2 && minor == 3;
	for (size_t i = 0; major == 2 && minor == 2 && i < sizeof types / sizeof *types; i++) {
		if (p->link_type != types[i][0])
			continue;
		p->link_type = types[i][1];
		p->nano = true;
		break;
	}
}

/* What it says of check sequences, as a pcapng's interface would. */
static void describe(struct pcap *p, uint32_t network, uint32_t snaplen)
{
	const struct pcapng_facts facts = {.snaplen = snaplen,
	                                   .link_type = p->link_type,
	                                   .checked = true,
	                                   .check_size = (uint8_t)(network >> CHECK_SHIFT) * 2};
	uint32_t length;
	uint8_t *body = pcapng_interface_body(&facts, p->nano ? 9 : 6, &length);
	struct section *section = section_new(section_new_file(), 0);
	section_add(section, PCAPNG_INTERFACE, body, length);
	p->origin = origin_new(section, 0, NULL);
	p->origin->checked = true;
	p->origin->check_size = facts.check_size;
	section_unref(section);
}

static void reset(void *own)
{
	struct pcap *p = own;
	pt_origin_unref(p->origin);
	p->origin = NULL;
}

static int parse_header(struct parser *parser, struct window *w, struct pt_error *err)
{
	struct pcap *p = parser->own;
	if (window_left(w) < FILE_HEADER) {
		w->want = FILE_HEADER;
		return 0;
	}
	uint32_t magic = load(w->at, false);
	p->swapped = is_known(bswap_32(magic));
	magic = load(w->at, p->swapped);
	if (!is_known(magic))
		return refuse_variant(w, magic, err);
	p->nano = magic == MAGIC_NANO;
	p->patched = magic == MAGIC_PATCHED;
	uint16_t major = load16(w->at + 4, p->swapped), minor = load16(w->at + 6, p->swapped);
	if (!is_version(major, minor))
		return window_damaged(
			w, w->offset + 4, err,
			"version %u.%u of pcap, of which 2.0 to 2.4 and 543.0 are known", major,
			minor);
	uint32_t network = load(w->at + 20, p->swapped), link_type = network & LINK_TYPE_BITS;
	if (link_type >= PT_NO_LINK_TYPE)
		return window_damaged(w, w->offset + 20, err, "there is no link type %u",
		                      link_type);
	p->link_type = (uint16_t)link_type;
	take_version(p, major, minor);
	uint32_t snaplen = load(w->at + SNAPLEN_AT, p->swapped);
	p->packet_max = packet_max(p->link_type, snaplen);
	if (network & CHECKED)
		describe(p, network, snaplen);
	parser->facts = (struct capture_facts){
		.format = p->nano ? CAPTURE_PCAP_NS : CAPTURE_PCAP,
		.swapped = p->swapped,
		.old = p->wire_first || p->wire_greater || p->patched,
		.link_type = p->link_type,
		.snaplen = snaplen,
	};
	window_use(w, FILE_HEADER);
	parser->begun = true;
	return 1;
}

static int too_long(const struct pcap *p, const struct window *w, uint32_t length,
                    struct pt_error *err)
{
	return window_damaged(w, w->offset, err, "a packet that claims %u bytes, more than %u",
	                      length, p->packet_max);
}

/* Rules out nearly every record at once. */
static inline bool may_follow(uint32_t first)
{
	return first >> 16 == MAGIC >> 16 || (first & 0xffff) == bswap_16(MAGIC >> 16) ||
	       first == SECTION;
}

/* The two lengths of a record as they are in the newest version. */
static void put_in_order(const struct pcap *p, uint32_t *length, uint32_t *wire)
{
	if (!p->wire_first && !(p->wire_greater && *length > *wire))
		return;
	uint32_t first = *length;
	*length = *wire;
	*wire = first;
}

/* Made twice, as most files are not `odd`: turned, or old. */
ALWAYS_INLINE int parse_records(const struct pcap *p, struct window *w, struct pt_msg **messages,
                                unsigned max, bool odd, struct pt_error *err)
{
	const bool swapped = odd && p->swapped;
	const uint32_t unit_ns = p->nano ? 1 : 1000, packet_max = p->packet_max,
		       head = odd && p->patched ? PATCHED_HEADER : RECORD_HEADER;
	const uint8_t *at = w->at;
	size_t want = w->want;
	unsigned n = 0;
	for (; n < max; n++, at += want) {
		size_t left = (size_t)(w->end - at);
		want = head;
		if (left < head)
			break;
		if (may_follow(load(at, false))) {
			int follows = pcap_follows(at, left);
			if (follows > 0 && !n)
				return -ENODATA;
			want = FILE_HEADER;
			if (follows)
				break;
		}
		uint32_t length = load(at + 8, swapped), wire = load(at + 12, swapped);
		if (odd)
			put_in_order(p, &length, &wire);
		if (length > packet_max && !n)
			return too_long(p, w, length, err);
		want = head + (size_t)length;
		if (left < want || length > packet_max)
			break;
		struct pt_msg *m = messages[n];
		window_fill(w, m, at + head, length, wire);
		m->time_ns =
			load(at, swapped) * MOMENT_S + load(at + 4, swapped) * (int64_t)unit_ns;
		m->link_type = p->link_type;
	}
	w->want = want;
	window_use(w, (size_t)(at - w->at));
	return (int)n;
}

static int parse(struct parser *parser, struct window *w, struct pt_msg **messages, unsigned max,
                 struct pt_error *err)
{
	const struct pcap *p = parser->own;
	if (!parser->begun) {
		int rc = parse_header(parser, w, err);
		if (rc <= 0)
			return rc;
	}
	int n = p->swapped || parser->facts.old ? parse_records(p, w, messages, max, true, err)
	                                        : parse_records(p, w, messages, max, false, err);
	for (int i = 0; p->origin && i < n; i++)
		pt_msg_set_origin(messages[i], p->origin);
	for (int i = 0; p->swapped && i < n; i++)
		byte_order_turn_packet(messages[i]);
	return n;
}

/* ---- writing ---- */

static uint32_t network_of(uint16_t link_type, const struct pt_origin *of)
{
	if (!of || !of->checked || of->check_size % 2 || of->check_size > CHECK_MOST)
		return link_type;
	return (uint32_t)of->check_size / 2 << CHECK_SHIFT | CHECKED | link_type;
}

static size_t header(const struct format *f, uint8_t *at, uint16_t link_type,
                     const struct pt_origin *of)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, link_type;
	} header = {f == &format_pcap ? MAGIC : MAGIC_NANO,
	            2,
	            4,
	            0,
	            0,
	            link_type_packet_max(link_type),
	            network_of(link_type, of)};
	_Static_assert(sizeof header == FILE_HEADER, "no padding");
	if (at)
		memcpy(at, &header, sizeof header);
	return sizeof header;
}

/* The second of the last packet, in which the next mostly is, too. */
struct second {
	uint32_t number;
	int64_t ns; /* where it begins */
};

/* How far in the second, which becomes the time's own, or the nearest that can be written. */
static inline uint32_t part_of(struct second *s, int64_t time_ns, struct capture_misfits *misfits)
{
	uint64_t part_ns = (uint64_t)time_ns - (uint64_t)s->ns;
	if (part_ns < MOMENT_S)
		return (uint32_t)part_ns;
	if (time_ns < 0 || time_ns > LAST_NS) {
		time_ns = time_ns < 0 ? 0 : LAST_NS;
		misfits->dated++;
	}
	s->number = (uint32_t)(time_ns / MOMENT_S);
	s->ns = s->number * MOMENT_S;
	return (uint32_t)(time_ns - s->ns);
}

static inline void store(uint8_t *at, uint32_t first, uint32_t second)
{
	memcpy(at, &first, sizeof first);
	memcpy(at + sizeof first, &second, sizeof second);
}

/* Bytes that are yet to be copied, and the chunk that they lie in. */
struct piece {
	const struct pt_chunk *chunk;
	const uint8_t *from, *end;
};

static uint8_t *piece_copy(const struct piece *piece, uint8_t *to)
{
	size_t length = (size_t)(piece->end - piece->from);
	if (length)
		memcpy(to, piece->from, length);
	return to + length;
}

/* Whether a packet stands behind the piece as it does in a file, with the very header that would be
   written. */
static inline bool follows(const struct piece *piece, const struct pt_msg *m, uint32_t unit_ns,
                           uint32_t packet_max)
{
	const uint8_t *head = piece->end;
	if (m->chunk != piece->chunk || m->bytes - head != RECORD_HEADER ||
	    m->length > packet_max || !m->time_ns)
		return false;
	uint64_t part_ns = load(head + 4, false) * (uint64_t)unit_ns;
	int64_t time_ns = load(head, false) * MOMENT_S + (int64_t)part_ns;
	return time_ns == m->time_ns && part_ns < MOMENT_S &&
	       !memcmp(head + 8, &m->length, sizeof m->length + sizeof m->wire_length);
}
_Static_assert(offsetof(struct pt_msg, wire_length) ==
                       offsetof(struct pt_msg, length) + sizeof(uint32_t),
               "as they lie in a record");

/* What lies in one piece is copied at once: of what is unchanged from a file, a whole run. */
static void packets(const struct format *f, uint8_t *at, const struct run *run,
                    struct capture_misfits *misfits)
{
	const uint32_t unit_ns = f == &format_pcap ? 1000 : 1, packet_max = run->packet_max;
	struct second second = {0, 0};
	struct piece piece = {NULL, NULL, NULL};
	for (unsigned i = 0; i < run->count; i++) {
		const struct pt_msg *m = run->messages[i];
		if (follows(&piece, m, unit_ns, packet_max)) {
			piece.end = m->bytes + m->length;
			continue;
		}
		uint32_t length = run_captured(run, m);
		uint32_t part_ns = part_of(&second, run_time_ns(m), misfits);
		misfits->cut += length < m->length;
		at = piece_copy(&piece, at);
		store(at, second.number, unit_ns == 1 ? part_ns : part_ns / 1000);
		store(at + 8, length, m->wire_length);
		at += RECORD_HEADER;
		piece = (struct piece){m->chunk, m->bytes, m->bytes + length};
	}
	piece_copy(&piece, at);
}

/* A record as above, or the first bytes of a header of ours: in a record they would be of 2055, of
   a fraction of a second that is a version, and of no bytes. */
static size_t part(const uint8_t *at, bool *is_packet)
{
	static const uint8_t zeros[8];
	uint32_t magic = load(at, false), length = load(at + 8, false);
	*is_packet = !((magic == MAGIC || magic == MAGIC_NANO) && load16(at + 4, false) == 2 &&
	               load16(at + 6, false) == 4 && !memcmp(at + 8, zeros, sizeof zeros));
	if (!*is_packet)
		return FILE_HEADER;
	return length <= FORMAT_PART_MAX ? RECORD_HEADER + (size_t)length : 0;
}

#define ROW                                                                                      \
	.parse = parse, .reset = reset, .seeks = true, .own_size = sizeof(struct pcap),          \
	.header = header, .packet_head = RECORD_HEADER, .packets = packets, .head = FILE_HEADER, \
	.snaplen_at = SNAPLEN_AT, .part = part

const struct format format_pcap = {.begins = begins, ROW};
const struct format format_pcap_ns = {ROW}; /* the same with nanoseconds */
