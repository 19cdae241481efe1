/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done with one engine on one host, and how it does afterwards. */
#ifndef CTL_FLEET_STEP_H
#define CTL_FLEET_STEP_H

#include "ctl/fleet.h"
#include "fleet/gate.h"

/*
 * Every function here is for a thread of jobs, asks one host, and does nothing more with one that
 * has failed before (fleet_failed): why stands in its `err`.
 */
struct fleet_step {
	enum fleet_do { FLEET_DESTROY, FLEET_CHANGE, FLEET_CREATE } what;
	/* OPEN: to be confirmed; UNSURE: asked for, and not answered. */
	enum fleet_fate { FLEET_PLANNED, FLEET_OPEN, FLEET_UNSURE, FLEET_KEPT, FLEET_BACK } fate;
	char *engine;
	const char *text;          /* NULL: of what goes */
	json_int_t revision, made; /* before, and after */
	json_t *plan;              /* operations; NULL: of no change */
	bool stopped;              /* it did not run before, and need not run now */
	/* When it was planned, just before and just after the change, and now. */
	struct gate_counts planned, before, after, now;
};

/* What is to be done with all of them: `change` of the fleet. */
struct fleet_change {
	const struct gate *gate;
	double confirm_s;
	const char *comment;    /* of this wave */
	const char *taken_back; /* of what goes back */
};

/* Valid until the next is added. */
struct fleet_step *fleet_step_add(struct fleet_host *, enum fleet_do, const char *engine);

/* Looks at the host, and tries without doing it what would make its engines what the folder
   says. */
void fleet_plan(struct fleet_host *);
void fleet_steps_free(struct fleet *); /* of all hosts */
/* "create", "change", "destroy". */
const char *fleet_step_word(const struct fleet_step *);
/* [{engine, did, state, revision?, plan?}]: a new reference. */
json_t *fleet_steps_json(const struct fleet_host *);

bool fleet_failed(const struct fleet_host *);

void fleet_do(struct fleet_host *);
/* What waits to be confirmed goes on waiting, for as long again. */
void fleet_renew(struct fleet_host *);
/* Whether all that was changed runs; and, in the end, whether the gate holds, too. */
void fleet_watch(struct fleet_host *);
void fleet_judge(struct fleet_host *);
void fleet_confirm(struct fleet_host *);
/* What was done, if it was, is taken back, also where the host has failed. */
void fleet_take_back(struct fleet_host *);

#endif
