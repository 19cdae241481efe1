/* SPDX-License-Identifier: BSD-2-Clause */
/* The difference between two graphs. */
#include "graph/plan.h"

#include "base/buf.h"
#include "type/param.h"
#include <limits.h>
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
	if (old->params == fresh->params && !fresh->handed)
		return PLAN_KEEP;
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

static const struct graph_block *before(const struct graph *now, const struct graph_block *b)
{
	return b->was ? now->blocks[b->was - 1] : NULL;
}

void plan_blocks(const struct graph *now, const struct graph *wanted, enum plan_action *actions)
{
	for (unsigned i = 0; i < wanted->count; i++)
		actions[i] = compare(before(now, wanted->blocks[i]), wanted->blocks[i]);
}

static void add_block(json_t *ops, const char *op, const struct graph_block *b)
{
	json_array_append_new(ops, json_pack("{s:s, s:s, s:O, s:O}", "op", op, "name", b->name,
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
	json_t *op = json_pack("{s:s, s:s, s:o}", "op", "set", "name", b->name, "params", params);
	if (restart)
		json_object_set_new(op, "restart", json_true());
	json_array_append_new(ops, op);
}

static void add_link(json_t *ops, const char *op, const struct graph_link *l)
{
	json_t *json = json_pack("{s:s}", "op", op);
	json_object_update(json, l->row);
	json_array_append_new(ops, json);
}

/* Marks the links of `wanted` that may stay: those that are there now and come, at their exit,
   after all that stay before them. */
static bool *find_staying(const struct graph *wanted)
{
	bool *stays = must_calloc(wanted->link_count, sizeof *stays);
	unsigned *reached = must_calloc(wanted->count * 3 + 1, sizeof *reached);
	for (unsigned i = 0; i < wanted->link_count; i++) {
		const struct graph_link *l = &wanted->links[i];
		unsigned *at = &reached[l->from->index * 3 + (unsigned)l->canal];
		stays[i] = l->was > *at;
		*at = stays[i] ? l->was : UINT_MAX; /* none behind it stays */
	}
	free(reached);
	return stays;
}

/* Which of `now` are in `wanted`, too. */
static bool *find_kept(const struct graph *now, const struct graph *wanted)
{
	bool *kept = must_calloc(now->count, sizeof *kept);
	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->blocks[i]->was)
			kept[wanted->blocks[i]->was - 1] = true;
	return kept;
}

/* Unlinking comes first and linking last: a block that is replaced meanwhile may lack a port. */
static void add_links(json_t *before, json_t *after, const struct graph *now,
                      const struct graph *wanted, const bool *kept)
{
	bool *stays = find_staying(wanted), *stay_now = must_calloc(now->link_count, 1);
	for (unsigned i = 0; i < wanted->link_count; i++)
		if (stays[i])
			stay_now[wanted->links[i].was - 1] = true;
		else
			add_link(after, "link", &wanted->links[i]);
	for (unsigned i = 0; i < now->link_count; i++) {
		const struct graph_link *l = &now->links[i];
		if (!stay_now[i] && kept[l->from->index] && kept[l->to->index])
			add_link(before, "unlink", l);
	}
	free(stay_now);
	free(stays);
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
	bool *kept = find_kept(now, wanted);
	add_links(ops, links, now, wanted, kept);
	for (unsigned i = 0; i < now->count; i++)
		if (!kept[i])
			json_array_append_new(ops, json_pack("{s:s, s:s}", "op", "remove", "name",
			                                     now->blocks[i]->name));
	free(kept);
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct graph_block *b = wanted->blocks[i];
		switch (actions[i]) {
		case PLAN_KEEP: break;
		case PLAN_SET: add_set(ops, before(now, b), b, false); break;
		case PLAN_RESTART: add_set(ops, before(now, b), b, true); break;
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

/* ---- lists ---- */

struct delta {
	json_t *list;
	unsigned place, count; /* of a run that may go on */
};

static void end_run(struct delta *d)
{
	if (d->count)
		json_array_append_new(d->list, json_pack("[i, i]", (int)d->place, (int)d->count));
	d->count = 0;
}

/* `was`: its place in the list before + 1; 0: it was not there. */
static void add_row(struct delta *d, unsigned was, json_t *row)
{
	if (d->count && was == d->place + d->count + 1) {
		d->count++;
		return;
	}
	end_run(d);
	if (was) {
		d->place = was - 1;
		d->count = 1;
	} else {
		json_array_append(d->list, row);
	}
}

json_t *plan_blocks_delta(const struct graph *now, const struct graph *wanted)
{
	struct delta d = {.list = json_array()};
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct graph_block *b = wanted->blocks[i], *was = before(now, b);
		add_row(&d, was && was->row == b->row ? b->was : 0, b->row);
	}
	end_run(&d);
	return d.list;
}

json_t *plan_links_delta(const struct graph *now, const struct graph *wanted)
{
	struct delta d = {.list = json_array()};
	for (unsigned i = 0; i < wanted->link_count; i++) {
		const struct graph_link *l = &wanted->links[i];
		add_row(&d, l->was && now->links[l->was - 1].row == l->row ? l->was : 0, l->row);
	}
	end_run(&d);
	return d.list;
}
