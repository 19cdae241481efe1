/* SPDX-License-Identifier: BSD-2-Clause */
/* [fleet]: this host is kept as a folder of graphs says, by itself. */
#ifndef DAEMON_PULL_H
#define DAEMON_PULL_H

#include <jansson.h>
#include <stdbool.h>

struct conf;
struct pt_engine_limits;
struct mailbox;

/*
 * A thread of its own does what `ptctl fleet apply` does, for one host: it waits until the folder
 * keeps still (pull_read.h), plans, does, watches, and confirms, or takes back (fleet/plan.h,
 * fleet/wave.h). It asks the daemon as any client would, by a connection from within, so nothing
 * here holds up the control loop. What is under way, and came of it, is in the state folder, too:
 * the next daemon takes back what this one has not confirmed.
 *
 * Functions are the control loop's.
 */
struct pull;

/* `connect` gives the end of a connection to this daemon, of its own user, or a negative code; what
   is under way is kept in `folder`, NULL: nowhere. */
struct pull *pull_new(struct mailbox *, const char *folder, int (*connect)(void *arg), void *arg);
/* Settings may be others, or the same: the folder is looked at in any case, and what was taken back
   tried again. */
void pull_configure(struct pull *, const struct conf *);
/* From here on engines are there. */
void pull_begin(struct pull *);

/* {from, state, hash?, applied?, since, why?, engines}: a new reference; NULL: there is no such
   folder. */
json_t *pull_info(struct pull *);
/* Why what lies there is not what runs, to be freed; NULL: it is, or it is seen to. */
char *pull_flaw(struct pull *);

/* The thread is to end, which it does soon, where the file system answers. */
void pull_end(struct pull *);
bool pull_is_over(const struct pull *);
void pull_free(struct pull *); /* where it is not over, it is left to the process's end */

/* --check: whether what lies there can be taken now; what is wrong is logged. */
bool pull_check(const struct conf *, const struct pt_engine_limits *);

#endif
