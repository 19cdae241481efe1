/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection that hears what an engine's blocks print. */
#ifndef CTL_ATTACH_H
#define CTL_ATTACH_H

#include "base/buf.h"
#include "ctl/ctl.h"

struct attachment {
	bool names, json;
	void (*before)(void *arg); /* called before something is printed; or NULL */
	void *arg;
	struct pt_client *client;
	struct buf last; /* whose line is not finished, with `names` */
};

/* `block` may be NULL. Fill in the first members before; the caller calls attach_close in every
   case. */
int attach_open(struct attachment *, struct ctl *, const char *engine, const char *block,
                struct pt_error *);
/* Prints what comes: returns after something came, a signal, or the time. -EPIPE when the daemon
   has closed the connection. */
int attach_wait(struct attachment *, double timeout_s, struct pt_error *);
/* Prints all that blocks had printed before now. */
int attach_catch_up(struct attachment *, double timeout_s, struct pt_error *);
void attach_close(struct attachment *);

#endif
