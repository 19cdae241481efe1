/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live capture: packets of an interface, or of a packet socket that was handed over, where they lie
 * in a ring that the kernel fills (live_ring.h); and by libpcap of what has no packet sockets
 * (live_pcap.h).
 */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include "capture/live_config.h"
#include <pipetool/error.h>
#include <pipetool/msg.h>

struct live;

/* Opens and begins to capture: what comes from now on is buffered by the kernel. May block.
   `trouble`, also of live_resume, is told what there is not for after a crash, and may be NULL. */
int live_open(const struct live_config *, struct live **, struct pt_error *trouble,
              struct pt_error *);
void live_release(struct live *); /* gives back the pool's memory, on the pool's thread, before … */
void live_close(struct live *);   /* … this, on any thread; NULL does nothing */

/* For a capture that goes on. What filter, snaplen and promisc make of it: compiled, and tried on
   the interface, so that whatever would keep it from being opened is told. May block. */
struct live_filter;
int live_filter_new(const struct live_config *, struct live_filter **, struct pt_error *);
void live_filter_free(struct live_filter *); /* NULL does nothing */
/* From one packet to the next, on the reader's thread; what was captured before has passed the old
   filter, and can still be read. A negative errno: the old one stays. */
int live_change(struct live *, const struct live_filter *);
/* From the next packet on. */
void live_set_direction(struct live *, enum live_direction);
/* What came before can still be read, and nothing comes any more, until live_change. */
void live_mute(struct live *);
/* Whether something in the configuration can only be had by opening it anew: the size of the
   buffer, a greater snaplen, immediate, fanout. */
bool live_is_other(const struct live *, const struct live_config *);
/* [any thread] As far as this socket is concerned; `fd` is a duplicate of live_socket. */
void live_set_promisc(int fd, bool promisc);

const char *live_name(const struct live *); /* the interface's, or "socket" */
int live_fd(const struct live *);           /* to be polled for reading */
int live_socket(const struct live *);

/* Up to `max` packets that have come. Returns how many; 0: none now, poll; -ENOMEM: the pool's
   limit; another negative code with words: the interface is gone. Never waits. */
int live_read(struct live *, struct pt_pool *, struct pt_msg **messages, unsigned max,
              struct pt_error *);

/* Whether nothing can come because the interface is down; it may come up again. To be asked when
   the descriptor was readable and nothing came. */
bool live_is_down(const struct live *);
bool live_is_there(const struct live *); /* the interface, up or down */

/*
 * Going on exactly, in another process. What is read stays in the ring until it is passed, so that
 * who has the sockets and the marks reads on from there, whatever becomes of this process. False:
 * there is no ring, but libpcap.
 */
bool live_mark(const struct live *, struct live_marks *);
int live_standby_socket(const struct live *); /* beside live_socket; -1: there is none */
void live_keep(struct live *, bool keep);     /* while false all that is read counts as passed */
void live_pass(struct live *, const struct live_marks *);
/* Whether as much has not been passed that it is time to. */
bool live_is_behind(const struct live *);
/* Takes the sockets, also where it fails. It keeps. */
struct live_fds {
	int ring, standby; /* -1: none */
};
int live_resume(const struct live_config *, const struct live_fds *, const struct live_marks *,
                struct live **, struct pt_error *trouble, struct pt_error *);
/* After that, before anything is read: how many packets wait; and leaves those out that a vector
   comes from, or the block that they are in. Tells how many. */
uint64_t live_waiting(const struct live *);
uint64_t live_leave_out(struct live *);

/* Whether messages that were read hold the kernel's memory; and copies what has been held so long,
   where it lies. On the reader's thread. */
bool live_is_pinned(const struct live *);
void live_unpin(struct live *, uint64_t older_than_ns);

/* Packets that the kernel dropped, and that the pool had no memory for, since the last call. */
void live_lost(struct live *, uint64_t *kernel, uint64_t *memory);

#endif
