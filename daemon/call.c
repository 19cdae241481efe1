/* SPDX-License-Identifier: BSD-2-Clause */
/* Beginning and end of a request. */
#include "daemon/call.h"

#include "base/buf.h"
#include "base/error.h"
#include "daemon/connection.h"
#include "daemon/daemon.h"
#include "daemon/reading.h"
#include "type/param.h"
#include <stdlib.h>
#include <unistd.h>

const struct rpc_method *const method_tables[] = {
	daemon_methods, engine_methods, change_methods, block_methods,
	file_methods,   type_methods,   events_methods, NULL,
};

struct call *call_new(struct daemon *daemon, struct connection *connection)
{
	struct call *call = must_calloc(1, sizeof *call);
	call->daemon = daemon;
	call->connection = connection;
	call->ask.request = (struct pt_request)PT_REQUEST_INIT(PT_VERB_SHOW);
	call->params.revision = call->params.to = -1;
	return call;
}

static void end(struct call *call, const json_t *result, const struct pt_error *err)
{
	if (call->connection)
		connection_answered(call->connection, call, result, err);
	for (int i = 0; i < call->fd_count; i++)
		close(call->fds[i]);
	reading_forget(call);
}

void call_free(struct call *call)
{
	if (call->request.method)
		param_release(call->request.method->params, call, NULL);
	ask_clear(&call->ask);
	rpc_request_clear(&call->request);
	free(call);
}

void call_answer(struct call *call, json_t *result)
{
	end(call, result, NULL);
	json_decref(result);
}

void call_refuse(struct call *call, int code, struct pt_error *err)
{
	if (!err->count)
		pt_fail(err, code, NULL, "%s", error_words(code));
	end(call, NULL, err);
	pt_error_clear(err);
}

void call_finish(struct call *call, int code, json_t *result, struct pt_error *err)
{
	if (code) {
		json_decref(result);
		call_refuse(call, code, err);
	} else {
		call_answer(call, result);
	}
}

void call_root_paths(struct pt_error *err)
{
	for (size_t i = 0; err && i < err->count; i++) {
		char *path = err->faults[i].path;
		if (!path || *path == '$')
			continue;
		err->faults[i].path = must_printf("$%s%s", *path == '[' ? "" : ".", path);
		free(path);
	}
}

void call_done(void *arg, int code, json_t *result, struct pt_error *err)
{
	call_root_paths(err);
	call_finish(arg, code, json_incref(result), err);
}

struct engine *call_engine(struct call *call)
{
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine = engines_find(call->daemon->engines, call->params.engine, &err);
	if (!engine)
		call_refuse(call, err.faults[0].code, &err);
	return engine;
}

void call_ask(struct call *call, enum pt_verb verb, engines_done *done)
{
	call->ask.request.verb = verb;
	struct engine *engine = call_engine(call);
	if (engine)
		ask_put(&call->ask, engine, done ? done : call_done, call);
}

void call_run(struct call *call)
{
	const struct rpc_method *method = call->request.method;
	if (method->run)
		method->run(call);
	else
		call_ask(call, (enum pt_verb)method->verb, NULL);
}

void call_set_ops(struct call *call, json_t *ops)
{
	struct pt_request *r = &call->ask.request;
	json_incref(ops);
	json_decref(r->ops);
	json_decref(r->blocks);
	json_decref(r->links);
	r->ops = ops;
	r->blocks = r->links = NULL;
}

struct author call_author(const struct call *call)
{
	const struct peer *peer = call->connection ? connection_peer(call->connection) : NULL;
	bool known = peer && peer->pid != getpid(); /* else the daemon itself asks */
	return (struct author){.uid = known ? (int64_t)peer->uid : -1,
	                       .pid = known ? peer->pid : -1,
	                       .comment = call->params.comment,
	                       .confirm_s = call->params.confirm_s,
	                       .owner = call->connection};
}

void call_cancel(struct call *call)
{
	ask_cancel(&call->ask);
}

bool call_is_heard(const struct call *call)
{
	return call->connection && !connection_is_gone(call->connection);
}
