/* SPDX-License-Identifier: BSD-2-Clause */
/* A request while it is carried out: what the methods' functions get. */
#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include "base/workers.h"
#include "daemon/engines.h"
#include "daemon/passed.h"
#include "rpc/call.h"

struct connection;
struct daemon;

/*
 * A request of a client, from its line to its answer. It belongs to the control loop, and to a
 * worker while that reads a long line. Its way, each step a function that returns at once:
 *
 *     connection.c reads a line; reading.c makes a call of it: the method's rows fill in `params`,
 *     and what goes to an engine right where that reads it, in ask.request
 *     call_run: the method's function; where that would only ask the engine, the row says what
 *     ask.c: see ask.h
 *     call_finish; connection.c writes the answer
 *
 * Who finishes it: the method's function, or what that has left word with, once, by call_answer or
 * call_refuse; the call is gone then. Who gives it up: the connection (call_cancel), when nobody
 * hears the answer any more; it is finished all the same, soon.
 */
struct call {
	struct ask ask; /* first: what it asks of an engine */
	struct daemon *daemon;
	struct connection *connection; /* NULL: the connection was given up meanwhile */
	struct rpc_request request;
	struct {
		char *engine, *block, *text, *comment, *name, *type;
		bool start, ephemeral, owned;
		double confirm_s, extend_s;
		bool file;
		int64_t revision, to; /* -1: none was given */
	} params;
	bool is_long; /* the request: a worker reads and frees it */
	struct work freeing;
	int fds[PASSED_MAX]; /* the call closes what is still here in the end */
	int fd_count;
	void *state;    /* the method's own, between its steps */
	unsigned tries; /* so too */
};

struct call *call_new(struct daemon *, struct connection *);

void call_answer(struct call *, json_t *result);              /* takes the reference; NULL: {} */
void call_refuse(struct call *, int code, struct pt_error *); /* takes the faults */
void call_finish(struct call *, int code, json_t *result, struct pt_error *); /* one of the two */

/* An engines_done that answers with what it is given; `call` is the call. */
void call_done(void *call, int code, json_t *result, struct pt_error *);

/* The engine that the params name; NULL: the call has been refused. */
struct engine *call_engine(struct call *);
/* Asks it, for what the params say; NULL for `done` stands for call_done. */
void call_ask(struct call *, enum pt_verb, engines_done *);

/* The engine's faults tell places in what it was asked: "ops[3].from" becomes "$.ops[3].from". */
void call_root_paths(struct pt_error *);

/* Operations that were read out of a text take the place of blocks and links. Borrows. */
void call_set_ops(struct call *, json_t *ops);

/* Who asks, and with which comment, confirm_s. */
struct author call_author(const struct call *);
void call_free(struct call *); /* [any thread] the memory; for reading.c */

/* Gives up waiting: nobody is there to hear the answer. It comes soon all the same. */
void call_cancel(struct call *);

/* Whether somebody will hear the answer. */
bool call_is_heard(const struct call *);

/* Has it carried out: by the method's function, or by asking the engine what its row says. */
void call_run(struct call *);

/* Rows that several methods have: of the engine that one is about, and of why. */
/* clang-format off */
#define CALL_ENGINE \
	{"engine", "The engine's name.", PT_STRING(struct call, params.engine), \
	 .flags = PT_REQUIRED}
#define CALL_COMMENT \
	{"comment", "Why, for the log.", PT_STRING(struct call, params.comment), .fallback = "None"}
/* clang-format on */

/* All methods: NULL-terminated list of tables. */
extern const struct rpc_method *const method_tables[];
extern const struct rpc_method daemon_methods[], engine_methods[], change_methods[],
	block_methods[], file_methods[], type_methods[], events_methods[];

#endif
