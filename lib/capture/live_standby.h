/* SPDX-License-Identifier: BSD-2-Clause */
/* A second ring, for what comes while nobody reads. */
#ifndef CAPTURE_LIVE_STANDBY_H
#define CAPTURE_LIVE_STANDBY_H

#include "capture/live_ring.h"

/*
 * So that a packet comes after 2 ms, the kernel hands a block of the ring over each 2 ms, however
 * little is in it: a ring whose process has ended is used up in a second by a slow link. So another
 * ring stands by, as large, whose blocks wait until all of them last for LIVE_STANDBY_MS. It takes
 * the ring's place the moment that the process ends, whatever ends it, since the kernel does that:
 * the sockets of both and a third, which nobody else has and which goes with the process, are a
 * group (PACKET_FANOUT), and which of them a packet is for follows from how many there are.
 */
struct live_standby;

#define LIVE_STANDBY_MS 12000

/* Beside a ring that was just opened, of what it is for, in the interface's namespace. NULL: the
   ring lasts so long by itself, or there can be none, as where it is in a group of the user's; or
   it could not be had, which `trouble` tells. */
struct live_standby *live_standby_open(const struct live_config *, const char *iface,
                                       struct live_ring *, struct pt_error *trouble);
/* Of an earlier process, beside its ring. Takes the socket, also where it fails: NULL. `trouble`
   tells that, and what else is not as it was. */
struct live_standby *live_standby_resume(const struct live_config *, int fd,
                                         const struct live_mark *, struct live_ring *,
                                         struct pt_error *trouble);
void live_standby_close(struct live_standby *); /* NULL does nothing */

struct live_ring *live_standby_ring(struct live_standby *); /* which its ring reads; NULL of NULL */
/* When something of it has been passed: it takes no memory of this process while it stands by. */
void live_standby_rest(struct live_standby *);

#endif
