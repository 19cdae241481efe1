/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl remove, unlink, set, replace. */
#include "base/json.h"
#include "base/name.h"
#include "ctl/change.h"
#include "ctl/world.h"
#include "lang/path.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>

/* ---- only what is there ---- */

/* The operations that have something to do; of several that are the same, the first. */
static json_t *only_needed(const json_t *shown, const json_t *ops)
{
	json_t *needed = json_array();
	json_each (op, json_of(ops))
		if (!json_has(needed, op) && change_same(shown, op))
			json_array_append(needed, op);
	return needed;
}

/* Somebody else may be at it, too: then what is there is looked at again. */
static int take_away_if_there(struct ctl *ctl, const json_t *ops, json_t **result,
                              struct pt_error *err)
{
	enum { TRIES = 20 };
	int code = -PT_ENOBLOCK;
	for (int tries = 0; (code == -PT_ENOBLOCK || code == -PT_EBADLINK) && tries < TRIES;
	     tries++) {
		json_t *shown;
		pt_error_clear(err);
		code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, err);
		if (code)
			return code;
		json_t *needed = only_needed(shown, ops);
		if (json_array_size(needed))
			code = change_send(ctl, json_incref(needed), result, err);
		else
			*result = change_none(json_object_get(shown, "revision"));
		json_decref(needed);
		json_decref(shown);
	}
	return code;
}

/* Takes the operations. */
static int take_away(struct ctl *ctl, json_t *ops)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result = NULL;
	int code = ctl_flag(ctl, "if_exists") ? take_away_if_there(ctl, ops, &result, &err)
	                                      : change_send(ctl, json_incref(ops), &result, &err);
	json_decref(ops);
	int status = ctl_end(ctl, code, result, &err);
	return code == -PT_EBADLINK ? EXIT_NOT_FOUND : status;
}

int verb_remove(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_array();
	json_each (name, ctl_many(ctl, "block")) {
		const char *block = json_string_value(name);
		if (!name_is_block(block))
			pt_fail(&err, -PT_EREQUEST, NULL,
			        "'%s' is no name of a block, which stands alone here", block);
		json_array_append_new(ops, change_op("remove", block));
	}
	if (!err.count)
		return take_away(ctl, ops);
	json_decref(ops);
	return ctl_refused(ctl, &err);
}

static int add_links(json_t *ops, const json_t *text, struct pt_error *err)
{
	json_t *links;
	int code = lang_parse_links(json_string_value(text), json_string_length(text), &links, err);
	if (code)
		return code;
	if (!json_array_size(links))
		code = pt_fail(err, -PT_EREQUEST, "links",
		               "'%s' names no link; write it as 'a > b'", json_string_value(text));
	json_each (link, links) {
		json_object_set_new(link, "op", json_string("unlink"));
		json_array_append(ops, link);
	}
	json_decref(links);
	return code;
}

int verb_unlink(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_array();
	json_each (text, ctl_many(ctl, "links")) {
		if (add_links(ops, text, &err)) {
			json_decref(ops);
			return ctl_refused(ctl, &err);
		}
	}
	return take_away(ctl, ops);
}

/* ---- one block ---- */

/* Takes the operation, of which there may be a fault. */
static int run_one(struct ctl *ctl, int code, json_t *op, struct pt_error *err)
{
	json_t *ops = json_array();
	json_array_append_new(ops, op);
	if (!code)
		return change_run(ctl, ops);
	json_decref(ops);
	return ctl_refused(ctl, err);
}

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

int verb_set(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct world world;
	json_t *op = change_op("set", ctl->block), *params = json_object();
	int code = world_init(&world, ctl, ctl->engine, &err);
	const char *type = text_of(world_block(&world, ctl->block), "type");
	const struct pt_param *rows = *type ? world_params(&world, type) : NULL;
	json_object_set_new(op, "params", params);
	json_each (word, ctl_many(ctl, "key=value"))
		if (!code)
			code = add_value(&world, rows, json_string_value(word), params, &err);
	code = world_verdict(&world, code, &err);
	world_fini(&world);
	return run_one(ctl, code, op, &err);
}

int verb_replace(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct world world;
	const char *text = ctl_text(ctl, "type(…)");
	json_t *block = NULL, *op = change_op("replace", ctl->block);
	int code = world_init(&world, ctl, NULL, &err);
	struct lang_env env = world_env(&world);
	if (!code)
		code = lang_parse_block(text, strlen(text), &env, &block, &err);
	code = world_verdict(&world, code, &err);
	json_object_update_missing(op, block);
	json_decref(block);
	world_fini(&world);
	return run_one(ctl, code, op, &err);
}
