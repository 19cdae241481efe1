/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl create, ptctl destroy. */
#include "ctl/change.h"
#include "ctl/out.h"
#include "ctl/pipe.h"
#include <string.h>

static int create(struct ctl *);
static int destroy(struct ctl *);

static const struct pt_param create_rows[] = {
	{.name = "engine",
         .doc = "The new engine's name.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	PIPE_ARGUMENTS(),
	PIPE_FILE,
	PIPE_DEFINE,
	{.name = "start", .doc = "Start it, too.", .kind = PT_KIND_BOOL, .flags = PT_OPTION},
	{.name = "comment",
         .doc = "Why, for the engine's log.",
         .kind = PT_KIND_STRING,
         .flags = PT_OPTION},
	{.name = "ephemeral",
         .doc = "Do not keep it over a restart of the daemon.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "or_apply",
         .doc = "If it is there already, change what differs, as apply does.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "dry_run",
         .doc = "Check and tell what would be done, and make nothing.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "exit_code",
         .doc = "With --dry-run: the exit status is 9 if something would be done.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "quiet",
         .doc = "Do not tell what was done.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION,
         .letter = 'q'},
	{NULL},
};

const struct verb verb_create = {
	.name = "create",
	.summary = "make an engine, with a graph if one is given",
	.help = "All of it or nothing: if the graph is refused, or the start fails, there is no "
		"engine. "
		"Without PIPE and FILE the engine is empty.\n"
		"\n"
		"  ptctl create p 's = CLIFeeder(); s > Drain() > ConsoleSink()' --start",
	.params = create_rows,
	.run = create,
};

static const struct pt_param destroy_rows[] = {
	{.name = "engine",
         .doc = "Their names.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{.name = "if_exists",
         .doc = "One that is not there is none to be refused.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{NULL},
};

const struct verb verb_destroy = {
	.name = "destroy",
	.summary = "stop engines, flushing their sinks, and forget them",
	.params = destroy_rows,
	.run = destroy,
};

static json_t *params_of(const struct ctl *ctl)
{
	static const char *const passed[] = {"start", "ephemeral", "comment", "dry_run"};
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		json_t *value = json_object_get(ctl->values, passed[i]);
		if (value)
			json_object_set(params, passed[i], value);
	}
	return params;
}

/* What was done, as of a change that made the first revision; an empty engine has none yet. */
static json_t *as_change(const struct pipe_text *pipe)
{
	if (pipe->program.ops)
		return json_pack("{s:i, s:O}", "revision", 1, "plan", pipe->program.ops);
	return json_pack("{s:i, s:[{s:s}]}", "revision", 0, "plan", "op", "empty");
}

static int make(struct ctl *ctl, const struct pipe_text *pipe, json_t **change,
                struct pt_error *err)
{
	json_t *params = params_of(ctl), *result = NULL;
	if (pipe->program.ops)
		pipe_graph(pipe, params);
	int code = ctl_call_with_fds(ctl, "engine.create", params, &result, err);
	if (!code)
		*change = ctl->json ? json_incref(result) : as_change(pipe);
	json_decref(result);
	return code;
}

static int start_it(struct ctl *ctl, struct pt_error *err)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	return ctl_call(ctl, "engine.start", params, NULL, err);
}

/* It is there: without a graph, as it is. */
static int apply(struct ctl *ctl, const struct pipe_text *pipe, json_t **change,
                 struct pt_error *err)
{
	const char *engine = ctl_text(ctl, "engine");
	json_t *graph = json_object();
	int code = 0;
	if (pipe->program.ops) {
		pipe_graph(pipe, graph);
		code = change_apply(ctl, engine, graph, change, err);
	} else {
		json_decref(graph);
		*change = json_pack("{s:[]}", "plan");
	}
	if (!code && ctl_flag(ctl, "start") && !ctl_flag(ctl, "dry_run"))
		code = start_it(ctl, err);
	return code;
}

static int make_or_apply(struct ctl *ctl, const struct pipe_text *pipe, json_t **change,
                         struct pt_error *err)
{
	int code = make(ctl, pipe, change, err);
	if (code == -PT_EEXISTS && ctl_flag(ctl, "or_apply")) {
		pt_error_clear(err);
		code = apply(ctl, pipe, change, err);
	} else if (code == -PT_EEXISTS) {
		pt_hint(err, "'ptctl apply %s' changes it, '--or-apply' does what is needed",
		        ctl_text(ctl, "engine"));
	}
	if (code)
		pipe_locate(pipe, err);
	return code;
}

static int create(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	struct world world = {0};
	json_t *change = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	if (!code && pipe.given) {
		code = world_init(&world, ctl, NULL, &err);
		if (!code)
			code = pipe_parse(&pipe, &world, &err);
		if (!code)
			code = pipe_require(&pipe, "without a text an empty engine is made", &err);
	}
	if (!code)
		code = make_or_apply(ctl, &pipe, &change, &err);
	world_fini(&world);
	pipe_fini(&pipe);
	return code ? ctl_refused(ctl, &err) : change_done(ctl, ctl_text(ctl, "engine"), change);
}

/* ---- destroy ---- */

static int destroy_one(struct ctl *ctl, json_t *engine, json_t **result, struct pt_error *err)
{
	json_t *params = json_object();
	json_object_set(params, "engine", engine);
	int code = ctl_call(ctl, "engine.destroy", params, result, err);
	if (code != -PT_ENOENGINE || !ctl_flag(ctl, "if_exists"))
		return code;
	pt_error_clear(err);
	*result = json_object();
	return 0;
}

/* One that cannot be destroyed does not keep the others. */
static int destroy(struct ctl *ctl)
{
	int status = EXIT_DONE;
	size_t i;
	json_t *engine;
	json_array_foreach (ctl_many(ctl, "engine"), i, engine) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *result = NULL;
		int code = destroy_one(ctl, engine, &result, &err);
		int one = code ? ctl_refused(ctl, &err) : EXIT_DONE;
		if (!code && ctl->json)
			out_json(result);
		json_decref(result);
		status = status ? status : one;
	}
	return status;
}
