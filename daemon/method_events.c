/* SPDX-License-Identifier: BSD-2-Clause */
/* events.subscribe. */
#include "daemon/call.h"
#include "daemon/connection.h"
#include "daemon/daemon.h"
#include "daemon/events.h"

static void subscribe(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	const char *name = call->params.engine;
	int code = 0;
	if (name && !engines_find(call->daemon->engines, name, &err))
		code = err.faults[0].code;
	else
		code = connection_subscribe(call->connection, name, &err);
	if (code) {
		call_refuse(call, code, &err);
		return;
	}
	events_begin(call->daemon->events);
	json_t *result = json_object();
	json_object_set_new(result, "state", engines_state(call->daemon->engines, name));
	call_answer(call, result);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"engine", "Whose events; without it, those of all, also of engines to come.",
	 PT_STRING(struct call, params.engine), .fallback = "None"},
	{0}
};

const struct rpc_method events_methods[] = {
	{
		.name = "events.subscribe",
		.summary = "Tells what is, and from then on what happens",
		.help = "After the answer come notifications `event` {name, time, engine, block?, "
		        "revision?, uid?, pid?, data}: engine.created, engine.destroyed {why?}, "
		        "engine.state {state, why?, file?, differs?}, engine.changed {comment?, "
		        "undoes?, confirm?, ops}, engine.confirmed, engine.taken_back, block.error "
		        "{message}, block.note {message}, block.state {state}, block.dropped "
		        "{dropped: {reason: n}} (at most once a second for each block). Times are "
		        "seconds since 1970.",
		.result = "{state: {engines: [{engine, state, revision, blocks: [{name, type, "
		          "params}], links: [{from, to, canal}]}]}}",
		.role = "viewer",
		.params = params,
		.run = subscribe,
	},
	{0}
};
/* clang-format on */
