/* SPDX-License-Identifier: BSD-2-Clause */
/* A request while it is carried out: what the methods' functions get. */
#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include "daemon/engines.h"
#include "daemon/passed.h"
#include "rpc/call.h"

struct connection;
struct daemon;

/* Belongs to the control loop. A method's function answers once, at once or later, by call_answer
   or call_refuse; the call is gone then. */
struct call {
	struct daemon *daemon;
	struct connection *connection; /* NULL: the connection was given up meanwhile */
	struct rpc_request request;
	bool is_long;        /* the request: a worker reads and frees it */
	int fds[PASSED_MAX]; /* the call closes what is still here in the end */
	int fd_count;
	struct ask *ask; /* of an engine: what the call waits for and can be given up; or NULL */
	void *state;     /* the method's own, between its steps */
	unsigned tries;  /* so too */
};

struct call *call_new(struct daemon *, struct connection *);

void call_answer(struct call *, json_t *result);              /* takes the reference; NULL: {} */
void call_refuse(struct call *, int code, struct pt_error *); /* takes the faults */
void call_finish(struct call *, int code, json_t *result, struct pt_error *); /* one of the two */

/* Asks the engine that the params name, for what they say beside its name, and answers with what it
   answers: a whole method, for most. */
void call_pass_on(struct call *, const char *verb);

/* The same with other params, which are taken over, and a function of the method's own that ends
   the call; it sets call->ask to NULL first. */
void call_ask(struct call *, const char *verb, json_t *params, engines_done *);

/* The engine's faults tell places in what it was asked: "ops[3].from" becomes "$.ops[3].from". */
void call_root_paths(struct pt_error *);

/* Who asks, and with which comment, confirm_s. */
struct author call_author(const struct call *);

/* Gives up waiting: nobody is there to hear the answer. It comes soon all the same. */
void call_cancel(struct call *);

/* Whether somebody will hear the answer. */
bool call_is_heard(const struct call *);

const char *call_text(const struct call *, const char *member); /* of the params; NULL: not there */
bool call_flag(const struct call *, const char *member);

/* All methods: NULL-terminated list of tables. */
extern const struct rpc_method *const method_tables[];
extern const struct rpc_method daemon_methods[], engine_methods[], change_methods[],
	block_methods[], type_methods[], events_methods[];

#endif
