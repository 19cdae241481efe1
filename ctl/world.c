/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pipe language has to know of the daemon: its types, and an engine's blocks. */
#include "ctl/world.h"

#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world_type {
	struct world_type *next;
	json_t *json; /* what type.show answered */
	struct pt_param *rows;
};

/* ---- rows, as far as the language asks for them ---- */

static struct pt_param *rows_of(const json_t *params)
{
	struct pt_param *rows = must_calloc(json_array_size(params) + 1, sizeof *rows), *row = rows;
	json_each (param, params) {
		const char *kind = json_string_value(json_object_get(param, "kind"));
		const char *access = json_string_value(json_object_get(param, "access"));
		if (!*text_of(param, "name"))
			continue;
		row->name = text_of(param, "name");
		row->kind = PT_KIND_JSON;
		if (kind)
			param_kind_parse(kind, &row->kind);
		if (json_is_true(json_object_get(param, "required")))
			row->flags = PT_REQUIRED;
		if (access)
			row->flags |= strcmp(access, "write") ? PT_READ : PT_WRITE;
		if (json_object_get(param, "members"))
			row->members = rows_of(json_object_get(param, "members"));
		row++;
	}
	return rows;
}

static void free_rows(const struct pt_param *rows)
{
	for (const struct pt_param *row = rows; row->name; row++)
		if (row->members)
			free_rows(row->members);
	free((void *)(uintptr_t)rows);
}

const struct pt_param *world_params(struct world *w, const char *type)
{
	json_t *json = NULL;
	for (struct world_type *t = w->shown; t; t = t->next)
		if (!strcmp(text_of(t->json, "name"), type))
			return t->rows;
	if (w->lost.count || !item_of(json_object_get(w->types, "types"), "name", type))
		return NULL;
	int code = ctl_call(w->ctl, "type.show", json_pack("{s:s}", "type", type), &json, &w->lost);
	if (code == -PT_ENOTYPE) /* since they were listed */
		pt_error_clear(&w->lost);
	if (code)
		return NULL;
	struct world_type *t = must_calloc(1, sizeof *t);
	*t = (struct world_type){w->shown, json, rows_of(json_object_get(json, "params"))};
	w->shown = t;
	return t->rows;
}

/* ---- the language's questions ---- */

static const struct pt_param *params(void *arg, const char *type)
{
	return world_params(arg, type);
}

typedef void each_name(void *, const char *);

static void each_of(const json_t *list, each_name *each, void *each_arg)
{
	json_each (item, list)
		each(each_arg, text_of(item, "name"));
}

static void types(void *arg, each_name *each, void *each_arg)
{
	const struct world *w = arg;
	each_of(json_object_get(w->types, "types"), each, each_arg);
}

static void blocks(void *arg, each_name *each, void *each_arg)
{
	const struct world *w = arg;
	each_of(json_object_get(w->engine, "blocks"), each, each_arg);
}

static bool exists(void *arg, const char *block)
{
	return world_block(arg, block);
}

const json_t *world_block(const struct world *w, const char *name)
{
	return item_of(json_object_get(w->engine, "blocks"), "name", name);
}

struct lang_env world_env(struct world *w)
{
	return (struct lang_env){
		.params = params,
		.types = types,
		.exists = exists,
		.blocks = blocks,
		.directory = w->directory,
		.constants = w->constants,
		.arg = w,
	};
}

static int read_constants(struct world *w, struct pt_error *err)
{
	json_t *value;
	w->constants = json_object();
	json_each (word, ctl_many(w->ctl, "define")) {
		const char *text = json_string_value(word), *equals = strchr(text, '=');
		char *name = must_printf("%.*s", (int)strcspn(text, "="), text);
		int code = 0;
		if (!equals || !name_is_block(name))
			code = pt_fail(err, -PT_EREQUEST, "define",
			               "'-D %s' is not NAME=VALUE, as -D iface=eth0", text);
		else
			code = lang_parse_value(equals + 1, strlen(equals + 1), &value, err);
		if (!code)
			json_object_set_new(w->constants, name, value);
		free(name);
		if (code)
			return code;
	}
	return 0;
}

int world_init(struct world *w, struct ctl *ctl, const char *engine, struct pt_error *err)
{
	*w = (struct world){.ctl = ctl, .directory = getcwd(NULL, 0)};
	int code = read_constants(w, err);
	if (!code)
		code = ctl_call(ctl, "type.list", NULL, &w->types, err);
	if (!code && engine)
		code = ctl_call(ctl, "engine.show", json_pack("{s:s}", "engine", engine),
		                &w->engine, err);
	return code;
}

int world_verdict(struct world *w, int code, struct pt_error *err)
{
	if (!w->lost.count)
		return code;
	code = w->lost.faults[0].code;
	pt_error_clear(err);
	error_move(err, &w->lost);
	return code;
}

void world_fini(struct world *w)
{
	pt_error_clear(&w->lost);
	while (w->shown) {
		struct world_type *t = w->shown;
		w->shown = t->next;
		free_rows(t->rows);
		json_decref(t->json);
		free(t);
	}
	json_decref(w->types);
	json_decref(w->engine);
	json_decref(w->constants);
	free(w->directory);
	*w = (struct world){0};
}
