/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts that are changed together: watched for a while, and confirmed or taken back. */
#ifndef FLEET_WAVE_H
#define FLEET_WAVE_H

#include "fleet/plan.h"

#define WAVE_CONFIRM_S 60.0 /* the lease, where nobody says otherwise */
#define WAVE_SOAK_S    10.0
#define WAVE_BEFORE_S  10.0 /* so long at most is counted before the first change */

/* What was changed is a lease, which is renewed when a sixth of it is over. */
struct wave {
	struct plan **plans;
	size_t count, piece; /* so many are done at once */
	double soak_s, confirm_s;
	/* Calls act for each of them. */
	void (*each)(void *arg, struct plan **, size_t count, plan_act *act);
	/* Waits until then, by clock_s. False, at once: all of it is to end. */
	bool (*rest)(void *arg, double until_s);
	void *arg;
	double renewed_s;
};

/* Does what is planned. */
void wave_do(struct wave *);
/* Watches, and judges in the end. Whether it holds; it is confirmed by wave_confirm then, else
   taken back by wave_take_back. */
bool wave_soak(struct wave *);
bool wave_confirm(struct wave *); /* whether all are */
void wave_take_back(struct wave *);

/* "HOST: why" of the first that has failed, or else the words; to be freed. */
char *wave_reason(const struct wave *, const char *otherwise);

#endif
