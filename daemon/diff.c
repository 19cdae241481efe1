/* SPDX-License-Identifier: BSD-2-Clause */
/* Both graphs are made, and planned as a change of one to the other is. */
#include "daemon/diff.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include "type/param.h"
#include "type/type.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int build(struct graph **graph, struct diff_side side, struct pt_error *err)
{
	*graph = graph_new();
	return side.ops ? graph_change(*graph, side.ops, UINT_MAX, err)
	                : graph_build(*graph, side.blocks, side.links, UINT_MAX, err);
}

int diff_ops(struct diff_side from, struct diff_side to, json_t **ops, struct pt_error *err)
{
	struct graph *now, *wanted;
	int code = build(&now, from, err), other = build(&wanted, to, err);
	code = code ? code : other;
	if (!code) {
		graph_adopt(wanted, now);
		enum plan_action *actions = must_calloc(wanted->count + 1, sizeof *actions);
		plan_blocks(now, wanted, actions);
		*ops = plan_to_json(now, wanted, actions, true);
		free(actions);
	}
	graph_free(now);
	graph_free(wanted);
	return code;
}

static json_t *value_of(const json_t *block, const char *key)
{
	json_t *given = json_object_get(json_object_get(block, "params"), key);
	const struct pt_type *type = type_find(text_of(block, "type"));
	const struct pt_param *row = type ? param_find(type->params, key) : NULL;
	json_t *value = given ? json_incref(given) : row ? param_default(row) : NULL;
	return value ? value : json_null();
}

static json_t *was_set(const json_t *op, const json_t *block)
{
	const char *key;
	json_t *value, *was = json_object();
	json_object_foreach (json_object_get(op, "params"), key, value)
		json_object_set_new(was, key, value_of(block, key));
	return was;
}

static json_t *was_of(const json_t *op, const json_t *block)
{
	const char *word = text_of(op, "op");
	if (block && !strcmp(word, "set"))
		return was_set(op, block);
	if (block && !strcmp(word, "replace"))
		return json_pack("{s:O, s:O?}", "type", json_object_get(block, "type"), "params",
		                 json_object_get(block, "params"));
	return json_null();
}

json_t *diff_was(const json_t *ops, const json_t *blocks)
{
	struct map names = MAP_INIT;
	json_t *all = json_array();
	bool some = false;
	json_each (block, blocks)
		if (*text_of(block, "name"))
			map_set(&names, text_of(block, "name"), block);
	json_each (op, ops) {
		json_t *was = was_of(op, map_get(&names, text_of(op, "name")));
		some |= !json_is_null(was);
		json_array_append_new(all, was);
	}
	map_free(&names);
	if (some)
		return all;
	json_decref(all);
	return NULL;
}
