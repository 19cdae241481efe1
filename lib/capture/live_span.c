/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets and time so far, and what is left of both. */
#include "capture/live_span.h"

#include "base/clock.h"
#include <time.h>

void live_span_begin(struct live_span *s)
{
	s->so_far = (struct live_so_far){0, clock_of_ns(CLOCK_BOOTTIME)};
}

uint64_t live_span_left_ns(const struct live_span *s)
{
	uint64_t whole = (uint64_t)(s->timeout_s * 1e9),
		 gone = clock_of_ns(CLOCK_BOOTTIME) - s->so_far.begun_ns;
	return gone < whole ? whole - gone : 0;
}

bool live_span_is_late(const struct live_span *s)
{
	return s->timeout_s > 0 && !live_span_left_ns(s);
}

bool live_span_is_full(const struct live_span *s)
{
	return s->count && s->so_far.packets >= (uint64_t)s->count;
}

unsigned live_span_room(const struct live_span *s, unsigned max)
{
	uint64_t wanted = s->count ? (uint64_t)s->count - s->so_far.packets : max;
	return wanted < max ? (unsigned)wanted : max;
}
