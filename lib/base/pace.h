/* SPDX-License-Identifier: BSD-2-Clause */
/* Not faster than so much a second. */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdint.h>

/* So far it is caught up with: who was held up is not to be much faster afterwards. */
#define PACE_BEHIND_NS UINT64_C(100000000)
/* What is further off is so: some thirty years. */
#define PACE_FAR_NS 1e18

struct pace {
	uint64_t next_ns; /* when the next one may go */
	double part_ns;   /* and a part of a nanosecond */
};

/* One has gone at `now`, and the next may so much later. */
void pace_step(struct pace *, double wait_ns, uint64_t now);

#endif
