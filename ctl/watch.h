/* SPDX-License-Identifier: BSD-2-Clause */
/* What is shown again and again, until Ctrl-C. */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "base/buf.h"
#include "ctl/ctl.h"

/* One look: what is to be shown; with -j it prints for itself. Since the last one, in seconds: 0 at
   first. */
typedef int watch_look(struct ctl *, void *arg, double since_s, struct buf *, struct pt_error *);

/* Once, or, with --watch, every second or as often as --delay says: on a terminal in the same
   place. Returns the exit status. */
int watch(struct ctl *, watch_look *, void *arg);

#endif
