/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine's blocks print, and a connection that hears it. */
#ifndef CTL_ATTACH_H
#define CTL_ATTACH_H

#include "ctl/follow.h"

struct attachment {
	bool names, times, json;
	void (*before)(void *arg); /* called before something is printed; or NULL */
	void *arg;
	struct pt_client *client; /* for follow_wait */
	struct buf last;          /* whose line is not finished, with `names` or `times` */
};

/* Of the engine of `ctl`, or its block. Fill in the first members before; the caller calls
   attach_close in every case. */
int attach_open(struct attachment *, struct ctl *, struct pt_error *);
/* Prints all that blocks had printed before now. */
int attach_catch_up(struct attachment *, double timeout_s, struct pt_error *);
void attach_close(struct attachment *);

#endif
