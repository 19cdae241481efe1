/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done with the engines of one host, and how they do afterwards. */
#ifndef FLEET_PLAN_H
#define FLEET_PLAN_H

#include "fleet/folder.h"
#include "fleet/gate.h"

/* What comments of revisions begin with: that fleet made, and of those, that a daemon has made by
   itself, of a folder that it applies. */
#define FLEET_COMMENT "fleet "
#define FLEET_PULLS   FLEET_COMMENT "pulls "

struct plan_step {
	enum plan_what { PLAN_DESTROY, PLAN_CHANGE, PLAN_CREATE } what;
	/* OPEN: to be confirmed; UNSURE: asked for, and not answered. */
	enum plan_fate { PLAN_PLANNED, PLAN_OPEN, PLAN_UNSURE, PLAN_KEPT, PLAN_BACK } fate;
	char *engine;
	const char *text;          /* NULL: of what goes */
	json_int_t revision, made; /* before, and after */
	json_t *plan;              /* operations; NULL: of no change */
	bool stopped;              /* it did not run before, and need not run now */
	/* When it was planned, just before and just after the change, and now. */
	struct gate_counts planned, before, after, now;
};

/* How all of it is to be done. */
struct plan_change {
	const struct gate *gate;
	double confirm_s;
	const char *comment;    /* of this wave */
	const char *taken_back; /* of what goes back */
};

/*
 * Every function here asks the host and waits for the answer: it is for a thread that may. None
 * does anything more with a plan that has failed before (plan_failed): why stands in its `err`.
 */
struct plan {
	/* Asks the host. `params` is taken over; *result is a new reference, and may be NULL. Where
	   there was no answer it sets `missing`, and else takes that back. */
	int (*ask)(struct plan *, const char *method, json_t *params, json_t **result,
	           struct pt_error *);
	const char *host;     /* its name */
	const json_t *labels; /* and what it has of these */
	const struct folder *folder;
	/* What fleet has made and is not in the folder goes; where the host itself `pulls`, what
	   it has made so, and else what an operator has. */
	bool prune, pulls;
	const struct plan_change *change; /* NULL: nothing is to be changed */
	struct pt_error err;
	bool missing;
	json_t *info, *list; /* what daemon.info and engine.list have answered, or NULL */
	struct plan_step *steps;
	size_t count;
};

/* Valid until the next is added. */
struct plan_step *plan_add(struct plan *, enum plan_what, const char *engine);
void plan_fini(struct plan *); /* what was found out and is to be done, and `err` */

/* Whether what asking returned is that there was no answer: a plain errno is of the connection. */
bool plan_is_unanswered(int code);
bool plan_failed(const struct plan *);
/* "create", "change", "destroy". */
const char *plan_word(const struct plan_step *);
/* [{engine, did, state, revision?, plan?}]: a new reference. */
json_t *plan_json(const struct plan *);
/* Whether something is changed that runs, and has to do as well as before. */
bool plan_changes_what_runs(const struct plan *);

typedef void plan_act(struct plan *);

/* Asks engine.list anew, and daemon.info once. */
int plan_look(struct plan *);
/* Looks at it, and tries without doing it what would make its engines what the folder says. */
plan_act plan_make;
plan_act plan_do;
/* What waits to be confirmed goes on waiting, for as long again. */
plan_act plan_renew;
/* Whether all that was changed runs; and, in the end, whether the gate holds, too. */
plan_act plan_watch;
plan_act plan_judge;
plan_act plan_confirm;
/* What was done, if it was, is taken back, also where the host has failed. */
plan_act plan_take_back;

#endif
