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

#define CTL_JOBS 64

struct ctl {
	const struct verb *verb;
	json_t *values;     /* by the verb's rows; what was not given is not there */
	const char *socket; /* NULL: the usual place */
	const char *host;   /* of ssh; NULL: this one */
	const char *named;  /* stands before each line that tells what went wrong; NULL: nothing */
	bool json;          /* -j */
	double patience_s;  /* for one answer: $PIPETOOL_TIMEOUT, or 10 s */
	double timeout_s;   /* --timeout, or that */
	double login_s;     /* how long a login on another host may take; 0: as long as it takes */
	int fds[FRAME_FDS_MAX]; /* --fd, and what ptctl opens itself */
	int fd_count;
	char *engine, *block;     /* what the verb's first argument names; NULL: it does not */
	struct pt_client *client; /* opened by the first call */
	bool carries; /* descriptors go to another host, too: the verb ends what uses them */
	struct remote *remote; /* with `host`: what carries all connections; NULL: none yet */
	int way;               /* closed when the daemon is reached; 0: nobody waits for that */
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
/* After no answer came: the next call connects anew. */
void ctl_hang_up(struct ctl *);
/* Connects, so that no time-out counts what the login takes. */
int ctl_connect(struct ctl *, struct pt_error *);
/* A further connection, to wait on or to hear notifications from. */
int ctl_open(struct ctl *, struct pt_client **, struct pt_error *);

/* Has SIGINT, SIGTERM and SIGHUP call it; but who was started with SIGHUP ignored (nohup) is to go
   on without the terminal. */
void ctl_catch(void (*caught)(int signal));

/* Tells what went wrong, on standard error, one line each (and the caret, for pipe text); with -j
   also as a JSON-RPC error on standard output. Clears the error; returns the exit status. */
int ctl_refused(struct ctl *, struct pt_error *);

/* Sets engine and block by the verb's first argument, "lab" or "lab.d1": the block's name is what
   follows the last dot; without a dot it is wrong usage where a block is needed. Where an engine
   alone would do, too, nothing is set yet: its name may have dots. */
int ctl_take_target(struct ctl *, struct pt_error *);
/* Sets them there: `whole` says whether all of it is an engine's name. */
int ctl_split(struct ctl *, bool whole, struct pt_error *);
/* The same, asking the daemon where the text does not tell. */
int ctl_split_any(struct ctl *, struct pt_error *);

/* A new request of the engine and block that the verb is about, and of what its rows send. */
json_t *ctl_params(const struct ctl *);
/* The same of the engine alone. */
json_t *ctl_engine(const struct ctl *);

/* Tells what came of the verb: of a refusal, if there is a code, else the result with -j, or what
   the verb prints. Frees it. Returns the exit status. */
int ctl_end(struct ctl *, int code, json_t *result, struct pt_error *);
/* A verb that is one method. */
int ctl_run_method(struct ctl *);

/* Tells of blocks that have ended, as they should, but what they held has not come where it should:
   whether there are any in the result. */
bool ctl_tell_losses(const json_t *result);

#endif
