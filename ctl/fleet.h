/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts of an inventory, asked side by side. */
#ifndef CTL_FLEET_H
#define CTL_FLEET_H

#include "ctl/ctl.h"
#include "ctl/fleet_jobs.h"
#include "ctl/hosts.h"
#include "fleet/folder.h"

struct fleet_step;
struct fleet_change;

/* One of them: its own connection, used by one thread at a time. */
struct fleet_host {
	struct fleet *fleet;
	const struct host *host;
	struct ctl ctl;
	/* Why it could not be asked (then it is missing), or what it refused; and that it is
	   told. */
	struct pt_error err;
	bool missing, told;
	json_t *info, *list;      /* what daemon.info and engine.list have answered, or NULL */
	struct fleet_step *steps; /* what has to be done there, see fleet_step.h */
	size_t count;
	json_t *result; /* for -j, or NULL */
	struct buf text;
};

struct fleet {
	struct ctl *ctl;
	struct hosts inventory;
	struct fleet_host *hosts; /* those that are meant, in the inventory's order */
	size_t count;
	char *path;                        /* of the folder, absolute; NULL: none was given */
	struct folder folder;              /* what lies in it */
	bool prune;                        /* what fleet has made and is not in the folder goes */
	const struct fleet_change *change; /* see fleet_step.h; NULL: nothing is changed */
	struct jobs *jobs;
	int status; /* the greatest of all so far */
};

/* Reads the inventory (-i), takes of it what --on says, and reads the folder, if there is a path.
   The caller calls fleet_fini in every case. */
int fleet_init(struct fleet *, struct ctl *, const char *path, struct pt_error *);
void fleet_fini(struct fleet *);

/* Calls run(host) for all of these, side by side: [thread of jobs]. */
typedef void fleet_act(struct fleet_host *);
void fleet_each(struct fleet *, struct fleet_host **, size_t count, fleet_act *);
void fleet_each_host(struct fleet *, fleet_act *);

/* [thread of jobs] Asks the host; of a refusal *err tells, the host is `missing` where there was no
   answer, and the next call connects anew. `params` is taken over; *result may be NULL. */
int fleet_ask(struct fleet_host *, const char *method, json_t *params, json_t **result,
              struct pt_error *err);
/* [thread of jobs] Asks engine.list anew, and daemon.info once. */
int fleet_look(struct fleet_host *);

/* Tells what is in `err` of the host, on standard error, and with -j on standard output. */
void fleet_tell_refused(struct fleet_host *);
/* Prints the host's result with -j, else its text, each line with its name before it. */
void fleet_print(struct fleet_host *);
void fleet_raise(struct fleet *, int status);

#endif
