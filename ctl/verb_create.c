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
	{.name = "dry_run",
         .doc = "Check and tell what would be done: the engine is made unstarted, and gone at "
                "once.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "comment",
         .doc = "Why, for the engine's log.",
         .kind = PT_KIND_STRING,
         .flags = PT_OPTION},
	{.name = "ephemeral",
         .doc = "Do not keep it over a restart of the daemon.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
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
         .doc = "Its name; several go one after the other.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{NULL},
};

const struct verb verb_destroy = {
	.name = "destroy",
	.summary = "stop an engine, flushing its sinks, and forget it",
	.params = destroy_rows,
	.run = destroy,
};

static int make(struct ctl *ctl, const struct pipe_text *pipe, json_t **result,
                struct pt_error *err)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	if (pipe->program.ops)
		pipe_graph(pipe, params);
	bool dry_run = ctl_flag(ctl, "dry_run");
	if (dry_run)
		json_object_set_new(params, "owned", json_true());
	else if (ctl_flag(ctl, "start"))
		json_object_set_new(params, "start", json_true());
	if (ctl_flag(ctl, "ephemeral"))
		json_object_set_new(params, "ephemeral", json_true());
	if (ctl_text(ctl, "comment"))
		json_object_set_new(params, "comment", json_string(ctl_text(ctl, "comment")));
	int code = ctl_call_with_fds(ctl, "engine.create", params, result, err);
	if (code == -PT_EEXISTS && err->faults[0].path && !strcmp(err->faults[0].path, "$.engine"))
		pt_hint(err, "'ptctl apply %s' makes its graph what the text says",
		        ctl_text(ctl, "engine"));
	if (code)
		pipe_locate(pipe, err);
	return code;
}

/* What was made to try it goes again. */
static int end_trial(struct ctl *ctl, const struct pipe_text *pipe, struct pt_error *err)
{
	struct buf b = BUF_INIT;
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	int code = ctl_call(ctl, "engine.destroy", params, NULL, err);
	if (!code && !ctl->json) {
		change_show_ops(&b, pipe->program.ops, "");
		out_buf(&b);
	}
	return code;
}

static int create(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	struct world world = {0};
	json_t *result = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	if (!code && pipe.text.length)
		code = world_init(&world, ctl, NULL, &err);
	if (!code && pipe.text.length)
		code = pipe_parse(&pipe, &world, &err);
	if (!code)
		code = make(ctl, &pipe, &result, &err);
	if (!code && ctl_flag(ctl, "dry_run"))
		code = end_trial(ctl, &pipe, &err);
	world_fini(&world);
	pipe_fini(&pipe);
	if (code)
		return ctl_refused(ctl, &err);
	if (ctl->json)
		out_json(result);
	json_decref(result);
	return EXIT_DONE;
}

static int destroy(struct ctl *ctl)
{
	size_t i;
	json_t *name;
	int status = EXIT_DONE;
	json_array_foreach (ctl_many(ctl, "engine"), i, name) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *result, *params = json_object();
		json_object_set(params, "engine", name);
		if (ctl_call(ctl, "engine.destroy", params, &result, &err)) {
			status = ctl_refused(ctl, &err);
			continue;
		}
		if (ctl->json)
			out_json(result);
		json_decref(result);
	}
	return status;
}
