/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interfaces the reader knows already. */
#include "capture/feed.h"

#include "base/moment.h"
#include "capture/capture.h"
#include "capture/format.h"
#include <stdlib.h>
#include <string.h>

void feed_init(struct feed *f, const char *name, uint16_t plain)
{
	*f = (struct feed){.name = must_strdup(name), .plain = plain, .link_type = -1};
	f->map.name = f->name;
	f->map.application = "pipetoold";
	f->map.one_section = true;
}

void feed_fini(struct feed *f)
{
	mapping_fini(&f->map);
	free(f->name);
	free(f->counts);
	*f = (struct feed){0};
}

/* The numbers of interfaces are those of their descriptions in the stream, so what is only lost is
   described when the loss is told. */
static void describe(struct feed *f, struct buf *out)
{
	buf_add(out, f->map.before.data, f->map.before.length);
	buf_clear(&f->map.before);
}

void feed_header(struct feed *f, struct buf *out)
{
	if (f->is_pcap)
		return;
	mapping_head(&f->map);
	describe(f, out);
}

static uint16_t link_type_of(const struct feed *f, const struct pt_msg *m)
{
	return m->link_type < PT_OWN_LINK_TYPES ? m->link_type : f->plain;
}

static struct feed_count *place_of(struct feed *f, const struct pt_msg *m,
                                   struct pcapng_place *place)
{
	uint16_t link_type = link_type_of(f, m);
	int64_t time_ns = m->time_ns ? m->time_ns : moment_now();
	if (!mapping_known(&f->map, m, link_type, time_ns, place))
		mapping_new(&f->map, m, link_type, time_ns, place);
	if (f->count < f->map.count) {
		f->counts = must_realloc(f->counts, f->map.count, sizeof *f->counts);
		while (f->count < f->map.count)
			f->counts[f->count++] = (struct feed_count){0};
	}
	return &f->counts[place->interface];
}

static uint8_t *grow(struct buf *b, size_t size)
{
	uint8_t *at = (uint8_t *)buf_reserve(b, size);
	b->length += size;
	b->data[b->length] = 0;
	return at;
}

static bool pcap_packet(struct feed *f, struct buf *out, const struct pt_msg *m)
{
	const struct format *format = formats[CAPTURE_PCAP_NS];
	uint16_t link_type = link_type_of(f, m);
	struct capture_misfits misfits = {0};
	struct pt_msg *const messages[] = {(struct pt_msg *)(uintptr_t)m};
	struct run run;
	run.messages = messages;
	run.count = 1;
	run.packet_max = link_type_packet_max(link_type);
	if (f->link_type < 0) {
		f->link_type = link_type;
		format->header(format, grow(out, format->header(format, NULL, 0, NULL)), link_type,
		               NULL);
	}
	if (f->link_type != link_type)
		return false;
	format->packets(format, grow(out, format->packet_head + run_captured(&run, m)), &run,
	                &misfits);
	return true;
}

bool feed_packet(struct feed *f, struct buf *out, const struct pt_msg *m)
{
	if (f->is_pcap)
		return pcap_packet(f, out, m);
	struct pcapng_place place;
	place_of(f, m, &place)->packets++;
	uint32_t most = link_type_packet_max(link_type_of(f, m));
	describe(f, out);
	uint32_t captured = m->length < most ? m->length : most;
	pcapng_put_packet(grow(out, pcapng_packet_size(m, &place, captured)), m, &place, captured);
	return true;
}

bool feed_packet_after(struct feed *f, struct buf *out, const struct pt_msg *m, uint64_t lost)
{
	const struct {
		uint16_t code, length;
		uint32_t low, high;
	} option = {PCAPNG_DROPCOUNT, 8, (uint32_t)lost, (uint32_t)(lost >> 32)};
	struct buf told = BUF_INIT;
	struct pt_msg with = *m;
	struct pt_origin none = {.refs = 1};
	if (!lost || f->is_pcap)
		return feed_packet(f, out, m);
	if (m->origin)
		buf_add(&told, m->origin->options, m->origin->size);
	buf_add(&told, &option, sizeof option);
	struct pt_origin *o = must_calloc(1, sizeof *o + told.length);
	*o = m->origin ? *m->origin : none;
	o->size = (uint32_t)told.length;
	memcpy(o->options, told.data, told.length);
	buf_free(&told);
	with.origin = o;
	bool fits = feed_packet(f, out, &with);
	free(o);
	return fits;
}

void feed_lose(struct feed *f, const struct pt_msg *m)
{
	struct pcapng_place place;
	place_of(f, m, &place)->lost++;
}

void feed_tell_lost(struct feed *f, struct buf *out)
{
	for (uint32_t n = 0; n < f->count; n++) {
		struct feed_count *c = &f->counts[n];
		if (c->lost == c->lost_told)
			continue;
		describe(f, out);
		c->lost_told = c->lost;
		pcapng_put_statistics(out, n, mapping_now(&f->map, n), c->packets + c->lost,
		                      c->lost);
	}
}
