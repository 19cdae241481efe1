/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads pcapng files; the row of the format. */
#include "capture/pcapng_block.h"

#include "base/buf.h"
#include "capture/byte_order.h"
#include "capture/format.h"
#include "msg/pool.h"
#include <errno.h>
#include <stdlib.h>

#define SECTION_MIN    28
#define SECTION_HEAD   24 /* without options and trailer */
#define INTERFACES_MAX 65536
#define KEPT_MAX       ((uint32_t)4 * 1024 * 1024) /* of what is no packet; longer is skipped */

struct pcapng_interface {
	struct pcapng_facts facts;
	uint32_t packet_max;
	struct pt_origin *origin, *untimed; /* of its packets, and of those without a time */
	struct pt_origin *told;             /* the last one that had more to tell */
};

struct pcapng {
	bool swapped;
	struct pcapng_interface *interfaces; /* of this section */
	size_t count, room;
	struct section *section;
	uint64_t file;
	uint32_t ordinal;
};

static bool begins(uint32_t magic)
{
	return magic == PCAPNG_SECTION;
}

static void end_section(struct pcapng *p)
{
	for (size_t i = 0; i < p->count; i++) {
		pt_origin_unref(p->interfaces[i].origin);
		pt_origin_unref(p->interfaces[i].untimed);
		pt_origin_unref(p->interfaces[i].told);
	}
	section_unref(p->section);
	p->section = NULL;
	p->count = 0;
}

static void reset(void *own)
{
	struct pcapng *p = own;
	end_section(p);
	free(p->interfaces);
	p->interfaces = NULL;
	p->room = 0;
}

static inline uint32_t load32(const struct pcapng *p, const uint8_t *at)
{
	return pcapng_load32(p->swapped, at);
}

static inline uint16_t load16(const struct pcapng *p, const uint8_t *at)
{
	return pcapng_load16(p->swapped, at);
}

static inline int64_t time_ns(struct parser *parser, const struct pcapng_clock *c, uint32_t high,
                              uint32_t low)
{
	uint64_t units = (uint64_t)high << 32 | low;
	int64_t ns;
	if (c->unit_ns && !c->offset_s && !__builtin_mul_overflow(units, c->unit_ns, &ns))
		return ns;
	if (!pcapng_far_ns(c, units, &ns))
		parser->misdated++;
	return ns;
}

/* ---- what is no packet ---- */

static bool is_kept(uint32_t type)
{
	return type == PCAPNG_SECTION || type == PCAPNG_INTERFACE || type == PCAPNG_NAMES ||
	       type == PCAPNG_STATISTICS || type == PCAPNG_SECRETS || type == PCAPNG_CUSTOM;
}

static bool is_packet(uint32_t type)
{
	return type == PCAPNG_PACKET || type == PCAPNG_SIMPLE || type == PCAPNG_OBSOLETE;
}

/* In this machine's byte order, for whoever writes packets of the section. The body is the
   section's; NULL: it was left out. */
static const uint8_t *keep(struct parser *parser, const struct window *w, uint32_t type,
                           uint32_t *length)
{
	struct pcapng *p = parser->own;
	bool damaged = false;
	uint8_t *body = pcapng_native_body(type, p->swapped, w->at + 8, *length - PCAPNG_BLOCK,
	                                   length, &damaged);
	parser->damaged += damaged;
	bool kept = body && section_add(p->section, type, body, *length);
	parser->left_out += !kept && !damaged;
	return kept ? body : NULL;
}

static int add_interface(struct parser *parser, const struct window *w, uint32_t length,
                         struct pt_error *err)
{
	struct pcapng *p = parser->own;
	struct pcapng_interface i = {.facts = {.clock = {.unit_ns = 1000}}};
	if (length < PCAPNG_BLOCK + 8)
		return window_damaged(w, w->offset, err, "an interface block of %u bytes", length);
	if (p->count == INTERFACES_MAX)
		return window_damaged(w, w->offset, err, "more than %u interfaces in a section",
		                      INTERFACES_MAX);
	i.facts.link_type = load16(p, w->at + 8);
	i.facts.snaplen = load32(p, w->at + 12);
	if (i.facts.link_type == PT_NO_LINK_TYPE)
		return window_damaged(w, w->offset, err, "there is no link type %u",
		                      i.facts.link_type);
	const uint8_t *body = keep(parser, w, PCAPNG_INTERFACE, &length);
	char *name = body ? pcapng_name_of(body, length) : NULL;
	if (body)
		pcapng_facts_of(body, length, &i.facts);
	i.packet_max = packet_max(i.facts.link_type, i.facts.snaplen);
	i.origin = origin_new(p->section, (uint32_t)p->count, name);
	i.origin->checked = i.facts.checked;
	i.origin->check_size = i.facts.check_size;
	free(name);
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 4;
		p->interfaces = must_realloc(p->interfaces, p->room, sizeof *p->interfaces);
	}
	p->interfaces[p->count++] = i;
	return 0;
}

static int check_section(struct parser *parser, struct window *w, struct pt_error *err)
{
	struct pcapng *p = parser->own;
	if (window_left(w) < SECTION_HEAD) {
		w->want = SECTION_HEAD;
		return -EAGAIN;
	}
	uint32_t magic;
	memcpy(&magic, w->at + 8, sizeof magic);
	if (magic != PCAPNG_MAGIC && magic != bswap_32(PCAPNG_MAGIC))
		return window_damaged(w, w->offset, err, "a section of unknown byte order");
	p->swapped = magic != PCAPNG_MAGIC;
	uint16_t version = load16(p, w->at + 12);
	if (version != 1)
		return window_damaged(w, w->offset, err,
		                      "version %u of pcapng, of which only 1 is known", version);
	return 0;
}

static void begin_section(struct parser *parser)
{
	struct pcapng *p = parser->own;
	end_section(p);
	if (!p->file)
		p->file = section_new_file();
	p->section = section_new(p->file, p->ordinal++);
	parser->facts = (struct capture_facts){.format = CAPTURE_PCAPNG, .swapped = p->swapped};
	parser->begun = true;
}

/* ---- packets ---- */

/* All but its time and its origin; its lengths are as the block says. */
static int take_packet(struct pcapng *p, const struct window *w, uint32_t interface, uint32_t head,
                       uint32_t length, struct pt_msg *m, struct pt_error *err)
{
	if (interface >= p->count)
		return window_damaged(w, w->offset, err,
		                      "a packet of interface %u, of which there are %zu so far",
		                      interface, p->count);
	uint32_t most = p->interfaces[interface].packet_max;
	if (m->length > most)
		return window_damaged(w, w->offset, err,
		                      "a packet that claims %u bytes, more than %u", m->length,
		                      most);
	if (m->length > length - head - 4)
		return window_damaged(w, w->offset, err,
		                      "a packet that claims %u bytes in a block of %u", m->length,
		                      length);
	window_fill(w, m, w->at + head, m->length, m->wire_length);
	m->link_type = p->interfaces[interface].facts.link_type;
	if (p->swapped)
		byte_order_turn_packet(m);
	return 1;
}

static void set_origin(struct pt_msg *m, struct pt_origin *o)
{
	m->origin = o;
	o->refs++;
}

/* An obsolete packet's drops are no option; its options mean the same. */
static void add_drops(const struct pcapng *p, const uint8_t *block, struct buf *options)
{
	uint16_t drops = load16(p, block + 10);
	if (load32(p, block) != PCAPNG_OBSOLETE || drops == UINT16_MAX)
		return;
	const struct {
		uint16_t code, length;
		uint32_t count, high;
	} option = {PCAPNG_DROPCOUNT, 8, drops, 0};
	buf_add(options, &option, sizeof option);
}

/* Where a packet is from, and what its block tells of it from `at` on. Packets that tell the same
   one behind the other share it. */
static struct pt_origin *told(struct parser *parser, const struct window *w,
                              struct pcapng_interface *i, size_t at, size_t length)
{
	struct pcapng *p = parser->own;
	struct buf options = BUF_INIT;
	bool damaged = false;
	pcapng_native_options(PCAPNG_PACKET, p->swapped, w->at + at, length, &options, &damaged);
	add_drops(p, w->at, &options);
	parser->damaged += damaged;
	struct pt_origin *o = i->told;
	if (!options.length) {
		o = i->origin;
	} else if (!o || o->size != options.length ||
	           memcmp(o->options, options.data, o->size) != 0) {
		o = origin_of_packet(i->origin, chunk_pool(w->chunk), (uint8_t *)options.data,
		                     (uint32_t)options.length);
		parser->left_out += !o;
		pt_origin_unref(i->told);
		i->told = o;
		o = o ? o : i->origin;
	}
	buf_free(&options);
	return o;
}

/* Enhanced and obsolete packet blocks differ in the first four bytes. */
static int timed_packet(struct parser *parser, const struct window *w, uint32_t interface,
                        uint32_t length, struct pt_msg *m, struct pt_error *err)
{
	struct pcapng *p = parser->own;
	if (length < 32)
		return window_damaged(w, w->offset, err, "a packet block of %u bytes", length);
	m->length = load32(p, w->at + 20);
	m->wire_length = load32(p, w->at + 24);
	int rc = take_packet(p, w, interface, PCAPNG_PACKET_HEAD, length, m, err);
	if (rc != 1)
		return rc;
	struct pcapng_interface *i = &p->interfaces[interface];
	m->time_ns = time_ns(parser, &i->facts.clock, load32(p, w->at + 12), load32(p, w->at + 16));
	size_t end = length - 4, told_at = PCAPNG_PACKET_HEAD + pcapng_pad(m->length);
	bool tells = told_at + PCAPNG_OPTION <= end;
	bool more = tells || load32(p, w->at) == PCAPNG_OBSOLETE;
	set_origin(m, more ? told(parser, w, i, told_at, tells ? end - told_at : 0) : i->origin);
	return 1;
}

static struct pt_origin *untimed(struct pcapng_interface *i)
{
	if (!i->untimed) {
		i->untimed = origin_copy(i->origin);
		i->untimed->untimed = true;
	}
	return i->untimed;
}

static int simple_packet(struct pcapng *p, const struct window *w, uint32_t length,
                         struct pt_msg *m, struct pt_error *err)
{
	if (length < 16)
		return window_damaged(w, w->offset, err, "a packet block of %u bytes", length);
	uint32_t snaplen = p->count ? p->interfaces[0].facts.snaplen : 0;
	m->length = m->wire_length = load32(p, w->at + 8);
	if (snaplen && m->length > snaplen)
		m->length = snaplen;
	int rc = take_packet(p, w, 0, PCAPNG_SIMPLE_HEAD, length, m, err);
	if (rc != 1)
		return rc;
	m->time_ns = 0;
	set_origin(m, untimed(&p->interfaces[0]));
	return 1;
}

/* ---- blocks ---- */

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

static int check_length(const struct window *w, uint32_t type, uint32_t length,
                        struct pt_error *err)
{
	uint32_t min = type == PCAPNG_SECTION ? SECTION_MIN : PCAPNG_BLOCK;
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

static void leave_out(struct parser *parser, struct window *w, uint32_t type, uint32_t length)
{
	if (type == PCAPNG_SECTION)
		begin_section(parser);
	parser->left_out++;
	skip(parser, w, length);
}

static int parse_whole(struct parser *parser, const struct window *w, uint32_t type,
                       uint32_t length, struct pt_msg *m, struct pt_error *err)
{
	struct pcapng *p = parser->own;
	switch (type) {
	case PCAPNG_INTERFACE: return add_interface(parser, w, length, err);
	case PCAPNG_SIMPLE: return simple_packet(p, w, length, m, err);
	case PCAPNG_PACKET: return timed_packet(parser, w, load32(p, w->at + 8), length, m, err);
	case PCAPNG_OBSOLETE: return timed_packet(parser, w, load16(p, w->at + 8), length, m, err);
	case PCAPNG_SECTION: begin_section(parser);
	}
	keep(parser, w, type, &length);
	return 0;
}

/* 1: a message; 0: something else was used up; -EAGAIN: more bytes are wanted, or `some` messages
   are to be gone first. */
static int parse_block(struct parser *parser, struct window *w, struct pt_msg *m, bool some,
                       struct pt_error *err)
{
	struct pcapng *p = parser->own;
	uint32_t type = load32(p, w->at);
	bool strange = type != PCAPNG_SECTION && !is_packet(type); /* or a file that begins here */
	int rc = parser->begun && strange ? another_file(w) : 0;
	if (rc)
		return rc;
	if (some && is_kept(type))
		return -EAGAIN;
	rc = type == PCAPNG_SECTION ? check_section(parser, w, err) : 0;
	if (rc)
		return rc;
	uint32_t length = load32(p, w->at + 4), whole = length;
	rc = check_length(w, type, length, err);
	if (rc)
		return rc;
	parser->begun = true;
	if (!is_packet(type) && type != PCAPNG_INTERFACE && (!is_kept(type) || length > KEPT_MAX)) {
		leave_out(parser, w, type, length);
		return 0;
	}
	if (window_left(w) < length) {
		w->want = length;
		return -EAGAIN;
	}
	rc = close_block(p, w, w->at + length - 4, length, w->offset, err);
	if (rc)
		return rc;
	rc = parse_whole(parser, w, type, length, m, err);
	if (rc >= 0)
		window_use(w, whole);
	return rc;
}

static int parse_next(struct parser *parser, struct window *w, struct pt_msg *m, bool some,
                      struct pt_error *err)
{
	w->want = parser->closing ? 4 : PCAPNG_BLOCK;
	if (w->skip || window_left(w) < w->want)
		return -EAGAIN;
	if (!parser->closing)
		return parse_block(parser, w, m, some, err);
	int rc = close_block(parser->own, w, w->at, parser->closing, parser->block_at, err);
	if (rc)
		return rc;
	window_use(w, 4);
	parser->closing = 0;
	return 0;
}

static int parse(struct parser *parser, struct window *w, struct pt_msg **messages, unsigned max,
                 struct pt_error *err)
{
	unsigned n = 0;
	while (n < max || (!parser->begun && max == 0)) {
		struct pt_msg *m = n < max ? messages[n] : NULL;
		int rc = parse_next(parser, w, m, n > 0, n ? NULL : err);
		if (rc == 1)
			n++;
		else if (rc < 0)
			return n || rc == -EAGAIN ? (int)n : rc;
	}
	return (int)n;
}

/* ---- writing ---- */

static void packets(const struct format *f, uint8_t *at, const struct run *run,
                    struct capture_misfits *misfits)
{
	(void)f;
	for (unsigned i = 0; i < run->count; i++) {
		const struct pt_msg *m = run->messages[i];
		uint32_t length = run_captured(run, m);
		misfits->cut += length < m->length;
		at += pcapng_put_packet(at, m, &run->places[i], length);
	}
}

static size_t part(const uint8_t *at, bool *packet)
{
	uint32_t type, length;
	memcpy(&type, at, sizeof type);
	memcpy(&length, at + 4, sizeof length);
	*packet = is_packet(type);
	return length >= PCAPNG_BLOCK && length % 4 == 0 && length <= FORMAT_PART_MAX ? length : 0;
}

static const char *const endings[] = {".pcapng", ".ntar", NULL};

const struct format format_pcapng = {
	.endings = endings,
	.begins = begins,
	.parse = parse,
	.own_size = sizeof(struct pcapng),
	.reset = reset,
	.mixed = true,
	.packets = packets,
	.part = part,
};
