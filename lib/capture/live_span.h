/* SPDX-License-Identifier: BSD-2-Clause */
/* How much is captured until that ends: so many packets, so long. */
#ifndef CAPTURE_LIVE_SPAN_H
#define CAPTURE_LIVE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

struct live_span {
	int64_t count;    /* 0: any number */
	double timeout_s; /* 0: for ever */
	struct live_so_far {
		uint64_t packets, begun_ns; /* on the clock that goes on while the machine sleeps */
	} so_far;
};

void live_span_begin(struct live_span *); /* now, and nothing has come so far */
/* Of one with a timeout. */
uint64_t live_span_left_ns(const struct live_span *);
bool live_span_is_late(const struct live_span *); /* false without a timeout */
bool live_span_is_full(const struct live_span *);
unsigned live_span_room(const struct live_span *, unsigned max); /* for packets, up to `max` */

#endif
