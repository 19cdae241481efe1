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
	{.name = "may_exist",
         .doc = "Blocks and links that are there already are no fault; name the blocks.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
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

/* ---- --may-exist ---- */

/* Whether the link is there, or a block of the name. */
static bool is_there(const json_t *shown, const json_t *op)
{
	bool is_link = json_object_get(op, "from");
	size_t i;
	json_t *item;
	json_array_foreach (json_object_get(shown, is_link ? "links" : "blocks"), i, item) {
		if (!is_link &&
		    json_equal(json_object_get(item, "name"), json_object_get(op, "name")))
			return true;
		if (is_link &&
		    json_equal(json_object_get(item, "from"), json_object_get(op, "from")) &&
		    json_equal(json_object_get(item, "to"), json_object_get(op, "to")) &&
		    json_equal(json_object_get(item, "canal"), json_object_get(op, "canal")))
			return true;
	}
	return false;
}

/* What is missing, and the blocks that are there, as if they were to be put in their own place. */
static void sort_ops(const json_t *shown, const json_t *ops, json_t *missing, json_t *same)
{
	size_t i;
	json_t *op;
	json_array_foreach ((json_t *)(uintptr_t)ops, i, op) {
		if (!is_there(shown, op)) {
			json_array_append(missing, op);
		} else if (!json_object_get(op, "from")) {
			json_t *replace = json_copy(op);
			json_object_set_new(replace, "op", json_string("replace"));
			json_array_append_new(same, replace);
		}
	}
}

/* The daemon knows what is the same: then it would do nothing. */
static int check_same(struct ctl *ctl, const char *engine, json_t *ops, struct pt_error *err)
{
	json_t *result, *params = json_object();
	if (!json_array_size(ops)) {
		json_decref(params);
		return 0;
	}
	json_object_set_new(params, "engine", json_string(engine));
	json_object_set(params, "ops", ops);
	json_object_set_new(params, "dry_run", json_true());
	int code = ctl_call_with_fds(ctl, "engine.change", params, &result, err);
	if (code)
		return code;
	const json_t *first = json_array_get(json_object_get(result, "plan"), 0);
	const char *name = json_string_value(json_object_get(first, "name"));
	if (name) {
		code = pt_fail(err, -PT_EEXISTS, NULL, "block '%s' is there, and is another", name);
		pt_hint(err, "'ptctl replace %s.%s' puts this one in its place", engine, name);
	}
	json_decref(result);
	return code;
}

static int add_missing(struct ctl *ctl, const struct world *world, const json_t *ops,
                       json_t **result, struct pt_error *err)
{
	const char *engine = ctl_text(ctl, "engine");
	json_t *missing = json_array(), *same = json_array();
	sort_ops(world->engine, ops, missing, same);
	int code = check_same(ctl, engine, same, err);
	json_decref(same);
	if (!code && json_array_size(missing))
		code = change_send(ctl, engine, json_incref(missing), result, err);
	else if (!code)
		*result = json_pack("{s:I, s:[]}", "revision", world_revision(world), "plan");
	json_decref(missing);
	return code;
}

/* ---- adding ---- */

/* One try. *revision is what the names were chosen for. */
static int try_add(struct ctl *ctl, struct pipe_text *pipe, json_int_t *revision, json_t **result,
                   struct pt_error *err)
{
	const char *engine = ctl_text(ctl, "engine");
	struct world world;
	int code = world_init(&world, ctl, engine, err);
	world.lenient = ctl_flag(ctl, "may_exist");
	if (!code)
		code = pipe_parse(pipe, &world, err);
	if (!code)
		code = pipe_require(pipe, "give what is to be added", err);
	if (code) {
		world_fini(&world);
		return code;
	}
	*revision = world_revision(&world);
	if (world.lenient)
		code = add_missing(ctl, &world, pipe->program.ops, result, err);
	else
		code = change_send(ctl, engine, json_incref(pipe->program.ops), result, err);
	if (code && !world.lenient)
		pipe_locate(pipe, err);
	world_fini(&world);
	return code;
}

/* Somebody may have taken, meanwhile, the name that a block made in place was to get. */
static bool raced(struct ctl *ctl, int code, json_int_t revision)
{
	struct world now;
	if ((code != -PT_EEXISTS && code != -PT_EBADLINK) ||
	    json_object_get(ctl->values, "if_revision"))
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
	if (!code)
		code = try_add(ctl, &pipe, &revision, &result, &err);
	for (int tries = 1; tries < TRIES && raced(ctl, code, revision); tries++) {
		pt_error_clear(&err);
		lang_program_free(&pipe.program);
		code = try_add(ctl, &pipe, &revision, &result, &err);
	}
	pipe_fini(&pipe);
	return code ? ctl_refused(ctl, &err) : change_done(ctl, ctl_text(ctl, "engine"), result);
}
