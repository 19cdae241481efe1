/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng files, read and written. */
#include "capture/format.h"

#include "base/buf.h"
#include <byteswap.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum block_type {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	PACKET_OBSOLETE = 2,
	PACKET_SIMPLE = 3,
	STATISTICS = 5,
	PACKET_ENHANCED = 6,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_MIN        12
#define SECTION_MIN      28
#define SECTION_HEAD     24 /* without options and trailer */
#define FINEST           28 /* 10^-28 s: 10^19 parts of a nanosecond still fit 64 bits */
#define INTERFACES_MAX   65536
#define TEXT_MAX         1024 /* of names and applications; what is longer is cut */
#define OPTION_HEAD      4
#define SECTION_FIXED    28
#define INTERFACE_FIXED  20
#define PACKET_FIXED     32
#define TSRESOL_NS       9
#define BEFORE_S         INT64_C(-9223372037) /* no message is before that */
#define STATISTICS_SIZE  52

/* Of interfaces, of sections, and of statistics. */
enum option {
	OPTION_END = 0,
	OPTION_NAME = 2,
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14,
	OPTION_USERAPPL = 4,
	OPTION_IFRECV = 4,
	OPTION_IFDROP = 5,
};

/* A timestamp's unit is unit_ns, or 1/parts_ns, or 2^-shift seconds. */
struct pcapng_interface {
	uint64_t unit_ns, parts_ns;
	int64_t offset_s;
	uint32_t snaplen;
	uint16_t link_type;
	uint8_t shift;
};

struct pcapng {
	bool swapped;
	struct pcapng_interface *interfaces; /* of this section */
	size_t count, room;
};

static bool begins(uint32_t magic)
{
	return magic == SECTION;
}

static void reset(void *own)
{
	struct pcapng *p = own;
	free(p->interfaces);
}

static inline uint32_t load32(const struct pcapng *p, const uint8_t *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof v);
	return p->swapped ? bswap_32(v) : v;
}

static inline uint16_t load16(const struct pcapng *p, const uint8_t *at)
{
	uint16_t v;
	memcpy(&v, at, sizeof v);
	return p->swapped ? bswap_16(v) : v;
}

static uint64_t load64(const struct pcapng *p, const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof v);
	return p->swapped ? bswap_64(v) : v;
}

/* No 64 bits of units, whatever they are, nor seconds, overflow this. */
static int64_t far_time_ns(struct parser *parser, const struct pcapng_interface *i, uint64_t units)
{
	__int128 ns = (__int128)i->offset_s * MOMENT_S;
	if (i->unit_ns)
		ns += (__int128)units * (__int128)i->unit_ns;
	else if (i->parts_ns)
		ns += units / i->parts_ns;
	else
		ns += (__int128)((unsigned __int128)units * MOMENT_S >> i->shift);
	if (ns >= INT64_MIN && ns <= INT64_MAX)
		return (int64_t)ns;
	parser->misdated++;
	return ns < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t time_ns(struct parser *parser, uint32_t interface, uint32_t high,
                              uint32_t low)
{
	const struct pcapng *p = parser->own;
	const struct pcapng_interface *i = &p->interfaces[interface];
	uint64_t units = (uint64_t)high << 32 | low;
	int64_t ns;
	if (i->unit_ns && !i->offset_s && !__builtin_mul_overflow(units, i->unit_ns, &ns))
		return ns;
	return far_time_ns(parser, i, units);
}

static void set_resolution(struct pcapng_interface *i, uint8_t tsresol)
{
	unsigned exponent = tsresol & 0x7f;
	i->unit_ns = i->parts_ns = i->shift = 0;
	if (tsresol & 0x80) {
		i->shift = (uint8_t)exponent;
	} else if (exponent <= 9) {
		i->unit_ns = 1;
		for (unsigned e = exponent; e < 9; e++)
			i->unit_ns *= 10;
	} else if (exponent <= FINEST) {
		i->parts_ns = 1;
		for (unsigned e = 9; e < exponent; e++)
			i->parts_ns *= 10;
	} else {
		i->shift = 127; /* 64 bits of such units are less than a nanosecond */
	}
}

static int read_options(const struct pcapng *p, const struct window *w, const uint8_t *at,
                        const uint8_t *end, struct pcapng_interface *i, struct pt_error *err)
{
	while (end - at >= 4) {
		uint16_t code = load16(p, at), length = load16(p, at + 2);
		size_t padded = ((size_t)length + 3) & ~(size_t)3;
		at += 4;
		if (code == OPTION_END)
			break;
		if (padded > (size_t)(end - at))
			return window_damaged(
				w, w->offset, err,
				"an option of %u bytes reaches past its interface block", length);
		if (code == OPTION_TSRESOL && length == 1)
			set_resolution(i, *at);
		else if (code == OPTION_TSOFFSET && length == 8)
			i->offset_s = (int64_t)load64(p, at);
		at += padded;
	}
	return 0;
}

static int add_interface(struct pcapng *p, const struct window *w, uint32_t length,
                         struct pt_error *err)
{
	if (length < BLOCK_MIN + 8)
		return window_damaged(w, w->offset, err, "an interface block of %u bytes", length);
	if (p->count == INTERFACES_MAX)
		return window_damaged(w, w->offset, err, "more than %u interfaces in a section",
		                      INTERFACES_MAX);
	struct pcapng_interface i = {.link_type = load16(p, w->at + 8),
	                             .snaplen = load32(p, w->at + 12),
	                             .unit_ns = 1000};
	if (i.link_type == PT_NO_LINK_TYPE)
		return window_damaged(w, w->offset, err, "there is no link type %u", i.link_type);
	int rc = read_options(p, w, w->at + 16, w->at + length - 4, &i, err);
	if (rc)
		return rc;
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 4;
		p->interfaces = must_realloc(p->interfaces, p->room, sizeof *p->interfaces);
	}
	p->interfaces[p->count++] = i;
	return 0;
}

static int take_packet(const struct pcapng *p, const struct window *w, uint32_t interface,
                       uint32_t head, uint32_t length, struct record *r, struct pt_error *err)
{
	if (interface >= p->count)
		return window_damaged(w, w->offset, err,
		                      "a packet of interface %u, of which there are %zu so far",
		                      interface, p->count);
	uint32_t most =
		packet_max(p->interfaces[interface].link_type, p->interfaces[interface].snaplen);
	if (r->length > most)
		return window_damaged(w, w->offset, err,
		                      "a packet that claims %u bytes, more than %u", r->length,
		                      most);
	if (r->length > length - head - 4)
		return window_damaged(w, w->offset, err,
		                      "a packet that claims %u bytes in a block of %u", r->length,
		                      length);
	r->bytes = w->at + head;
	r->link_type = p->interfaces[interface].link_type;
	if (r->wire_length < r->length)
		r->wire_length = r->length;
	return 1;
}

/* Enhanced and obsolete packet blocks differ in the first four bytes. */
static int timed_packet(struct parser *parser, const struct window *w, uint32_t interface,
                        uint32_t length, struct record *r, struct pt_error *err)
{
	const struct pcapng *p = parser->own;
	if (length < 32)
		return window_damaged(w, w->offset, err, "a packet block of %u bytes", length);
	*r = (struct record){.length = load32(p, w->at + 20), .wire_length = load32(p, w->at + 24)};
	int rc = take_packet(p, w, interface, 28, length, r, err);
	if (rc == 1)
		r->time_ns =
			time_ns(parser, interface, load32(p, w->at + 12), load32(p, w->at + 16));
	return rc;
}

static int simple_packet(const struct pcapng *p, const struct window *w, uint32_t length,
                         struct record *r, struct pt_error *err)
{
	if (length < 16)
		return window_damaged(w, w->offset, err, "a packet block of %u bytes", length);
	uint32_t wire = load32(p, w->at + 8), snaplen = p->count ? p->interfaces[0].snaplen : 0;
	uint32_t captured = wire;
	if (snaplen && captured > snaplen)
		captured = snaplen;
	*r = (struct record){.length = captured, .wire_length = wire};
	return take_packet(p, w, 0, 12, length, r, err);
}

static int begin_section(struct parser *parser, struct window *w, struct pt_error *err)
{
	struct pcapng *p = parser->own;
	if (window_left(w) < SECTION_HEAD) {
		w->want = SECTION_HEAD;
		return -EAGAIN;
	}
	uint32_t magic;
	memcpy(&magic, w->at + 8, sizeof magic);
	if (magic != BYTE_ORDER_MAGIC && magic != bswap_32(BYTE_ORDER_MAGIC))
		return window_damaged(w, w->offset, err, "a section of unknown byte order");
	p->swapped = magic != BYTE_ORDER_MAGIC;
	uint16_t version = load16(p, w->at + 12);
	if (version != 1)
		return window_damaged(w, w->offset, err,
		                      "version %u of pcapng, of which only 1 is known", version);
	p->count = 0;
	parser->facts = (struct capture_facts){.format = CAPTURE_PCAPNG, .swapped = p->swapped};
	parser->begun = true;
	return 0;
}

static void skip(struct parser *p, struct window *w, uint32_t length)
{
	p->closing = length;
	p->block_at = w->offset;
	uint32_t body = length - 4;
	size_t here = body < window_left(w) ? body : window_left(w);
	window_use(w, here);
	w->skip = body - (uint32_t)here;
}

static int close_block(struct pcapng *p, const struct window *w, const uint8_t *at, uint32_t length,
                       uint64_t block_at, struct pt_error *err)
{
	uint32_t again = load32(p, at);
	if (again == length)
		return 0;
	return window_damaged(w, block_at, err,
	                      "a block that says %u bytes at its beginning and %u at its end",
	                      length, again);
}

static bool looked_into(uint32_t type)
{
	return type == INTERFACE || type == PACKET_ENHANCED || type == PACKET_SIMPLE ||
	       type == PACKET_OBSOLETE;
}

static int check_length(const struct window *w, uint32_t type, uint32_t length,
                        struct pt_error *err)
{
	uint32_t min = type == SECTION ? SECTION_MIN : BLOCK_MIN;
	if (length < min || length % 4)
		return window_damaged(w, w->offset, err, "a block that claims %u bytes", length);
	return 0;
}

static int another_file(struct window *w)
{
	int follows = pcap_follows(w->at, window_left(w));
	w->want = SECTION_HEAD; /* as long as a header of pcap */
	return follows > 0 ? -ENODATA : follows ? -EAGAIN : 0;
}

/* 1: a record; 0: something else was used up; -EAGAIN: more bytes are wanted. */
static int parse_block(struct parser *parser, struct window *w, struct record *r,
                       struct pt_error *err)
{
	struct pcapng *p = parser->own;
	uint32_t type = load32(p, w->at);
	int rc = parser->begun && type != SECTION ? another_file(w) : 0;
	if (rc)
		return rc;
	rc = type == SECTION ? begin_section(parser, w, err) : 0;
	if (rc)
		return rc;
	uint32_t length = load32(p, w->at + 4);
	rc = check_length(w, type, length, err);
	if (rc)
		return rc;
	if (!looked_into(type)) {
		skip(parser, w, length);
		return 0;
	}
	if (window_left(w) < length) {
		w->want = length;
		return -EAGAIN;
	}
	rc = close_block(p, w, w->at + length - 4, length, w->offset, err);
	if (rc)
		return rc;
	switch (type) {
	case INTERFACE: rc = add_interface(p, w, length, err); break;
	case PACKET_SIMPLE: rc = simple_packet(p, w, length, r, err); break;
	case PACKET_ENHANCED:
		rc = timed_packet(parser, w, load32(p, w->at + 8), length, r, err);
		break;
	case PACKET_OBSOLETE:
		rc = timed_packet(parser, w, load16(p, w->at + 8), length, r, err);
		break;
	}
	if (rc >= 0)
		window_use(w, length);
	return rc;
}

static int parse_next(struct parser *parser, struct window *w, struct record *r,
                      struct pt_error *err)
{
	w->want = parser->closing ? 4 : BLOCK_MIN;
	if (w->skip || window_left(w) < w->want)
		return -EAGAIN;
	if (!parser->closing)
		return parse_block(parser, w, r, err);
	int rc = close_block(parser->own, w, w->at, parser->closing, parser->block_at, err);
	if (rc)
		return rc;
	window_use(w, 4);
	parser->closing = 0;
	return 0;
}

static int parse(struct parser *parser, struct window *w, struct record *records, unsigned max,
                 struct pt_error *err)
{
	unsigned n = 0;
	while (n < max || (!parser->begun && max == 0)) {
		int rc = parse_next(parser, w, &records[n], n ? NULL : err);
		if (rc == 1)
			n++;
		else if (rc < 0)
			return n || rc == -EAGAIN ? (int)n : rc;
	}
	return (int)n;
}

/* ---- writing: in the byte order of this machine, times in nanoseconds ---- */

static size_t pad4(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t text_length(const char *text)
{
	return text ? strnlen(text, TEXT_MAX) : 0;
}

static size_t text_size(const char *text)
{
	return text ? OPTION_HEAD + pad4(text_length(text)) : 0;
}

static uint8_t *put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof v);
	return at + sizeof v;
}

static uint8_t *put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof v);
	return at + sizeof v;
}

/* The head of a block, which ends with its size, too. */
static inline uint8_t *put_head(uint8_t *at, uint32_t type, uint32_t size)
{
	at = put32(at, type);
	return put32(at, size);
}

static uint8_t *put_time(uint8_t *at, int64_t time_ns, bool before)
{
	uint64_t ticks = (uint64_t)time_ns;
	if (before)
		ticks -= (uint64_t)BEFORE_S * (uint64_t)MOMENT_S;
	at = put32(at, (uint32_t)(ticks >> 32));
	return put32(at, (uint32_t)ticks);
}

static uint8_t *put_padded(uint8_t *at, const void *bytes, size_t length)
{
	size_t padded = pad4(length);
	if (padded != length)
		memset(at + padded - 4, 0, 4);
	if (length)
		memcpy(at, bytes, length);
	return at + padded;
}

static uint8_t *put_option(uint8_t *at, uint16_t code, const void *value, size_t length)
{
	at = put16(at, code);
	at = put16(at, (uint16_t)length);
	return put_padded(at, value, length);
}

static size_t header(const struct format *f, uint8_t *at, uint16_t link_type,
                     const char *application)
{
	uint32_t size = (uint32_t)(SECTION_FIXED + text_size(application) +
	                           (application ? OPTION_HEAD : 0));
	(void)f, (void)link_type;
	if (!at)
		return size;
	at = put_head(at, SECTION, size);
	at = put32(at, BYTE_ORDER_MAGIC);
	at = put16(at, 1);
	at = put16(at, 0);
	at = put32(at, UINT32_MAX); /* the section's length is not told */
	at = put32(at, UINT32_MAX);
	if (application) {
		at = put_option(at, OPTION_USERAPPL, application, text_length(application));
		at = put_option(at, OPTION_END, NULL, 0);
	}
	put32(at, size);
	return size;
}

/* Before 1970 times are counted from a moment before all of them (if_tsoffset): such packets have
   their own interface, since times of a file have no sign. */
static size_t interface(uint8_t *at, uint16_t link_type, const char *name, bool before)
{
	static const uint8_t tsresol = TSRESOL_NS;
	static const int64_t before_s = BEFORE_S;
	uint32_t size = (uint32_t)(INTERFACE_FIXED + text_size(name) + OPTION_HEAD + 4 +
	                           (before ? OPTION_HEAD + sizeof before_s : 0) + OPTION_HEAD);
	if (!at)
		return size;
	at = put_head(at, INTERFACE, size);
	at = put16(at, link_type);
	at = put16(at, 0);
	at = put32(at, link_type_packet_max(link_type));
	if (name)
		at = put_option(at, OPTION_NAME, name, text_length(name));
	at = put_option(at, OPTION_TSRESOL, &tsresol, 1);
	if (before)
		at = put_option(at, OPTION_TSOFFSET, &before_s, sizeof before_s);
	at = put_option(at, OPTION_END, NULL, 0);
	put32(at, size);
	return size;
}

static uint32_t packet_size(uint32_t captured)
{
	return (uint32_t)format_packet_size(&format_pcapng, captured);
}

static inline void put_packet(uint8_t *at, uint32_t interface, const struct pt_msg *m,
                              int64_t time_ns, uint32_t captured)
{
	uint32_t size = packet_size(captured);
	at = put_head(at, PACKET_ENHANCED, size);
	at = put32(at, interface);
	at = put_time(at, time_ns, time_ns < 0);
	at = put32(at, captured);
	at = put32(at, m->wire_length);
	at = put_padded(at, m->bytes, captured);
	put32(at, size);
}

static void packets(const struct format *f, uint8_t *at, const struct run *run,
                    struct capture_misfits *misfits)
{
	(void)f;
	for (unsigned i = 0; i < run->count; i++) {
		const struct pt_msg *m = run->messages[i];
		uint32_t length = run_captured(run, m);
		misfits->cut += length < m->length;
		put_packet(at, run->interface, m, run_time_ns(m), length);
		at += packet_size(length);
	}
}

static size_t part(const uint8_t *at, bool *is_packet)
{
	uint32_t type, length;
	memcpy(&type, at, sizeof type);
	memcpy(&length, at + 4, sizeof length);
	*is_packet = type == PACKET_ENHANCED;
	return length >= BLOCK_MIN && length % 4 == 0 && length <= FORMAT_PART_MAX ? length : 0;
}

/* ---- for live streams ---- */

static uint8_t *grow(struct buf *b, size_t size)
{
	uint8_t *at = (uint8_t *)buf_reserve(b, size);
	b->length += size;
	b->data[b->length] = 0;
	return at;
}

void capture_pcapng_header(struct buf *b, const char *application)
{
	size_t size = header(NULL, NULL, 0, application);
	header(NULL, grow(b, size), 0, application);
}

void capture_pcapng_interface(struct buf *b, uint16_t link_type, const char *name, bool before)
{
	uint8_t *at = grow(b, interface(NULL, link_type, name, before));
	interface(at, link_type, name, before);
}

void capture_pcapng_packet(struct buf *b, uint32_t interface, const struct pt_msg *m,
                           int64_t time_ns, uint32_t captured)
{
	put_packet(grow(b, packet_size(captured)), interface, m, time_ns, captured);
}

void capture_pcapng_statistics(struct buf *b, uint32_t interface, bool before, int64_t time_ns,
                               uint64_t received, uint64_t dropped)
{
	uint8_t *at = grow(b, STATISTICS_SIZE);
	at = put_head(at, STATISTICS, STATISTICS_SIZE);
	at = put32(at, interface);
	at = put_time(at, time_ns, before);
	at = put_option(at, OPTION_IFRECV, &received, sizeof received);
	at = put_option(at, OPTION_IFDROP, &dropped, sizeof dropped);
	at = put_option(at, OPTION_END, NULL, 0);
	put32(at, STATISTICS_SIZE);
}

static const char *const endings[] = {".pcapng", ".ntar", NULL};

const struct format format_pcapng = {
	.endings = endings,
	.begins = begins,
	.parse = parse,
	.own_size = sizeof(struct pcapng),
	.reset = reset,
	.header = header,
	.interface = interface,
	.packet_head = PACKET_FIXED,
	.packet_align = 4,
	.packets = packets,
	.part = part,
};
