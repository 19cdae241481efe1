/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.change, apply, undo, confirm and log: changes, and who made them. */
#include "base/buf.h"
#include "base/error.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/graph_params.h"
#include "daemon/pipe_text.h"

/* The engine that the params name; NULL: the call has been refused. */
static struct engine *get_engine(struct call *call)
{
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine =
		engines_find(call->daemon->engines, call_text(call, "engine"), &err);
	if (!engine)
		call_refuse(call, err.faults[0].code, &err);
	return engine;
}

static void changed(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call->ask = NULL;
	call_root_paths(err);
	call_finish(call, code, json_incref(result), err);
}

static void applied(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call_root_paths(err);
	graph_told(call->request.params, call->state, err);
	changed(arg, code, result, err);
}

/* What is the daemon's to mind is not passed on. */
static json_t *engine_params(const struct call *call)
{
	static const char *const own[] = {"engine", "comment", "confirm_s",
	                                  "blocks", "links",   "text"};
	json_t *params = json_copy(call->request.params);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		json_object_del(params, own[i]);
	return params;
}

/* Takes wish->params. */
static void ask(struct call *call, struct engine *engine, struct change_wish *wish,
                engines_done *done)
{
	wish->fds = call->fds;
	wish->fd_count = call->fd_count;
	call->fd_count = 0;
	call->ask = engines_change(engine, wish, done, call);
	json_decref(wish->params);
}

static struct engine *get_changeable(struct call *call)
{
	struct pt_error err = PT_ERROR_INIT;
	struct engine *engine = get_engine(call);
	if (engine && !call_flag(call, "dry_run") && engines_may_change(engine, &err)) {
		call_refuse(call, err.faults[0].code, &err);
		engine = NULL;
	}
	return engine;
}

/* ---- what is to be added, as text ---- */

static void show_first(struct call *);

/* Somebody may have changed the engine after its names were chosen. */
static void text_changed(void *arg, int code, json_t *result, struct pt_error *err)
{
	enum { TRIES = 20 };
	struct call *call = arg;
	const json_t *params = call->request.params;
	bool again = code == -PT_ECONFLICT && !json_object_get(params, "if_revision") &&
	             ++call->tries < TRIES;
	call_root_paths(err);
	pipe_text_locate(call->state, err);
	pipe_text_free(call->state);
	call->state = NULL;
	call->ask = NULL;
	if (again)
		show_first(call);
	else
		call_finish(call, code, json_incref(result), err);
}

static void text_shown(void *arg, int code, json_t *shown, struct pt_error *err)
{
	struct call *call = arg;
	struct pt_error faults = PT_ERROR_INIT;
	call->ask = NULL;
	if (code) {
		call_finish(call, code, NULL, err);
		return;
	}
	struct engine *engine = get_changeable(call);
	if (!engine)
		return;
	struct lang_program *program = pipe_text_read(call_text(call, "text"), shown, &faults);
	if (!program) {
		call_refuse(call, faults.faults[0].code, &faults);
		return;
	}
	call->state = program;
	struct change_wish wish = {.verb = "change", .author = call_author(call)};
	wish.params = engine_params(call);
	json_object_set(wish.params, "ops", program->ops);
	if (!json_object_get(wish.params, "if_revision"))
		json_object_set(wish.params, "if_revision", json_object_get(shown, "revision"));
	ask(call, engine, &wish, text_changed);
}

static void show_first(struct call *call)
{
	struct engine *engine = get_changeable(call);
	json_t *params = json_object();
	if (engine)
		call->ask = engines_ask(engine, "show", params, NULL, 0, text_shown, call);
	json_decref(params);
}

static void engine_change(void *arg)
{
	struct call *call = arg;
	if (call_text(call, "text")) {
		show_first(call);
		return;
	}
	struct engine *engine = get_changeable(call);
	if (!engine)
		return;
	struct change_wish wish = {.verb = "change", .author = call_author(call)};
	wish.params = engine_params(call);
	ask(call, engine, &wish, changed);
}

static void engine_apply(void *arg)
{
	struct call *call = arg;
	struct engine *engine = get_changeable(call);
	if (!engine)
		return;
	struct pt_error err = PT_ERROR_INIT;
	struct lang_program *program;
	json_t *ops = graph_read(call->request.params, &program, &err);
	if (!ops) {
		call_refuse(call, err.faults[0].code, &err);
		return;
	}
	call->state = program;
	struct change_wish wish = {.verb = "apply", .author = call_author(call)};
	wish.params = engine_params(call);
	json_object_set_new(wish.params, "ops", ops);
	ask(call, engine, &wish, applied);
}

/* NULL: none was given. */
static const uint64_t *get_revision(const struct call *call, uint64_t *room)
{
	const json_t *said = json_object_get(call->request.params, "revision");
	*room = (uint64_t)json_integer_value(said);
	return json_is_integer(said) ? room : NULL;
}

static void engine_undo(void *arg)
{
	struct call *call = arg;
	struct engine *engine = get_engine(call);
	if (!engine)
		return;
	struct pt_error err = PT_ERROR_INIT;
	struct change_wish wish = {.author = call_author(call), .params = engine_params(call)};
	uint64_t revision;
	json_object_del(wish.params, "revision");
	/* What takes back a change that waits to be confirmed is not to be confirmed itself. */
	int code = wish.author.confirm_s > 0 ? engines_may_change(engine, &err) : 0;
	if (!code)
		code = engines_undo(engine, get_revision(call, &revision), &wish, &err);
	if (code) {
		json_decref(wish.params);
		call_refuse(call, code, &err);
	} else {
		ask(call, engine, &wish, changed);
	}
}

static void engine_confirm(void *arg)
{
	struct call *call = arg;
	struct engine *engine = get_engine(call);
	struct pt_error err = PT_ERROR_INIT;
	uint64_t revision;
	int code =
		engine ? engines_confirm(engine, get_revision(call, &revision), changed, call, &err)
		       : 0;
	if (code)
		call_refuse(call, code, &err);
}

static void engine_log(void *arg)
{
	struct call *call = arg;
	struct engine *engine = get_engine(call);
	struct pt_error err = PT_ERROR_INIT;
	uint64_t revision;
	if (!engine)
		return;
	json_t *log = engines_log(engine, get_revision(call, &revision), &err);
	if (log)
		call_answer(call, log);
	else
		call_refuse(call, err.faults[0].code, &err);
}

/* clang-format off */
#define ENGINE {"engine", "The engine's name.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define IF_REVISION {"if_revision", "Refuse if the engine's revision is another one.", \
	PT_KIND_INT, .fallback = "None", .max = -1}
#define DRY_RUN {"dry_run", "Only tell what would be done.", PT_KIND_BOOL, .fallback = "false"}
#define COMMENT {"comment", "Why, for the log.", PT_KIND_STRING, .fallback = "None"}
#define CONFIRM {"confirm_s", "It goes back by itself after so long, unless it is confirmed.", \
	PT_KIND_SECONDS, .fallback = "None", .min = 0.001, .max = 604800}

static const struct pt_param change_params[] = {
	ENGINE,
	{"ops", "What to do, in order; all of it or nothing.",
	 PT_KIND_VARIANTS, .fallback = "None", .flags = PT_ONE_OF, .members = graph_op_rows},
	TEXT_ROW("What to add, in the pipe language, in place of ops; it may link what is there.",
	         .flags = PT_ONE_OF),
	IF_REVISION,
	DRY_RUN,
	COMMENT,
	CONFIRM,
	{0}
};

static const struct pt_param apply_params[] = {ENGINE, GRAPH_ROWS, IF_REVISION, DRY_RUN, COMMENT, CONFIRM, {0}};

static const struct pt_param undo_params[] = {
	ENGINE,
	{"revision", "The revision whose graph comes back; without it, the one before.",
	 PT_KIND_INT, .fallback = "None", .max = -1},
	IF_REVISION,
	DRY_RUN,
	COMMENT,
	CONFIRM,
	{0}
};

static const struct pt_param confirm_params[] = {
	ENGINE,
	{"revision", "Only if it is this one that waits.",
	 PT_KIND_INT, .fallback = "None", .max = -1},
	{0}
};

static const struct pt_param log_params[] = {
	ENGINE,
	{"revision", "Only this one; without it, all that are known.",
	 PT_KIND_INT, .fallback = "None", .max = -1},
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
		.summary = "Lets a change stay that was made with confirm_s",
		.result = "{revision}",
		.role = "admin",
		.params = confirm_params,
		.run = engine_confirm,
	}, {
		.name = "engine.log",
		.summary = "Who changed what, and when",
		.help = "The oldest first; times are seconds since 1970. `undoes` is the revision "
		        "that was brought back, `confirm` stands with a change that waits to be "
		        "confirmed; uid and pid are null where the daemon itself did it.",
		.result = "{revisions: [{revision, time, uid, pid, comment?, undoes?, confirm?: "
		          "{back, until}, ops}]}",
		.role = "viewer",
		.params = log_params,
		.run = engine_log,
	},
	{0}
};
/* clang-format on */
