/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock that is never set. */
#include "base/clock.h"

#include <time.h>

double clock_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
