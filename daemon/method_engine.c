/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.*: engines as a whole, and their graphs. */
#include "base/buf.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include <stdlib.h>
#include <string.h>

static const char *const canals[] = {"low", "high", "trigger", NULL};

static void engine_start(void *call)
{
	call_pass_on(call, "start");
}

static void engine_stop(void *call)
{
	call_pass_on(call, "stop");
}

static void engine_show(void *call)
{
	call_pass_on(call, "show");
}

static void engine_change(void *call)
{
	call_pass_on(call, "change");
}

static void engine_stats(void *call)
{
	call_pass_on(call, "stats");
}

static void engine_graph(void *call)
{
	call_pass_on(call, "graph");
}

static void engine_list(void *arg)
{
	struct call *call = arg;
	json_t *result = json_object();
	json_object_set_new(result, "engines", engines_list(call->daemon->engines));
	call_answer(call, result);
}

/* ---- create and destroy ---- */

static json_t *ops_of(const json_t *params)
{
	static const char *const members[] = {"blocks", "links"}, *const names[] = {"add", "link"};
	json_t *ops = json_array();
	for (int kind = 0; kind < 2; kind++) {
		size_t i;
		json_t *item;
		json_array_foreach (json_object_get(params, members[kind]), i, item) {
			json_t *op = json_copy(item);
			json_object_set_new(op, "op", json_string(names[kind]));
			json_array_append_new(ops, op);
		}
	}
	return ops;
}

/* The caller has given blocks and links: "$.ops[3].from" is "$.links[1].from". */
static void map_paths(struct pt_error *err, size_t blocks)
{
	for (size_t i = 0; err && i < err->count; i++) {
		unsigned long op;
		int length = 0;
		char *path = err->faults[i].path;
		if (!path || sscanf(path, "$.ops[%lu]%n", &op, &length) != 1 || !length)
			continue;
		err->faults[i].path = must_printf("$.%s[%lu]%s", op < blocks ? "blocks" : "links",
		                                  op < blocks ? op : op - blocks, path + length);
		free(path);
	}
}

static void created(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call_root_paths(err);
	map_paths(err, json_array_size(json_object_get(call->request.params, "blocks")));
	call_finish(call, code, NULL, err);
}

static void engine_create(void *arg)
{
	struct call *call = arg;
	json_t *ops = ops_of(call->request.params);
	const struct engine_wish wish = {
		.name = call_text(call, "engine"),
		.ops = ops,
		.start = call_flag(call, "start"),
		.ephemeral = call_flag(call, "ephemeral"),
		.fds = call->fds,
		.fd_count = call->fd_count,
	};
	call->fd_count = 0;
	engines_make(call->daemon->engines, &wish, created, call);
	json_decref(ops);
}

static void destroyed(void *arg, int code, json_t *result, struct pt_error *err)
{
	call_answer(arg, NULL);
}

static void applied(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call->ask = NULL;
	call_root_paths(err);
	map_paths(err, json_array_size(json_object_get(call->request.params, "blocks")));
	call_finish(call, code, json_incref(result), err);
}

static void engine_apply(void *arg)
{
	struct call *call = arg;
	json_t *params = json_copy(call->request.params);
	json_object_set_new(params, "ops", ops_of(params));
	json_object_del(params, "blocks");
	json_object_del(params, "links");
	call_ask(call, "apply", params, applied);
}

static void engine_destroy(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine =
		engines_find(call->daemon->engines, call_text(call, "engine"), &err);
	if (engine)
		engines_destroy(engine, destroyed, call);
	else
		call_refuse(call, err.faults[0].code, &err);
}

/* clang-format off */
#define IF_REVISION {"if_revision", "Refuse if the engine's revision is another one.", PT_KIND_INT, .fallback = "None", .max = -1}
#define DRY_RUN {"dry_run", "Only tell what would be done.", PT_KIND_BOOL, .fallback = "false"}
#define COMMENT {"comment", "Why, for the log.", PT_KIND_STRING, .fallback = "None"}
#define BLOCKS {"blocks", "The blocks, in the order in which they are made.", PT_KIND_LIST, .fallback = "[]", .members = block_rows}
#define LINKS {"links", "The links, in the order of fan-out.", PT_KIND_LIST, .fallback = "[]", .members = link_rows}
#define ENGINE {"engine", "The engine's name.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define NAME   {"name", "The block's name.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define TYPE   {"type", "The block's type.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define PARAMS {"params", "The block's parameters, as its type has them.", PT_KIND_OBJECT, .fallback = "None"}

static const struct pt_param block_rows[] = {NAME, TYPE, PARAMS, {0}};

static const struct pt_param link_rows[] = {
	{"from", "The block that sends.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"to", "The block that receives.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"canal", "Which of its exits, to the same entry.", PT_KIND_CHOICE, .fallback = "low", .choices = canals},
	{0}
};

static const struct pt_param remove_rows[] = {NAME, {0}};

static const struct pt_param set_rows[] = {NAME, PARAMS, {0}};

static const struct pt_param op_rows[] = {
	{"add", "A new block.", PT_KIND_OBJECT, .members = block_rows},
	{"remove", "A block goes, with its links.", PT_KIND_OBJECT, .members = remove_rows},
	{"link", "A new link.", PT_KIND_OBJECT, .members = link_rows},
	{"unlink", "A link goes.", PT_KIND_OBJECT, .members = link_rows},
	{"set", "Other parameters; those that are not given stay.", PT_KIND_OBJECT, .members = set_rows},
	{"replace", "Another block takes the place of one, with its links.", PT_KIND_OBJECT, .members = block_rows},
	{0}
};

static const struct pt_param create_params[] = {
	ENGINE,
	BLOCKS,
	LINKS,
	{"start", "Whether it is started, too.", PT_KIND_BOOL, .fallback = "false"},
	{"ephemeral", "Not to be kept over a restart of the daemon.", PT_KIND_BOOL, .fallback = "false"},
	{0}
};

static const struct pt_param change_params[] = {
	ENGINE,
	{"ops", "What to do, in order; all of it or nothing.", PT_KIND_VARIANTS, .flags = PT_REQUIRED, .members = op_rows},
	IF_REVISION,
	DRY_RUN,
	COMMENT,
	{0}
};

static const struct pt_param apply_params[] = {ENGINE, BLOCKS, LINKS, IF_REVISION, DRY_RUN, COMMENT, {0}};

static const struct pt_param stop_params[] = {
	ENGINE,
	{"wait", "Let the sources come to their end first.", PT_KIND_BOOL, .fallback = "false"},
	{"timeout_s", "How long to wait for that; without it, for ever.", PT_KIND_SECONDS, .fallback = "None"},
	{0}
};

static const struct pt_param graph_params[] = {
	ENGINE,
	{"stats", "Write each link's count of messages beside it.", PT_KIND_BOOL, .fallback = "false"},
	{0}
};

static const struct pt_param engine_params[] = {ENGINE, {0}};

const struct rpc_method engine_methods[] = {
	{
		.name = "engine.create",
		.summary = "Makes an engine, with a graph and started if told so",
		.help = "All of it or nothing: if a block is refused, or with `start` the start fails, there is no engine.",
		.result = "{}",
		.role = "admin",
		.params = create_params,
		.run = engine_create,
	}, {
		.name = "engine.destroy",
		.summary = "Stops an engine, flushing its sinks, and forgets it",
		.result = "{}",
		.role = "admin",
		.params = engine_params,
		.run = engine_destroy,
	}, {
		.name = "engine.start",
		.summary = "Starts an engine; one that runs goes on as it is",
		.result = "{state}",
		.role = "operator",
		.params = engine_params,
		.run = engine_start,
	}, {
		.name = "engine.stop",
		.summary = "Stops an engine: sources first, then sinks are flushed",
		.help = "With `wait` the engine drains until every source is exhausted; if the time runs out, it stays draining.",
		.result = "{state}",
		.role = "operator",
		.params = stop_params,
		.run = engine_stop,
	}, {
		.name = "engine.list",
		.summary = "The engines, with their states",
		.result = "{engines: [{engine, state, revision, blocks, links, messages}]}",
		.role = "viewer",
		.run = engine_list,
	}, {
		.name = "engine.show",
		.summary = "An engine's graph and the states of its blocks",
		.result = "{engine, state, revision, blocks: [{name, type, params, state, …}], links: [{from, to, canal}]}",
		.role = "viewer",
		.params = engine_params,
		.run = engine_show,
	}, {
		.name = "engine.change",
		.summary = "Changes an engine's graph, also while it runs: all or nothing, between two messages",
		.result = "{revision, plan}",
		.role = "admin",
		.params = change_params,
		.run = engine_change,
	}, {
		.name = "engine.apply",
		.summary = "Makes an engine's graph what is given, touching only what differs",
		.help = "As engine.change with the operations that lead there, which are the plan. What engine.show tells changes nothing.",
		.result = "{revision, plan}",
		.role = "admin",
		.params = apply_params,
		.run = engine_apply,
	}, {
		.name = "engine.stats",
		.summary = "Counts of every block and link",
		.result = "{blocks: [{name, in, out, held, dropped: {reason: n}, errors, last_error}], links: [{from, to, canal, messages, bytes}], unexplained}",
		.role = "viewer",
		.params = engine_params,
		.run = engine_stats,
	}, {
		.name = "engine.graph",
		.summary = "An engine's graph as a picture in dot",
		.result = "{dot}",
		.role = "viewer",
		.params = graph_params,
		.run = engine_graph,
	},
	{0}
};
/* clang-format on */
