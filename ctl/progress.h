/* SPDX-License-Identifier: BSD-2-Clause */
/* The line that `ptctl run` keeps on a terminal: packets, bytes, rate, percentage, time left. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "base/buf.h"
#include <jansson.h>
#include <stdbool.h>

struct progress {
	double began_s, last_s; /* seconds on the monotonic clock */
	double messages, last_messages;
	double bytes;
	double done, size; /* of the files that are read; size 0: not known */
	double rate;       /* messages a second, smoothed */
	bool shown;
};

void progress_init(struct progress *, double now_s);

/* Takes what engine.show and engine.stats answered. */
void progress_update(struct progress *, const json_t *shown, const json_t *stats, double now_s);

/* "1,234 packets, 1.2 MB, 600/s, 42%, 0:03 left", without newline. */
void progress_line(const struct progress *, double now_s, struct buf *);

#endif
