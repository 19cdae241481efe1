/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl apply: a graph as it shall be. */
#include "ctl/change.h"
#include "ctl/out.h"
#include "ctl/pipe.h"
#include "ctl/verb.h"

static int apply(struct ctl *);

static const struct pt_param apply_rows[] = {
	{.name = "engine", .doc = "The engine.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	PIPE_ARGUMENTS(),
	PIPE_FILE,
	PIPE_DEFINE,
	{.name = "empty",
         .doc = "Without a graph: take out every block, with what its queues hold.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_apply = {
	.name = "apply",
	.summary = "make an engine's graph what the text says, touching only what differs",
	.help = "What `ptctl export` prints changes nothing. --dry-run prints the operations that "
		"lead "
		"there.\n"
		"\n"
		"  ptctl export p > p.pipe; edit p.pipe; ptctl apply p -f p.pipe --dry-run",
	.params = apply_rows,
	.run = apply,
};

/* What was forgotten, or could not be made, is not to wipe a graph. */
static int check_emptiness(const struct ctl *ctl, const struct pipe_text *pipe,
                           struct pt_error *err)
{
	if (!ctl_flag(ctl, "empty"))
		return pipe_require(pipe, "--empty takes every block out", err);
	if (json_array_size(pipe->program.ops))
		return pt_fail(err, -PT_EREQUEST, "empty", "either a graph or '--empty', not both");
	return 0;
}

static int apply(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	struct world world = {0};
	json_t *result = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	if (!code)
		code = world_init(&world, ctl, NULL, &err);
	if (!code)
		code = pipe_parse(&pipe, &world, &err);
	if (!code)
		code = check_emptiness(ctl, &pipe, &err);
	if (!code) {
		json_t *graph = json_object();
		pipe_graph(&pipe, graph);
		code = change_apply(ctl, ctl_text(ctl, "engine"), graph, &result, &err);
		if (code)
			pipe_locate(&pipe, &err);
	}
	world_fini(&world);
	pipe_fini(&pipe);
	return code ? ctl_refused(ctl, &err) : change_done(ctl, ctl_text(ctl, "engine"), result);
}
