/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interfaces the reader knows already. */
#include "capture/feed.h"

#include "base/moment.h"
#include "capture/capture.h"
#include <stdlib.h>

void feed_init(struct feed *f, const char *name, uint16_t plain)
{
	*f = (struct feed){.name = must_strdup(name), .plain = plain};
}

void feed_fini(struct feed *f)
{
	free(f->name);
	free(f->interfaces);
	*f = (struct feed){0};
}

void feed_header(struct buf *out)
{
	capture_pcapng_header(out, "pipetoold");
}

static uint16_t type_of(const struct feed *f, const struct pt_msg *m)
{
	return pt_msg_is_packet(m) ? m->link_type : f->plain;
}

static struct feed_interface *find(const struct feed *f, uint16_t link_type, bool before)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->interfaces[i].link_type == link_type && f->interfaces[i].before == before)
			return &f->interfaces[i];
	return NULL;
}

/* The numbers of interfaces are those of their descriptions in the stream, so what is only lost is
   described when the loss is told. */
static struct feed_interface *add(struct feed *f, uint16_t link_type, bool before)
{
	f->interfaces = must_realloc(f->interfaces, f->count + 1, sizeof *f->interfaces);
	f->interfaces[f->count] = (struct feed_interface){.link_type = link_type, .before = before};
	return &f->interfaces[f->count++];
}

static void describe(struct feed *f, struct buf *out)
{
	for (; f->described < f->count; f->described++) {
		const struct feed_interface *i = &f->interfaces[f->described];
		capture_pcapng_interface(out, i->link_type, f->name, i->before);
	}
}

static struct feed_interface *interface_of(struct feed *f, const struct pt_msg *m)
{
	uint16_t link_type = type_of(f, m);
	bool before = m->time_ns < 0;
	struct feed_interface *known = find(f, link_type, before);
	return known ? known : add(f, link_type, before);
}

void feed_packet(struct feed *f, struct buf *out, const struct pt_msg *m)
{
	struct feed_interface *i = interface_of(f, m);
	uint32_t most = link_type_packet_max(i->link_type);
	describe(f, out);
	i->packets++;
	capture_pcapng_packet(out, (uint32_t)(i - f->interfaces), m,
	                      m->time_ns ? m->time_ns : moment_now(),
	                      m->length < most ? m->length : most);
}

void feed_lose(struct feed *f, const struct pt_msg *m)
{
	interface_of(f, m)->lost++;
}

void feed_tell_lost(struct feed *f, struct buf *out)
{
	for (uint32_t n = 0; n < f->count; n++) {
		struct feed_interface *i = &f->interfaces[n];
		if (i->lost == i->lost_told)
			continue;
		describe(f, out);
		i->lost_told = i->lost;
		capture_pcapng_statistics(out, n, i->before, moment_now(), i->packets + i->lost,
		                          i->lost);
	}
}
