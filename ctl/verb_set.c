/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl set, ptctl replace. */
#include "base/buf.h"
#include "ctl/change.h"
#include "ctl/pipe.h"
#include "ctl/world.h"
#include "lang/path.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>

static int set(struct ctl *);
static int replace(struct ctl *);

#define TARGET                                                                 \
	{                                                                      \
		.name = "engine.block", .doc = "Which block of which engine.", \
		.kind = PT_KIND_STRING, .flags = PT_REQUIRED                   \
	}

static const struct pt_param set_rows[] = {
	TARGET,
	{.name = "key=value",
         .doc = "Parameters; a value is a literal of the pipe language, a bare word is text.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_set = {
	.name = "set",
	.summary = "give a block other parameters",
	.help = "Parameters that 'ptctl help TYPE' shows as such can be set while the engine "
		"runs.\n"
		"\n"
		"  ptctl set p.sink rotate=\"{'size': '10MiB'}\"",
	.params = set_rows,
	.run = set,
};

static const struct pt_param replace_rows[] = {
	TARGET,
	{.name = "type(…)",
         .doc = "The block that takes its place, as 'Drain()'; links and name stay.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	PIPE_DEFINE,
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_replace = {
	.name = "replace",
	.summary = "put another block in the place of one",
	.params = replace_rows,
	.run = replace,
};

/* ---- set ---- */

static int add_value(struct world *w, const struct pt_param *rows, const char *word, json_t *params,
                     struct pt_error *err)
{
	const char *equals = strchr(word, '=');
	json_t *value;
	if (!equals || equals == word)
		return pt_fail(err, -PT_EREQUEST, NULL, "'%s' is not KEY=VALUE", word);
	int code = lang_parse_value(equals + 1, strlen(equals + 1), &value, err);
	if (code)
		return code;
	char *key = must_printf("%.*s", (int)(equals - word), word);
	path_resolve(param_find(rows, key), &value, w->directory, NULL);
	json_object_set_new(params, key, value);
	free(key);
	return 0;
}

static int read_values(struct ctl *ctl, const char *engine, const char *name, json_t *params,
                       struct pt_error *err)
{
	struct world world;
	const struct pt_param *rows = NULL;
	size_t i;
	json_t *word;
	int code = world_init(&world, ctl, engine, err);
	const json_t *block = world_block(&world, name);
	if (block && json_string_value(json_object_get(block, "type")))
		rows = world_params(&world, json_string_value(json_object_get(block, "type")));
	json_array_foreach (ctl_many(ctl, "key=value"), i, word)
		if (!code)
			code = add_value(&world, rows, json_string_value(word), params, err);
	world_fini(&world);
	return code;
}

static int run_one(struct ctl *ctl, const char *engine, json_t *op)
{
	json_t *ops = json_array();
	json_array_append_new(ops, op);
	return change_run(ctl, engine, ops);
}

static int set(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	char *engine, *name;
	int status;
	if (ctl_split(ctl_text(ctl, "engine.block"), &engine, &name, &err))
		return ctl_refused(ctl, &err);
	json_t *op = change_op("set", name), *params = json_object();
	json_object_set_new(op, "params", params);
	if (read_values(ctl, engine, name, params, &err)) {
		json_decref(op);
		status = ctl_refused(ctl, &err);
	} else {
		status = run_one(ctl, engine, op);
	}
	free(engine);
	free(name);
	return status;
}

/* ---- replace ---- */

static int read_block(struct ctl *ctl, json_t **block, struct pt_error *err)
{
	struct world world;
	const char *text = ctl_text(ctl, "type(…)");
	int code = world_init(&world, ctl, NULL, err);
	struct lang_env env = world_env(&world);
	if (!code)
		code = lang_parse_block(text, strlen(text), &env, block, err);
	world_fini(&world);
	return code;
}

static int replace(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	char *engine, *name;
	json_t *block;
	int status;
	if (ctl_split(ctl_text(ctl, "engine.block"), &engine, &name, &err))
		return ctl_refused(ctl, &err);
	if (read_block(ctl, &block, &err)) {
		status = ctl_refused(ctl, &err);
	} else {
		json_t *op = change_op("replace", name);
		json_object_update(op, block);
		json_object_set_new(op, "op", json_string("replace"));
		json_object_set_new(op, "name", json_string(name));
		json_decref(block);
		status = run_one(ctl, engine, op);
	}
	free(engine);
	free(name);
	return status;
}
