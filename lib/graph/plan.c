/* SPDX-License-Identifier: BSD-2-Clause */
/* The difference between two graphs. */
#include "graph/plan.h"

#include "base/buf.h"
#include "msg/json.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>

static json_t *effective(const struct pt_param *row, const json_t *params)
{
	json_t *given = json_object_get(params, row->name);
	return given ? json_incref(given) : param_default(row);
}

static bool differs(const struct pt_param *row, const struct graph_block *old,
                    const struct graph_block *fresh)
{
	json_t *x = effective(row, old->params), *y = effective(row, fresh->params);
	bool different =
		(!json_equal(x, y) && (x || y)) || (fresh->handed && graph_is_descriptor(row, y));
	json_decref(x);
	json_decref(y);
	return different;
}

static enum plan_action compare(const struct graph_block *old, const struct graph_block *fresh)
{
	if (!old)
		return PLAN_ADD;
	if (old->type != fresh->type)
		return PLAN_REPLACE;
	enum plan_action action = PLAN_KEEP;
	for (const struct pt_param *row = fresh->type->params; row && row->name; row++) {
		if (!differs(row, old, fresh))
			continue;
		if (!(row->flags & PT_LIVE))
			return PLAN_RESTART;
		action = PLAN_SET;
	}
	return action;
}

void plan_blocks(const struct graph *now, const struct graph *wanted, enum plan_action *actions)
{
	for (unsigned i = 0; i < wanted->count; i++)
		actions[i] = compare(graph_find(now, wanted->blocks[i]->name), wanted->blocks[i]);
}

static void add_block(json_t *ops, const char *op, const struct graph_block *b)
{
	json_array_append_new(ops, json_pack("{s:s, s:O, s:O, s:O}", "op", op, "name", b->name_json,
	                                     "type", b->type_json, "params", b->params));
}

/* Only what differs, defaults spelled out. */
static void add_set(json_t *ops, const struct graph_block *old, const struct graph_block *b,
                    bool restart)
{
	json_t *params = json_object();
	for (const struct pt_param *row = b->type->params; row && row->name; row++)
		if (differs(row, old, b))
			json_object_set_new(params, row->name, effective(row, b->params));
	json_t *op =
		json_pack("{s:s, s:O, s:o}", "op", "set", "name", b->name_json, "params", params);
	if (restart)
		json_object_set_new(op, "restart", json_true());
	json_array_append_new(ops, op);
}

static void add_link(json_t *ops, const char *op, const struct graph_link *l)
{
	json_array_append_new(ops, json_pack("{s:s, s:O, s:O, s:s}", "op", op, "from",
	                                     l->from->name_json, "to", l->to->name_json, "canal",
	                                     canal_name(l->canal)));
}

/* Links by name, each with its place (from 1) in the other graph. */
struct links {
	struct map places;
	char **keys;
	unsigned count;
};

static void index_links(const struct graph *g, struct links *links)
{
	*links =
		(struct links){MAP_INIT, must_calloc(g->link_count, sizeof(char *)), g->link_count};
	for (unsigned i = 0; i < g->link_count; i++) {
		links->keys[i] = graph_link_key(&g->links[i]);
		map_set(&links->places, links->keys[i], (void *)(uintptr_t)(i + 1));
	}
}

static void links_free(struct links *links)
{
	for (unsigned i = 0; i < links->count; i++)
		free(links->keys[i]);
	free(links->keys);
	map_free(&links->places);
}

/* Marks the links of `wanted` that may stay: those that are there now and come, at their exit,
   after all that stay before them. */
static bool *find_staying(const struct graph *now, const struct graph *wanted,
                          const struct links *there)
{
	bool *stays = must_calloc(wanted->link_count, sizeof *stays);
	uintptr_t *reached = must_calloc(wanted->count * 3 + 1, sizeof *reached);
	bool *broken = must_calloc(wanted->count * 3 + 1, sizeof *broken);
	for (unsigned i = 0; i < wanted->link_count; i++) {
		const struct graph_link *l = &wanted->links[i];
		unsigned exit = l->from->index * 3 + (unsigned)l->canal;
		char *key = graph_link_key(l);
		uintptr_t place = (uintptr_t)map_get(&there->places, key);
		free(key);
		if (!place || place < reached[exit] || broken[exit]) {
			broken[exit] = true;
			continue;
		}
		stays[i] = true;
		reached[exit] = place;
	}
	free(reached);
	free(broken);
	return stays;
}

/* Unlinking comes first and linking last: a block that is replaced meanwhile may lack a port. */
static void add_links(json_t *before, json_t *after, const struct graph *now,
                      const struct graph *wanted)
{
	struct links there, staying;
	index_links(now, &there);
	index_links(wanted, &staying);
	bool *stays = find_staying(now, wanted, &there);
	for (unsigned i = 0; i < now->link_count; i++) {
		uintptr_t place = (uintptr_t)map_get(&staying.places, there.keys[i]);
		bool ends = !graph_find(wanted, now->links[i].from->name) ||
		            !graph_find(wanted, now->links[i].to->name);
		if (!ends && (!place || !stays[place - 1]))
			add_link(before, "unlink", &now->links[i]);
	}
	for (unsigned i = 0; i < wanted->link_count; i++)
		if (!stays[i])
			add_link(after, "link", &wanted->links[i]);
	free(stays);
	links_free(&there);
	links_free(&staying);
}

/* Of graphs with the same blocks and links. */
static bool is_same_text(const struct graph *now, const struct graph *wanted, bool exact)
{
	for (unsigned i = 0; i < now->count; i++) {
		const struct graph_block *a = now->blocks[i], *b = wanted->blocks[i];
		if (strcmp(a->name, b->name) || (exact && !json_equal(a->params, b->params)))
			return false;
	}
	for (unsigned i = 0; i < now->link_count; i++) {
		const struct graph_link *a = &now->links[i], *b = &wanted->links[i];
		if (a->canal != b->canal || strcmp(a->from->name, b->from->name) ||
		    strcmp(a->to->name, b->to->name))
			return false;
	}
	return true;
}

json_t *plan_to_json(const struct graph *now, const struct graph *wanted,
                     const enum plan_action *actions, bool exact)
{
	json_t *ops = json_array(), *links = json_array();
	add_links(ops, links, now, wanted);
	for (unsigned i = 0; i < now->count; i++)
		if (!graph_find(wanted, now->blocks[i]->name))
			json_array_append_new(ops, json_pack("{s:s, s:s}", "op", "remove", "name",
			                                     now->blocks[i]->name));
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct graph_block *b = wanted->blocks[i];
		switch (actions[i]) {
		case PLAN_KEEP: break;
		case PLAN_SET: add_set(ops, graph_find(now, b->name), b, false); break;
		case PLAN_RESTART: add_set(ops, graph_find(now, b->name), b, true); break;
		case PLAN_REPLACE: add_block(ops, "replace", b); break;
		case PLAN_ADD: add_block(ops, "add", b); break;
		}
	}
	json_array_extend(ops, links);
	json_decref(links);
	if (!json_array_size(ops) && !is_same_text(now, wanted, exact))
		json_array_append_new(ops, json_pack("{s:s}", "op", "order"));
	return ops;
}
