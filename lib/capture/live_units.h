/* SPDX-License-Identifier: BSD-2-Clause */
/* The units of a ring that the kernel fills, and whose each of them is. */
#ifndef CAPTURE_LIVE_UNITS_H
#define CAPTURE_LIVE_UNITS_H

#include <linux/if_packet.h>
#include <pipetool/msg.h>
#include <stddef.h>

/*
 * They are counted on and on; the kernel fills one after the other, and finds that which is next
 * given back, or drops what comes. A unit that was entered is lent to the pool as a chunk. When it
 * has been left, and its last message is gone, it is given back: at once, or, while they are kept,
 * when it has been passed, too.
 */
struct live_units {
	int version; /* TPACKET_V2: a unit is a frame, TPACKET_V3: a block */
	size_t unit_size;
	uint32_t count;
	uint8_t *map;
	bool torn; /* some unit is elsewhere than in `map` */
	struct unit *units;
	unsigned lent;
	bool keeps;
	uint64_t passed, unit;  /* before which all were; that is read, or comes next */
	uint32_t taken;         /* of its packets */
	struct pt_chunk *chunk; /* NULL: it has not been entered */
};

/* With version, size and count set; 0 or a negative errno. */
int units_map(struct live_units *, int fd);
void units_unmap(struct live_units *);

uint8_t *unit_at(const struct live_units *, uint64_t unit);
/* Not what was read already, and is not given back yet. */
bool units_is_filled(const struct live_units *, uint64_t unit);
/* The kernel has half of them, or less: the others are filled, or were read and are kept. */
bool units_are_half_full(const struct live_units *);
/* Whether something is, or is being filled and will be handed over whether more comes or not. */
bool units_has_more(const struct live_units *);
void units_lend(struct live_units *, struct pt_pool *); /* that which comes next */
/* Before any is entered: packets in so many of those that come next, where they are filled. */
uint64_t units_ready(const struct live_units *, uint32_t units);
void units_leave_out(struct live_units *, uint32_t units);

void units_leave(struct live_units *); /* does nothing if it has not been entered */

void units_keep(struct live_units *, bool keep); /* while false, all that was left is passed */
void units_pass(struct live_units *, uint64_t unit);
bool units_are_behind(const struct live_units *); /* a good part of them waits to be passed */
/* After units_map, of a ring of an earlier process: what that had left and not given back. */
void units_give_back_rest(struct live_units *);

/* Those that were left and still lent; those lent for so long get memory of their own in place. */
unsigned units_pinned(const struct live_units *);
void units_unpin(struct live_units *, uint64_t older_than_ns);

#endif
