/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts of an inventory, asked side by side. */
#ifndef CTL_FLEET_H
#define CTL_FLEET_H

#include "ctl/ctl.h"
#include "ctl/fleet_jobs.h"
#include "ctl/hosts.h"
#include "fleet/plan.h"

/* One of them: its own connection, used by one thread at a time. */
struct fleet_host {
	struct fleet *fleet;
	const struct host *host;
	struct ctl ctl;
	struct plan plan; /* what has to be done there; why it could not be asked, or refused */
	bool told;        /* that it was refused */
	json_t *result;   /* for -j, or NULL */
	struct buf text;
};

struct fleet {
	struct ctl *ctl;
	struct hosts inventory;
	struct fleet_host *hosts; /* those that are meant, in the inventory's order */
	size_t count;
	char *path;           /* of the folder, absolute; NULL: none was given */
	struct folder folder; /* what lies in it */
	struct jobs *jobs;
	int status; /* the greatest of all so far */
};

/* Reads the inventory (-i), takes of it what --on says, and reads the folder, if there is a path.
   The caller calls fleet_fini in every case. */
int fleet_init(struct fleet *, struct ctl *, const char *path, struct pt_error *);
void fleet_fini(struct fleet *);

/* Calls it for all of these, or all hosts, side by side: [thread of jobs]. */
void fleet_each(struct fleet *, struct plan **, size_t count, plan_act *);
void fleet_each_host(struct fleet *, plan_act *);
struct fleet_host *fleet_host_of(struct plan *);
/* What is to be done with all of them from now on; NULL: nothing. */
void fleet_set_change(struct fleet *, const struct plan_change *);

/* Tells what is in `err` of the host, on standard error, and with -j on standard output. */
void fleet_tell_refused(struct fleet_host *);
/* Prints the host's result with -j, else its text, each line with its name before it. */
void fleet_print(struct fleet_host *);
void fleet_raise(struct fleet *, int status);

#endif
