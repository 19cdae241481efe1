/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of ptctl: what was typed, the connection to the daemon, and how errors are told. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "ctl/verb.h"
#include "rpc/frame.h"
#include <pipetool/client.h>
#include <pipetool/error.h>
#include <stdbool.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_TIMEOUT = 4,
	EXIT_NOT_FOUND = 6,
	EXIT_DIFFERS = 9,
	EXIT_INTERRUPTED = 130,
};

#define CTL_TIMEOUT_S 10.0

struct ctl {
	const struct verb *verb;
	json_t *values;     /* by the verb's rows; what was not given is not there */
	const char *socket; /* NULL: the usual place */
	const char *host;   /* of ssh; NULL: this one */
	bool json;          /* -j */
	double timeout_s;
	int fds[FRAME_FDS_MAX]; /* --fd, and what ptctl opens itself */
	int fd_count;
	struct pt_client *client; /* opened by the first call */
	bool carries; /* descriptors go to another host, too: the verb ends what uses them */
	struct remote *remote; /* with `host`: what carries all connections; NULL: none yet */
};

/* What was typed. */
const char *ctl_text(const struct ctl *, const char *name); /* NULL: not given */
bool ctl_flag(const struct ctl *, const char *name);
const json_t *ctl_many(const struct ctl *, const char *name); /* an array, or NULL */

/* Asks the daemon, and connects first if need be. `params` is taken over. *result is a new
   reference. 0, or a negative code with the refusal in `err`. */
int ctl_call(struct ctl *, const char *method, json_t *params, json_t **result, struct pt_error *);
/* The same with a time-out of its own. */
int ctl_call_within(struct ctl *, const char *method, json_t *params, double timeout_s,
                    json_t **result, struct pt_error *);
/* The same for what takes the descriptors of --fd. */
int ctl_call_with_fds(struct ctl *, const char *method, json_t *params, json_t **result,
                      struct pt_error *);
/* Connects, so that no time-out counts what the login takes. */
int ctl_connect(struct ctl *, struct pt_error *);
/* A further connection, to wait on or to hear notifications from. */
int ctl_open(struct ctl *, struct pt_client **, struct pt_error *);

/* --ready, of verbs that listen: one line on standard error as soon as nothing can be missed any
   more, for scripts to wait for. */
#define CTL_READY                                                                              \
	{                                                                                      \
		.name = "ready", .doc = "Say 'attached' on standard error once it has begun.", \
		.kind = PT_KIND_BOOL, .flags = PT_OPTION                                       \
	}
void ctl_tell_ready(const struct ctl *);

/* Has SIGINT, SIGTERM and SIGHUP call it; but who was started with SIGHUP ignored (nohup) is to go
   on without the terminal. */
void ctl_catch(void (*caught)(int signal));

/* Tells what went wrong, on standard error, one line each (and the caret, for pipe text); with -j
   also as a JSON-RPC error on standard output. Clears the error; returns the exit status. */
int ctl_refused(struct ctl *, struct pt_error *);

/* "lab.d1" → engine and block: the block's name is what follows the last dot. Both are the caller's
   to free. Without a dot it is wrong usage. */
int ctl_split(const char *target, char **engine, char **block, struct pt_error *);
/* For verbs that also take an engine alone: *block is NULL then. Asks the daemon where it cannot
   be told from the text, since an engine's name may have dots too. */
int ctl_split_any(struct ctl *, const char *target, char **engine, char **block, struct pt_error *);

/* Tells of blocks that have ended, as they should, but what they held has not come where it should:
   whether there are any in the result. */
bool ctl_tell_losses(const json_t *result);

/* Calls a method that takes {engine} or {engine, block} of the verb's first argument, and has
   nothing to show. Returns the exit status. */
int ctl_simple_engine(struct ctl *, const char *method);
int ctl_simple_block(struct ctl *, const char *method);

#endif
