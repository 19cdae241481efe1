/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.change, apply, undo, confirm and log: changes, and who made them. */
#include "base/buf.h"
#include "base/error.h"
#include "daemon/boot.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/graph_params.h"
#include "daemon/pipe_file.h"
#include "daemon/pipe_text.h"

static struct engine *get_changeable(struct call *call)
{
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine = call_engine(call);
	if (engine && !call->ask.request.dry_run && engines_may_change(engine, &err)) {
		call_refuse(call, err.faults[0].code, &err);
		engine = NULL;
	}
	return engine;
}

static void set_author(struct call *call)
{
	struct author author = call_author(call);
	author.owned = call->params.owned;
	ask_set_author(&call->ask, &author);
}

static void ask(struct call *call, struct engine *engine, engines_done *done)
{
	struct pt_request *r = &call->ask.request;
	set_author(call);
	r->verb = PT_VERB_CHANGE;
	r->fds = call->fds;
	r->fd_count = call->fd_count;
	ask_put(&call->ask, engine, done, call);
}

/* ---- what is to be added, as text ---- */

static void show_first(struct call *);

/* Somebody may have changed the engine after its names were chosen. Where n ask at once, one of n
   is first each time: with 64, a thousand tries leave one in a million without. */
static void text_changed(void *arg, int code, json_t *result, struct pt_error *err)
{
	enum { TRIES = 1000 };
	struct call *call = arg;
	call_root_paths(err);
	pipe_text_locate(call->state, err);
	pipe_text_free(call->state);
	call->state = NULL;
	if (code == -PT_ECONFLICT && call->tries && ++call->tries <= TRIES)
		show_first(call);
	else
		call_finish(call, code, json_incref(result), err);
}

static void text_shown(void *arg, int code, json_t *shown, struct pt_error *err)
{
	struct call *call = arg;
	struct pt_request *r = &call->ask.request;
	struct pt_error faults = PT_ERROR_INIT;
	if (code) {
		call_finish(call, code, NULL, err);
		return;
	}
	struct engine *engine = get_changeable(call);
	if (!engine)
		return;
	struct lang_program *program = pipe_text_read(call->params.text, shown, &faults);
	if (!program) {
		call_refuse(call, faults.faults[0].code, &faults);
		return;
	}
	call->state = program;
	if (r->if_revision < 0)
		call->tries = 1;
	if (call->tries)
		r->if_revision = json_integer_value(json_object_get(shown, "revision"));
	call_set_ops(call, program->ops);
	ask(call, engine, text_changed);
}

static void show_first(struct call *call)
{
	call->ask.authored = false;
	call->ask.request.verb = PT_VERB_SHOW;
	struct engine *engine = get_changeable(call);
	if (engine)
		ask_put(&call->ask, engine, text_shown, call);
}

static void engine_change(void *arg)
{
	struct call *call = arg;
	if (call->params.text) {
		show_first(call);
		return;
	}
	struct engine *engine = get_changeable(call);
	if (engine)
		ask(call, engine, call_done);
}

static void engine_apply(void *arg)
{
	struct call *call = arg;
	call->ask.request.anew = true;
	struct engine *engine = get_changeable(call);
	if (engine && graph_read(call))
		ask(call, engine, graph_done);
}

/* NULL: none was given. */
static const uint64_t *get_revision(const struct call *call, uint64_t *room)
{
	*room = (uint64_t)call->params.revision;
	return call->params.revision < 0 ? NULL : room;
}

static void engine_undo(void *arg)
{
	struct call *call = arg;
	struct engine *engine = call_engine(call);
	if (!engine)
		return;
	struct pt_error err = PT_ERROR_INIT;
	uint64_t revision;
	/* What takes back a change that waits to be confirmed is not to be confirmed itself. */
	int code = call->params.confirm_s > 0 ? engines_may_change(engine, &err) : 0;
	set_author(call);
	if (!code)
		code = engines_undo(engine, get_revision(call, &revision), &call->ask, &err);
	if (code)
		call_refuse(call, code, &err);
	else
		ask_put(&call->ask, engine, call_done, call);
}

static void engine_confirm(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine =
		engines_find_waiting(call->daemon->engines, call->params.engine, &err);
	uint64_t revision;
	int code =
		engine ? engines_confirm(engine, get_revision(call, &revision),
	                                 call->params.extend_s, &call->ask, call_done, call, &err)
		       : err.faults[0].code;
	if (code)
		call_refuse(call, code, &err);
}

static void add_log(void *log, struct engine *engine)
{
	engines_add_log(engine, NULL, log, NULL); /* all there is */
}

static void engine_log(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	uint64_t revision;
	const uint64_t *wanted = get_revision(call, &revision);
	bool one = call->params.engine;
	struct engine *engine = one ? call_engine(call) : NULL;
	if (one && !engine)
		return; /* refused: the call is gone */
	json_t *log = json_pack("{s:[], s:[]}", "revisions", "states");
	int code = 0;
	if (engine)
		code = engines_add_log(engine, wanted, log, &err);
	else if (wanted)
		code = pt_fail(&err, -PT_EPARAM, "$.revision",
		               "of which engine? `engine` is missing");
	else
		engines_each(call->daemon->engines, add_log, log);
	if (!code)
		call_answer(call, json_incref(log));
	else
		call_refuse(call, code, &err);
	json_decref(log);
}

static int diff_file(struct call *call, const struct engine *engine, json_t **result,
                     struct pt_error *err)
{
	struct lang_program program;
	struct pipe_fault fault = PIPE_FAULT_INIT;
	const char *path = engines_file(engine);
	int code;
	if (!path)
		return pt_fail(err, -PT_ESTATE, "$.engine", "engine '%s' is of no file",
		               call->params.engine);
	if (boot_read(call->daemon->boot, path, &program, &fault)) {
		code = pt_fail(err, -PT_ESTATE, "$.engine", "%s", fault.why.data);
	} else {
		code = engines_diff(engine, NULL, NULL, program.ops, result, err);
		lang_program_free(&program);
	}
	pipe_fault_free(&fault);
	return code;
}

static void engine_diff(void *arg)
{
	struct call *call = arg;
	uint64_t revision, to = (uint64_t)call->params.to;
	struct engine *engine = call_engine(call);
	struct pt_error err = PT_ERROR_INIT;
	json_t *result;
	int code;
	if (!engine)
		return;
	if ((call->params.file || call->params.to >= 0) &&
	    call->params.file == (call->params.revision >= 0))
		code = pt_fail(&err, -PT_EPARAM, call->params.file ? "$.file" : "$.to",
		               call->params.file ? "the file is compared with the graph as it is, "
		                                   "not with a revision"
		                                 : "to what? `revision` is missing");
	else if (call->params.file)
		code = diff_file(call, engine, &result, &err);
	else
		code = engines_diff(engine, get_revision(call, &revision),
		                    call->params.to < 0 ? NULL : &to, NULL, &result, &err);
	if (code)
		call_refuse(call, code, &err);
	else
		call_answer(call, result);
}

/* clang-format off */
#define IF_REVISION {"if_revision", "Refuse if the engine's revision is another one.", \
	PT_INT(struct call, ask.request.if_revision), .fallback = "None", .max = -1}
#define DRY_RUN {"dry_run", "Only tell what would be done.", \
	PT_BOOL(struct call, ask.request.dry_run), .fallback = "false"}
#define CONFIRM {"confirm_s", "It goes back by itself after so long, unless it is confirmed.", \
	PT_SECONDS(struct call, params.confirm_s), .fallback = "None", .min = 0.001, .max = 604800}

static const struct pt_param change_params[] = {
	CALL_ENGINE,
	{"ops", "What to do, in order; all of it or nothing.",
	 PT_VARIANTS(struct call, ask.request.ops), .fallback = "None", .flags = PT_ONE_OF,
	 .members = graph_op_rows},
	TEXT_ROW("What to add, in the pipe language, in place of ops; it may link what is there.",
	         .flags = PT_ONE_OF),
	IF_REVISION,
	DRY_RUN,
	CALL_COMMENT,
	CONFIRM,
	{"owned", "The blocks that it adds are taken out when this connection closes, whatever "
	 "closes it, and do not come back after a restart.",
	 PT_BOOL(struct call, params.owned), .fallback = "false"},
	{0}
};

static const struct pt_param apply_params[] = {
	CALL_ENGINE, GRAPH_ROWS, IF_REVISION, DRY_RUN, CALL_COMMENT, CONFIRM, {0}
};

static const struct pt_param undo_params[] = {
	CALL_ENGINE,
	{"revision", "The revision whose graph comes back; without it, the one before.",
	 PT_INT(struct call, params.revision), .fallback = "None", .max = -1},
	IF_REVISION,
	DRY_RUN,
	CALL_COMMENT,
	CONFIRM,
	{0}
};

static const struct pt_param confirm_params[] = {
	CALL_ENGINE,
	{"revision", "Only if it is this one that waits; of a destroyed engine, its last.",
	 PT_INT(struct call, params.revision), .fallback = "None", .max = -1},
	{"extend_s", "Not yet: it waits for so long from now on.",
	 PT_SECONDS(struct call, params.extend_s), .fallback = "None", .min = 0.001, .max = 604800},
	{0}
};

static const struct pt_param log_params[] = {
	{"engine", "The engine's name; without it, all of them.",
	 PT_STRING(struct call, params.engine), .fallback = "None"},
	{"revision", "Only this one; without it, all that are known.",
	 PT_INT(struct call, params.revision), .fallback = "None", .max = -1},
	{0}
};

static const struct pt_param diff_params[] = {
	CALL_ENGINE,
	{"revision", "The revision that is compared with the graph as it is: what an undo to it "
	 "would do. Without it, what the last change did.",
	 PT_INT(struct call, params.revision), .fallback = "None", .max = -1},
	{"to", "In place of the graph as it is: what leads from `revision` to this one.",
	 PT_INT(struct call, params.to), .fallback = "None", .max = -1},
	{"file", "From what the engine's file says now to the graph as it is.",
	 PT_BOOL(struct call, params.file), .fallback = "false"},
	{0}
};

const struct rpc_method change_methods[] = {
	{
		.name = "engine.change",
		.summary = "Changes an engine's graph, also while it runs: all or nothing, between "
		           "two messages",
		.help = "With `confirm_s` the change goes back by itself after so long, unless "
		        "engine.confirm comes before; meanwhile no other change is taken. "
		        "`pause_ns` is the longest time for which messages stood still.",
		.result = "{revision, plan, pause_ns?}",
		.role = "admin",
		.params = change_params,
		.run = engine_change,
	}, {
		.name = "engine.apply",
		.summary = "Makes an engine's graph what is given, touching only what differs",
		.help = "As engine.change with the operations that lead there, which are the plan. "
		        "The links and the blocks' name, type and params, as engine.show tells "
		        "them, change nothing. `order` in a plan means that only the order of the "
		        "lists differs, or, of an undo, which defaults are spelled out.",
		.result = "{revision, plan, pause_ns?}",
		.role = "admin",
		.params = apply_params,
		.run = engine_apply,
	}, {
		.name = "engine.undo",
		.summary = "Brings back the graph of an earlier revision, as a new one",
		.help = "Touches only what differs. Undoing again goes further back.",
		.result = "{revision, plan, pause_ns?}",
		.role = "admin",
		.params = undo_params,
		.run = engine_undo,
	}, {
		.name = "engine.confirm",
		.summary = "Lets what was made with confirm_s stay: a change, an engine, its end",
		.help = "With `extend_s` it goes on waiting, for left_s; who watches renews it so, "
		        "and what nobody watches any more goes back.",
		.result = "{revision, left_s?}",
		.role = "admin",
		.params = confirm_params,
		.run = engine_confirm,
	}, {
		.name = "engine.diff",
		.summary = "What differs between two graphs of an engine",
		.help = "`was` has an item for each of ops: what a set or a replace takes the "
		        "place of ({name: value}, or {type, params}), else null; it is absent "
		        "where there is none of them.",
		.result = "{ops, was?}",
		.role = "viewer",
		.params = diff_params,
		.run = engine_diff,
	}, {
		.name = "engine.log",
		.summary = "Who changed what, and when",
		.help = "Each engine's the oldest first; times are seconds since 1970. `states` "
		        "are starts (running), stops (stopped) and starts that were refused "
		        "(failed), those that an engine knows of; `was` is as in engine.diff. "
		        "`undoes` is the revision that was brought back, `owned` are the blocks "
		        "that go with a connection, `confirm` stands with a change that waits to "
		        "be confirmed (`back` is null where the engine goes, `since` when it was "
		        "extended); uid and pid are null where the daemon itself did it.",
		.result = "{revisions: [{engine, revision, time, uid, pid, comment?, undoes?, "
		          "confirm?: {back, until, since?}, ops, was?, owned?}], states: [{engine, "
		          "time, state, why?}]}",
		.role = "viewer",
		.params = log_params,
		.run = engine_log,
	},
	{0}
};
/* clang-format on */
