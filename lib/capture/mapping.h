/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interface of a pcapng that is written a message's own is, and what has to stand before. */
#ifndef CAPTURE_MAPPING_H
#define CAPTURE_MAPPING_H

#include "capture/pcapng_block.h"

/*
 * What came in beside packets goes out before the first packet that follows it: interfaces, names,
 * secrets, statistics, as they were. Where sections have the same interfaces, all of them, these
 * are the same in what is written, too, as mergecap does; else each section has its own. A section
 * that follows another one of the same file begins a section. An interface is another one, of
 * nanoseconds, for packets that its own clock or snapshot length cannot tell, and for other link
 * types.
 */
struct mapping {
	const char *name, *application; /* of interfaces that are unknown; of a section; or NULL */
	bool one_section;               /* also where another one of the same file begins */
	bool headed;
	struct mapped *interfaces; /* in the order of their numbers */
	uint32_t count, room, last;
	struct mapped_again { /* the last one that was found, for those that come after it */
		const struct section *section; /* NULL: of what came from nowhere */
		uint32_t number, seen, interface;
		uint32_t snaplen;
		uint16_t link_type;
		bool found;
		struct pcapng_clock clock;
	} again;
	struct mapped_section *sections;
	uint32_t section_count;
	struct buf before; /* what is to be written first, and then cleared */
};

void mapping_fini(struct mapping *); /* one that is all zero is fine */
/* Another file is begun. */
void mapping_reset(struct mapping *);

/* What begins the file, if it has not begun: in `before`. */
void mapping_head(struct mapping *);
/* An interface of that link type, whether or not a packet comes. */
void mapping_describe(struct mapping *, uint16_t link_type);
/* What came behind the last packet. May be called on another thread than the others. */
void mapping_finish(struct mapping *);

bool mapping_look(struct mapping *, const struct pt_msg *, uint16_t link_type, int64_t time_ns,
                  struct pcapng_place *);

static inline bool mapping_is_again(const struct mapped_again *a, const struct pt_msg *m)
{
	const struct pt_origin *o = m->origin;
	if (!origin_is_known(o) || !a->section)
		return !origin_is_known(o) && !a->section;
	return o->section == a->section && o->number == a->number && !o->untimed &&
	       a->section->count == a->seen;
}

/* Where the message stands, as a packet of that link type and time. False: something has to be
   written before it, and mapping_new is to be asked. */
static inline bool mapping_known(struct mapping *m, const struct pt_msg *msg, uint16_t link_type,
                                 int64_t time_ns, struct pcapng_place *place)
{
	const struct mapped_again *a = &m->again;
	if (!a->found || !mapping_is_again(a, msg) || a->link_type != link_type ||
	    (a->snaplen && msg->length > a->snaplen) ||
	    !pcapng_units(&a->clock, time_ns, &place->units))
		return mapping_look(m, msg, link_type, time_ns, place);
	place->interface = a->interface;
	place->simple = false;
	return true;
}
void mapping_new(struct mapping *, const struct pt_msg *, uint16_t link_type, int64_t time_ns,
                 struct pcapng_place *);

/* As of now, in the interface's own clock. */
uint64_t mapping_now(const struct mapping *, uint32_t interface);

#endif
