/* SPDX-License-Identifier: BSD-2-Clause */
/* What pull.c and pull_apply.c share. */
#ifndef DAEMON_PULL_INSIDE_H
#define DAEMON_PULL_INSIDE_H

#include "base/mailbox.h"
#include "fleet/folder.h"
#include <pipetool/client.h>
#include <pthread.h>

struct pull {
	struct mailbox *mailbox;
	int (*connect)(void *arg); /* see pull_new */
	void *arg;
	char *file; /* where the status is kept; NULL: nowhere */
	pthread_t thread;
	bool begun, has_thread, is_over;
	struct pt_letter join, over;
	int wake; /* an eventfd: something of what follows is another */
	pthread_mutex_t lock;
	pthread_cond_t answered; /* join was */

	/* under the lock: */
	json_t *settings; /* {from, key, labels: {}, gate, soak_s, prune} */
	bool called;      /* it is to be looked at, whatever it was before */
	bool ends;
	json_t *status; /* as pull_info, and the comment of what is to be confirmed: open */
	int fd;         /* the connection's end, while it is in use; -1: there is none */
	bool has_joined;

	/* the thread's own */
	struct pt_client *client; /* NULL: not connected */
};

/* ---- pull.c: [thread of pull] ---- */
bool pull_ends(struct pull *);
/* Waits until then, by clock_s; false, at once: it ends. For struct wave. */
bool pull_rest(void *pull, double until_s);
/* Connects, if it is not; and ends the connection. */
int pull_connect(struct pull *, struct pt_error *);
void pull_hang_up(struct pull *);

/* A copy, a new reference. */
json_t *pull_status(struct pull *);
/* Takes `more` in among the status: null takes a member out. It is kept, if something differs. */
int pull_set(struct pull *, json_t *more);
/* The same of a state, with since when, and what lay there by its hash, which is NULL where that is
   not known; `why` may be NULL, too. Whether it is another. */
bool pull_set_state(struct pull *, const char *state, const char *hash, const char *why);
/* Nothing was changed: tells why, and lets it stand in the status. */
void pull_refuse(struct pull *, const char *from, const char *hash, const struct pt_error *);

/* ---- pull_apply.c: [thread of pull] ---- */
/* Makes the host what the folder says. `called`: also if just that was taken back before. Whether
   it is to be tried again. */
bool pull_apply(struct pull *, const json_t *settings, const struct folder *, bool called);
/* Takes back what an earlier daemon has left open. */
void pull_recover(struct pull *, const char *comment);

#endif
