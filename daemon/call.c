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
	type_methods,   events_methods, NULL,
};

struct call *call_new(struct daemon *daemon, struct connection *connection)
{
	struct call *call = must_calloc(1, sizeof *call);
	call->daemon = daemon;
	call->connection = connection;
	return call;
}

static void end(struct call *call, const json_t *result, const struct pt_error *err)
{
	if (call->connection)
		connection_answered(call->connection, call, result, err);
	for (int i = 0; i < call->fd_count; i++)
		close(call->fds[i]);
	reading_forget(call);
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

static void passed_on(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call->ask = NULL;
	call_root_paths(err);
	call_finish(call, code, json_incref(result), err);
}

void call_ask(struct call *call, const char *verb, json_t *params, engines_done *done)
{
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine =
		engines_find(call->daemon->engines, call_text(call, "engine"), &err);
	json_object_del(params, "engine");
	if (engine) {
		int count = call->fd_count;
		call->fd_count = 0;
		call->ask = engines_ask(engine, verb, params, call->fds, count, done, call);
	} else {
		call_refuse(call, err.faults[0].code, &err);
	}
	json_decref(params);
}

void call_pass_on(struct call *call, const char *verb)
{
	call_ask(call, verb, json_copy(call->request.params), passed_on);
}

struct author call_author(const struct call *call)
{
	double confirm_s = 0;
	const json_t *confirm = json_object_get(call->request.params, "confirm_s");
	const struct peer *peer = call->connection ? connection_peer(call->connection) : NULL;
	if (confirm)
		param_seconds_from_json(confirm, &confirm_s);
	return (struct author){.uid = peer ? (int64_t)peer->uid : -1,
	                       .pid = peer ? peer->pid : -1,
	                       .comment = call_text(call, "comment"),
	                       .confirm_s = confirm_s};
}

void call_cancel(struct call *call)
{
	if (call->ask)
		engines_cancel(call->ask);
}

bool call_is_heard(const struct call *call)
{
	return call->connection && !connection_is_gone(call->connection);
}

const char *call_text(const struct call *call, const char *member)
{
	return json_string_value(json_object_get(call->request.params, member));
}

bool call_flag(const struct call *call, const char *member)
{
	return json_is_true(json_object_get(call->request.params, member));
}
