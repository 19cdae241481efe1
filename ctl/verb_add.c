/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl add. */
#include "base/error.h"
#include "ctl/change.h"
#include "ctl/pipe.h"

enum { TRIES = 20 };

static int add(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	PIPE_ARGUMENTS(),
	PIPE_FILE,
	PIPE_DEFINE,
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_add = {
	.name = "add",
	.summary = "add blocks and links to an engine, also while it runs",
	.help = "The text may link blocks that the engine has already. What is added to a running "
		"engine runs at once.\n"
		"\n"
		"  ptctl add p 'd1 > WrpcapSink(\"copy.pcap\")'",
	.params = rows,
	.run = add,
};

/* One try. *revision is what the names were chosen for. */
static int try_add(struct ctl *ctl, struct pipe_text *pipe, json_int_t *revision, json_t **result,
                   struct pt_error *err)
{
	const char *engine = ctl_text(ctl, "engine");
	struct world world;
	int code = world_init(&world, ctl, engine, err);
	if (!code)
		code = pipe_parse(pipe, &world, err);
	if (!code) {
		*revision = world_revision(&world);
		code = change_send(ctl, engine, json_incref(pipe->program.ops), result, err);
		if (code)
			pipe_locate(pipe, err);
	}
	world_fini(&world);
	return code;
}

/* Somebody may have taken, meanwhile, the name that a block made in place was to get. */
static bool raced(struct ctl *ctl, int code, json_int_t revision)
{
	struct world now;
	if (code != -PT_EEXISTS || json_object_get(ctl->values, "if_revision"))
		return false;
	bool moved = !world_init(&now, ctl, ctl_text(ctl, "engine"), NULL) &&
	             world_revision(&now) != revision;
	world_fini(&now);
	return moved;
}

static int add(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	json_int_t revision = -1;
	json_t *result = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	if (!code && !pipe.text.length)
		code = pt_fail(&err, -PT_EREQUEST, NULL, "PIPE is missing: what is to be added?");
	if (!code)
		code = try_add(ctl, &pipe, &revision, &result, &err);
	for (int tries = 1; tries < TRIES && raced(ctl, code, revision); tries++) {
		pt_error_clear(&err);
		lang_program_free(&pipe.program);
		code = try_add(ctl, &pipe, &revision, &result, &err);
	}
	pipe_fini(&pipe);
	return code ? ctl_refused(ctl, &err) : change_done(ctl, result);
}
