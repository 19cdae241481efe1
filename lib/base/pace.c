/* SPDX-License-Identifier: BSD-2-Clause */
/* Not faster than so much a second. */
#include "base/pace.h"

void pace_step(struct pace *p, double wait_ns, uint64_t now)
{
	wait_ns = wait_ns < PACE_FAR_NS ? wait_ns + p->part_ns : PACE_FAR_NS;
	if (p->next_ns + PACE_BEHIND_NS < now)
		p->next_ns = now - PACE_BEHIND_NS;
	p->next_ns += (uint64_t)wait_ns;
	p->part_ns = wait_ns - (double)(uint64_t)wait_ns;
}
