/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.*: engines as a whole, and their graphs. */
#include "base/buf.h"
#include "base/log.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/graph_params.h"
#include <stdlib.h>
#include <string.h>

static void engine_start(void *arg)
{
	struct call *call = arg;
	struct engine *engine = engines_find(call->daemon->engines, call->params.engine, NULL);
	if (engine && engines_is_hollow(engine))
		engines_begin(engine, call_done, call);
	else
		call_ask(call, PT_VERB_START, NULL);
}

static void shown(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	if (!code)
		engines_add_state(call->daemon->engines, call->params.engine, result);
	call_done(call, code, result, err);
}

static void engine_show(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine =
		engines_find_listed(call->daemon->engines, call->params.engine, &err);
	if (engine)
		ask_put(&call->ask, engine, shown, call);
	else
		call_refuse(call, err.faults[0].code, &err);
}

static void engine_list(void *arg)
{
	struct call *call = arg;
	json_t *left = engines_left(call->daemon->engines);
	json_t *result = json_object();
	json_object_set_new(result, "engines", engines_list(call->daemon->engines));
	if (json_array_size(left))
		json_object_set(result, "destroyed", left);
	json_decref(left);
	call_answer(call, result);
}

/* ---- create and destroy ---- */

static void created(void *call, int code, json_t *result, struct pt_error *err)
{
	graph_done(call, code, NULL, err);
}

static void engine_create(void *arg)
{
	struct call *call = arg;
	if (!graph_read(call))
		return;
	const struct engine_wish wish = {
		.name = call->params.engine,
		.graph = &call->ask.request,
		.start = call->params.start,
		.dry_run = call->ask.request.dry_run,
		.ephemeral = call->params.ephemeral,
		.if_revision = call->ask.request.if_revision,
		.owner = call->params.owned ? call->connection : NULL,
		.author = call_author(call),
	};
	engines_make(call->daemon->engines, &wish, created, call);
}

static void destroyed(void *arg, int code, json_t *result, struct pt_error *err)
{
	call_finish(arg, code, NULL, err);
}

/* The comment is all that is left of it. */
static void destroy_now(struct call *call, struct engine *engine)
{
	const struct log_about about = {.engine = call->params.engine};
	const char *why = call->params.comment;
	if (why)
		log_about(&about, LOG_LEVEL_INFO, "engine %s is destroyed: %s", call->params.engine,
		          why);
	engines_destroy(engine, why, destroyed, call);
}

static int check_revision(const struct call *call, struct pt_error *err)
{
	int64_t wanted = call->ask.request.if_revision,
		is = (int64_t)engines_revision(call->daemon->engines, call->params.engine);
	if (wanted < 0 || wanted == is)
		return 0;
	return pt_fail(err, -PT_ECONFLICT, "$.if_revision",
	               "engine '%s' is at revision %lld, not %lld", call->params.engine,
	               (long long)is, (long long)wanted);
}

static void engine_destroy(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	bool to_be_confirmed = call->params.confirm_s > 0;
	struct engine *engine = call_engine(call);
	if (!engine)
		return;
	int code = engines_must_be_read(engine, &err);
	if (!code)
		code = check_revision(call, &err);
	if (!code && to_be_confirmed)
		code = engines_may_change(engine, &err);
	if (code) {
		call_refuse(call, code, &err);
	} else if (to_be_confirmed) {
		const struct author author = call_author(call);
		ask_set_author(&call->ask, &author);
		engines_leave(engine, &call->ask, destroyed, call);
	} else {
		destroy_now(call, engine);
	}
}

/* clang-format off */
#define CONFIRM(doc_) \
	{"confirm_s", doc_, PT_SECONDS(struct call, params.confirm_s), .fallback = "None", \
	 .min = 0.001, .max = 604800}
static const struct pt_param create_params[] = {
	CALL_ENGINE,
	GRAPH_ROWS,
	{"start", "Whether it is started, too.",
	 PT_BOOL(struct call, params.start), .fallback = "false"},
	{"dry_run", "Only whether it could be made: nothing is opened, and no engine is there "
	 "afterwards.", PT_BOOL(struct call, ask.request.dry_run), .fallback = "false"},
	{"ephemeral", "Not to be kept over a restart of the daemon.",
	 PT_BOOL(struct call, params.ephemeral), .fallback = "false"},
	{"owned", "It is destroyed when this connection closes, whatever closes it, and not kept "
	 "over a restart. What its blocks print goes to who is attached alone.",
	 PT_BOOL(struct call, params.owned), .fallback = "false"},
	CALL_COMMENT,
	{"if_revision", "Refuse unless the engine is at this revision: what is not there is at 0.",
	 PT_INT(struct call, ask.request.if_revision), .fallback = "None", .max = -1},
	CONFIRM("The engine is gone again after so long, unless it is confirmed."),
	{0}
};

static const struct pt_param destroy_params[] = {
	CALL_ENGINE,
	CALL_COMMENT,
	{"if_revision", "Refuse if the engine's revision is another one.",
	 PT_INT(struct call, ask.request.if_revision), .fallback = "None", .max = -1},
	CONFIRM("The engine is there again after so long, unless that is confirmed."),
	{0}
};

static const struct pt_param stop_params[] = {
	CALL_ENGINE,
	{"wait", "Let the sources come to their end first.",
	 PT_BOOL(struct call, ask.request.wait), .fallback = "false"},
	{"timeout_s", "How long to wait for that; without it, for ever.",
	 PT_SECONDS(struct call, ask.request.timeout_s), .fallback = "None"},
	{0}
};

static const char *const pictures[] = {"dot", "mermaid", NULL};

static const struct pt_param graph_params[] = {
	CALL_ENGINE,
	{"stats", "Write each link's count of messages beside it.",
	 PT_BOOL(struct call, ask.request.stats), .fallback = "false"},
	{"params", "Write each block's parameters into its box.",
	 PT_BOOL(struct call, ask.request.params), .fallback = "false"},
	{"format", "Graphviz's language, or that of Mermaid, which Markdown pages draw.",
	 PT_CHOICE(struct call, ask.request.picture), .fallback = "dot", .choices = pictures},
	{0}
};

static const struct pt_param engine_params[] = {CALL_ENGINE, {0}};

const struct rpc_method engine_methods[] = {
	{
		.name = "engine.create",
		.summary = "Makes an engine, with a graph and started if told so",
		.help = "All of it or nothing: if a block is refused, or with `start` the start "
		        "fails, there is no engine. With `confirm_s` it is destroyed after so "
		        "long, unless engine.confirm comes before, also where the daemon was "
		        "started anew meanwhile.",
		.result = "{}",
		.role = "admin",
		.params = create_params,
		.run = engine_create,
	}, {
		.name = "engine.destroy",
		.summary = "Stops an engine, flushing its sinks, and forgets it",
		.help = "With `confirm_s` it is stopped, and taken for gone, but its name is kept; "
		        "after so long it is there again as it was, and starts if it ran, unless "
		        "engine.confirm comes before; so too where the daemon was started anew "
		        "meanwhile.",
		.result = "{}",
		.role = "admin",
		.params = destroy_params,
		.run = engine_destroy,
	}, {
		.name = "engine.start",
		.summary = "Starts an engine, and of one that runs what has failed",
		.help = "One that has no blocks, since its file or what was kept of it could not "
		        "be used, is made first: the file is read again. One that drains runs on.",
		.result = "{state}",
		.role = "operator",
		.params = engine_params,
		.run = engine_start,
	}, {
		.name = "engine.stop",
		.summary = "Stops an engine: sources first, then sinks are flushed",
		.help = "With `wait` the engine drains until every source is exhausted, or every "
		        "sink has failed; if the time runs out, it stays draining.",
		.result = "{state}",
		.role = "operator",
		.params = stop_params,
		.verb = PT_VERB_STOP,
	}, {
		.name = "engine.list",
		.summary = "The engines, with their states",
		.help = "`state` is stopped, running, draining, starting, ending (it is destroyed, "
		        "and its sinks are being flushed), or failed: one that should run, by its "
		        "state or its file, and could not be started; it is tried again, and every "
		        "method takes it as stopped. `why` tells why it does not run, or what is "
		        "wrong with its file. `kept` tells whether an engine outlasts the daemon: "
		        "yes, no, or by its file in the folder of engines; of such a one `file` is "
		        "the path, and `differs` whether it is another than the file has it. "
		        "`unconfirmed` stands there while a change waits for engine.confirm, "
		        "`failed_blocks` where some have failed. `destroyed` are those that will "
		        "be there again, unless that is confirmed in left_s; `comment` says why "
		        "they were.",
		.result = "{engines: [{engine, state, why?, file?, differs?, revision, blocks, "
		          "links, messages, kept, failed_blocks?, unconfirmed?}], destroyed?: "
		          "[{engine, left_s, comment?}]}",
		.role = "viewer",
		.run = engine_list,
	}, {
		.name = "engine.show",
		.summary = "An engine's graph and the states of its blocks",
		.help = "state, why, file and differs as in engine.list. Of a source, `checkpoint` "
		        "tells when the last one was (`time`, seconds since 1970) and how many "
		        "messages it had sent by then (`at`): there the next daemon goes on; or it "
		        "is null, and `why` tells why. `resumed` is there where the engine went on "
		        "from a checkpoint of an earlier daemon: when that was, how long after the "
		        "checkpoint, how many messages waited in queues and rings, and why: crash, "
		        "restart, or upgrade.",
		.result = "{engine, state, why?, file?, differs?, resumed?: {time, gap_s, waited, "
		          "why}, revision, blocks: [{name, type, params, state, checkpoint?: "
		          "{time, at}, why?, …}], links: [{from, to, canal}]}",
		.role = "viewer",
		.params = engine_params,
		.run = engine_show,
	}, {
		.name = "engine.stats",
		.summary = "Counts of every block and link",
		.result = "{blocks: [{name, in, out, held, filtered: {reason: n}, dropped: "
		          "{reason: n}, errors, last_error, cpu_ns, waits_for?}], links: [{from, "
		          "to, canal, messages, bytes}], total: {in, out, filtered, dropped}, "
		          "unexplained, cpu_ns, uptime_s, memory}",
		.help = "`total` is of the engine as a whole: `in` is what its sources sent, `out` "
		        "what its sinks took, each copy of a fan-out once, with what waits in a "
		        "queue to be received. `waits_for` is of sources: the full sinks and "
		        "valves that hold it back now, none where it flows. `cpu_ns` is what the "
		        "engine's thread has computed, and of a block its part of that, from "
		        "samples; `uptime_s` since the engine was started, `memory` the bytes of "
		        "the messages that it has.",
		.role = "viewer",
		.params = engine_params,
		.verb = PT_VERB_STATS,
	}, {
		.name = "engine.graph",
		.summary = "An engine's graph as a picture in dot or Mermaid",
		.result = "{dot} or {mermaid}",
		.role = "viewer",
		.params = graph_params,
		.verb = PT_VERB_DRAW,
	},
	{0}
};
/* clang-format on */
