/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON-RPC 2.0: a line to a checked call, and answers to lines; the same tables describe them. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <pipetool/param.h>

/* A method: the table that checks the request, and tells rpc.discover and the manual about it. */
struct rpc_method {
	const char *name;    /* "engine.create" */
	const char *summary; /* one line, without full stop */
	const char *help;    /* more, or NULL */
	const char *result;  /* what the answer holds, as `{revision, plan}`; for people */
	const char *role;    /* who may: "viewer", "operator" or "admin" */
	const struct pt_param *params; /* ends with a row without a name; NULL: none */
	void (*run)(void *call);       /* the program's own; or NULL, and … */
	int verb;                      /* … what is asked of somebody else, who has the answer */
};

/* One request, as it was read. */
struct rpc_request {
	json_t *id;                      /* NULL: a notification, not to be answered */
	const struct rpc_method *method; /* NULL: see `err` */
	json_t *params; /* an object, checked against method->params; never NULL if method is set */
	int fds;        /* "fds": how many descriptors it says it passes */
};

/* Where to look a method up: NULL-terminated list of tables, each ending with a nameless row. */
typedef const struct rpc_method *const *rpc_tables;

/* Reads one line. Refuses what is not UTF-8, NUL and \u0000, nesting deeper than 64, repeated
   members, what is not an object (a batch: with the hint to use engine.change), unknown members,
   positional params, unknown methods (with the nearest name), and params that the method's rows do
   not take; paths begin with "$" for params. On failure the id is what could be read of it (else
   json_null()), so that the answer finds its request; a notification that fails has no id and is
   not answered, but what is not a request at all is, with id null.
   The caller calls rpc_request_clear in every case. */
int rpc_read(const char *line, size_t length, rpc_tables, struct rpc_request *, struct pt_error *);
void rpc_request_clear(struct rpc_request *);

const struct rpc_method *rpc_find(rpc_tables, const char *name); /* or NULL */

/* Lines, with their newline, added to the buffer. `result` is borrowed; NULL stands for {}. */
void rpc_write_result(struct buf *, const json_t *id, const json_t *result);
void rpc_write_error(struct buf *, const json_t *id, const struct pt_error *);
void rpc_write_notification(struct buf *, const char *method, const json_t *params);
/* The same with params that are text already, on one line. */
void rpc_write_notification_text(struct buf *, const char *method, const char *params,
                                 size_t length);
void rpc_write_request(struct buf *, json_int_t id, const char *method, const json_t *params,
                       int fds);

/* {code, message, data: {kind, path?, value?, allowed?, hint?, errors?}}: data is of the first
   fault, and `errors` lists all where there are several. A new reference. And back. */
json_t *rpc_error_to_json(const struct pt_error *);
void rpc_error_from_json(const json_t *, struct pt_error *);

/* The OpenRPC 1.2 document of the tables: required parameters first. A new reference. */
json_t *rpc_discover(rpc_tables, const char *title, const char *version);

/* Text → JSON under the same strict rules (for configuration, state, ptctl call). */
int rpc_json_parse(const char *text, size_t length, json_t **, struct pt_error *);

#endif
