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
	if (!code) {
		json_t *graph = json_object();
		pipe_graph(&pipe, graph);
		code = change_apply(ctl, ctl_text(ctl, "engine"), graph, &result, &err);
		if (code)
			pipe_locate(&pipe, &err);
	}
	world_fini(&world);
	pipe_fini(&pipe);
	return code ? ctl_refused(ctl, &err) : change_done(ctl, result);
}
