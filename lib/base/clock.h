/* SPDX-License-Identifier: BSD-2-Clause */
/* What clocks say: that which is never set, for how long something takes and until when one waits,
   and others. The time of day is moment_now's. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_of_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_ns(void)
{
	return clock_of_ns(CLOCK_MONOTONIC);
}

static inline double clock_s(void)
{
	return (double)clock_ns() / 1e9;
}

static inline long clock_ms(void)
{
	return (long)(clock_ns() / 1000000);
}

/* Sleeps; a signal that is taken ends it. */
static inline void clock_rest(double s)
{
	struct timespec time = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
	nanosleep(&time, NULL);
}

#endif
