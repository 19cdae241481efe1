/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl create, ptctl destroy. */
#include "ctl/out.h"
#include "ctl/pipe.h"

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
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
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
	if (ctl_flag(ctl, "start"))
		json_object_set_new(params, "start", json_true());
	if (ctl_flag(ctl, "ephemeral"))
		json_object_set_new(params, "ephemeral", json_true());
	if (ctl_text(ctl, "comment"))
		json_object_set_new(params, "comment", json_string(ctl_text(ctl, "comment")));
	int code = ctl_call_with_fds(ctl, "engine.create", params, result, err);
	if (code)
		pipe_locate(pipe, err);
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
	return ctl_simple_engine(ctl, "engine.destroy");
}
