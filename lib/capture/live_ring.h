/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of an interface, or of a packet socket, out of a ring that the kernel fills. */
#ifndef CAPTURE_LIVE_RING_H
#define CAPTURE_LIVE_RING_H

#include "capture/live_filter.h"
#include <pipetool/msg.h>

/*
 * The ring (AF_PACKET, packet_mmap) is divided into units: blocks of many packets (TPACKET_V3),
 * which the kernel hands over when they are full or some milliseconds old, or, where each packet
 * is wanted at once, frames (TPACKET_V2). Messages lie where the kernel has put them. A unit goes
 * back to the kernel when the last message that lies in it is gone.
 */
struct live_ring;

int live_ring_open(const struct live_config *, const char *iface, struct live_ring **,
                   struct pt_error *);
int live_ring_resume(const struct live_config *, int fd, const struct live_mark *,
                     struct live_ring **, struct pt_error *);
/* Nothing of the pool's is in the ring any more: messages that still are get a copy. On the pool's
   thread, before live_ring_close on any. */
void live_ring_release(struct live_ring *);
void live_ring_close(struct live_ring *); /* NULL does nothing */

/*
 * What lies in `second` is read with this one's, in the order of their times, but that this one is
 * not left to overflow while a block of the other is still open. It may be folded: it takes none of
 * this process's memory then, which it does again when something has come.
 */
int live_ring_set_second(struct live_ring *, struct live_ring *second);
bool live_ring_is_idle(const struct live_ring *);      /* nothing is in it, nor kept, nor lent */
void live_ring_fold(struct live_ring *);               /* one that is idle */
unsigned live_ring_holds_ms(const struct live_ring *); /* as live_config has it */

/* A filter for what would be opened; nothing is captured. */
int live_ring_compile(const struct live_config *, const char *iface, struct live_filter *,
                      struct pt_error *);
int live_ring_change(struct live_ring *, const struct live_filter *);
void live_ring_set_direction(struct live_ring *, enum live_direction);

int live_ring_fd(const struct live_ring *);     /* to be polled for reading */
int live_ring_socket(const struct live_ring *); /* the packet socket */

/* As live_read. */
int live_ring_read(struct live_ring *, struct pt_pool *, struct pt_msg **messages, unsigned max,
                   struct pt_error *);
bool live_ring_is_down(const struct live_ring *);
uint64_t live_ring_drops(struct live_ring *); /* of the kernel, since the last call */

/* As live_mark, live_keep and live_pass. */
struct live_mark live_ring_mark(const struct live_ring *);
/* After live_ring_resume: what waits in it, and in a second one; and leaves out what a vector comes
   from. */
uint64_t live_ring_waiting(const struct live_ring *);
uint64_t live_ring_leave_out(struct live_ring *);
void live_ring_keep(struct live_ring *, bool keep);
void live_ring_pass(struct live_ring *, uint64_t unit); /* what was before it */
bool live_ring_is_behind(const struct live_ring *);

/* Units that were read and hold messages. Those that have held them for so long get memory of
   their own, at the place where they are: the unit goes back to the kernel. */
unsigned live_ring_pinned(const struct live_ring *);
void live_ring_unpin(struct live_ring *, uint64_t older_than_ns);

#endif
