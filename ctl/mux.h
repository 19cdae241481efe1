/* SPDX-License-Identifier: BSD-2-Clause */
/* Many connections to a daemon, and descriptors that go with requests, over one pair of
   descriptors. */
#ifndef CTL_MUX_H
#define CTL_MUX_H

#include <pipetool/error.h>
#include <stdbool.h>

/*
 * The near side is ptctl on the user's machine, the far side `ptctl proxy --many` beside the
 * daemon. The near side opens connections; each is a socket on both sides. A descriptor that is
 * sent over one stays where it is: the far side hands the daemon one end of a pipe (of a socket
 * pair for what is a socket), and the bytes are carried. Each channel has a window, so one that
 * nobody reads holds up no other. When `in` ends, everything that is open on this side is closed.
 *
 * On the wire: the far side begins with MUX_GREETING (what a shell prints before that is skipped),
 * then frames both ways: kind, mode and two zeros (a byte each), channel and length (32 bits each,
 * little endian), then that many bytes.
 *
 * A mux is used by the thread that runs it; mux_open, mux_drain, mux_end and mux_has_ended are for
 * one other.
 */
#define MUX_GREETING "\npipetool proxy 1\n"

struct mux;

/* `dial` makes it the far side: a connection to the daemon, or a negative code and the fault. NULL:
   there is no descriptor left; errno says so, and `in` and `out` stay the caller's. */
struct mux *mux_new(int in, int out, int (*dial)(void *arg, struct pt_error *), void *arg);
void mux_free(struct mux *); /* after its run; closes `in` and `out` */

/* Until `in` ends, or mux_end. */
void mux_run(struct mux *);

/* [near side] A connection to the daemon: waits until it stands, or cannot, or for so long, if that
   is not 0. -EPIPE, without a fault: the far side has ended, or the time is over. */
int mux_open(struct mux *, unsigned patience_s, int *fd, struct pt_error *);
bool mux_has_ended(struct mux *);
/* Waits until all that the daemon has written into carried descriptors is written here. */
void mux_drain(struct mux *);
void mux_end(struct mux *);

#endif
