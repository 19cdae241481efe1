/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks and links as data, and the operations that change them. */
#include "graph/graph.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "base/near.h"
#include "graph/order.h"
#include "graph/ways.h"
#include "msg/json.h"
#include "type/param.h"
#include "type/type.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static uint64_t new_id(void)
{
	static _Atomic uint64_t last;
	return atomic_fetch_add(&last, 1) + 1;
}

struct graph *graph_new(void)
{
	struct graph *g = must_calloc(1, sizeof *g);
	g->id = new_id();
	return g;
}

/* What was found out about it. */
static void forget(struct graph *g)
{
	ways_forget(g);
	order_forget(g);
	free(g->sorted);
	g->sorted = NULL;
}

/* ---- rows ---- */

/* Takes the row. */
static void set_row(struct graph_block *b, const struct pt_type *type, json_t *row)
{
	json_decref(b->row);
	b->row = row;
	b->type = type;
	b->name = json_string_value(json_object_get(row, "name"));
	b->type_json = json_object_get(row, "type");
	b->params = json_object_get(row, "params");
}

static bool has_all(const json_t *item, const char *third)
{
	return json_object_size(item) == 3 && json_object_get(item, third);
}

/* What a request gives is the row itself, where it says no more and no less. Takes `params`. */
static json_t *block_row(json_t *item, json_t *name, json_t *type, json_t *params)
{
	bool is_row = has_all(item, "name") && json_object_get(item, "params") == params;
	json_t *row =
		is_row ? json_incref(item)
		       : json_pack("{s:O, s:O, s:O}", "name", name, "type", type, "params", params);
	json_decref(params);
	return row;
}

static json_t *link_row(json_t *item, enum pt_canal canal)
{
	return has_all(item, "canal") && json_object_get(item, "from")
	               ? json_incref(item)
	               : json_pack("{s:O, s:O, s:s}", "from", json_object_get(item, "from"), "to",
	                           json_object_get(item, "to"), "canal", canal_name(canal));
}

/* ---- blocks ---- */

static void make_room(struct graph *g)
{
	if (!(g->count & (g->count - 1)))
		g->blocks = must_realloc(g->blocks, g->count ? 2 * g->count : 1,
		                         sizeof(struct graph_block *));
}

/* Takes the row. */
static void block_add(struct graph *g, const struct pt_type *type, json_t *row)
{
	struct graph_block *b = must_calloc(1, sizeof *b);
	set_row(b, type, row);
	b->index = g->count;
	make_room(g);
	g->blocks[g->count++] = b;
	map_set(&g->names, b->name, b);
}

static void block_free(struct graph_block *b)
{
	json_decref(b->row);
	if (!b->in_slab)
		free(b);
}

/* ---- links, and where they stand ---- */

/* Where the link is, or would be, in the table. */
static unsigned *link_place(const struct graph *g, const struct graph_link *l)
{
	uint64_t hash = ((uint64_t)l->from->index << 32 | l->to->index) * 3 + (uint64_t)l->canal;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	for (unsigned at = (unsigned)(hash >> 32);; at++) {
		unsigned *place = &g->link_places[at & (g->link_room - 1)];
		const struct graph_link *there = *place ? &g->links[*place - 1] : NULL;
		if (!there || (there->from == l->from && there->to == l->to &&
		               there->canal == l->canal && !there->gone))
			return place;
	}
}

/* At most two thirds of it are used. */
static void index_links(struct graph *g)
{
	unsigned room = 16;
	while (room < 2 * (g->link_count + 1))
		room *= 2;
	free(g->link_places);
	g->link_places = must_calloc(room, sizeof *g->link_places);
	g->link_room = room;
	for (unsigned i = 0; i < g->link_count; i++)
		*link_place(g, &g->links[i]) = i + 1;
}

static struct graph_link *find_link(struct graph *g, const struct graph_link *wanted)
{
	if (g->link_room < (g->link_count + 1) * 3 / 2)
		index_links(g);
	unsigned number = *link_place(g, wanted);
	return number ? &g->links[number - 1] : NULL;
}

static void link_add(struct graph *g, struct graph_link link)
{
	if (!(g->link_count & (g->link_count - 1)))
		g->links = must_realloc(g->links, g->link_count ? 2 * g->link_count : 1,
		                        sizeof *g->links);
	g->links[g->link_count++] = link;
	if (g->link_room >= (g->link_count + 1) * 3 / 2)
		*link_place(g, &link) = g->link_count;
	else
		g->link_room = 0;
}

/* ---- copies ---- */

static unsigned room_of(unsigned count)
{
	unsigned room = 1;
	while (room <= count)
		room *= 2;
	return room;
}

static void copy_blocks(struct graph *copy, const struct graph *g)
{
	copy->count = g->count;
	copy->blocks = must_calloc(room_of(g->count), sizeof(struct graph_block *));
	copy->slab = must_calloc(g->count, sizeof *copy->slab);
	for (unsigned i = 0; i < g->count; i++) {
		struct graph_block *b = copy->blocks[i] = &copy->slab[i];
		*b = *g->blocks[i];
		json_incref(b->row);
		b->was = i + 1;
		b->in_slab = true;
		b->handed = false;
	}
}

static void copy_links(struct graph *copy, const struct graph *g)
{
	copy->link_count = g->link_count;
	copy->links = must_calloc(room_of(g->link_count), sizeof *copy->links);
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		copy->links[i] = (struct graph_link){.row = json_incref(l->row),
		                                     .from = copy->blocks[l->from->index],
		                                     .to = copy->blocks[l->to->index],
		                                     .canal = l->canal,
		                                     .was = i + 1,
		                                     .op = -1,
		                                     .alive = l->alive};
	}
	if (!g->link_room)
		return;
	copy->link_room = g->link_room;
	copy->link_places = must_calloc(g->link_room, sizeof *g->link_places);
	memcpy(copy->link_places, g->link_places, g->link_room * sizeof *g->link_places);
}

static void *copied(void *copy, void *block)
{
	return ((struct graph *)copy)->blocks[((struct graph_block *)block)->index];
}

struct graph *graph_copy(const struct graph *g)
{
	struct graph *copy = graph_new();
	copy->of = g->id;
	copy_blocks(copy, g);
	copy_links(copy, g);
	map_copy(&copy->names, &g->names, copied, copy);
	return copy;
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->count; i++)
		block_free(g->blocks[i]);
	for (unsigned i = 0; i < g->link_count; i++)
		json_decref(g->links[i].row);
	map_free(&g->names);
	forget(g);
	free(g->slab);
	free(g->blocks);
	free(g->links);
	free(g->link_places);
	free(g);
}

char *graph_link_key(const struct graph_link *l)
{
	return must_printf("%s%s%s", l->from->name, graph_link_sign(l->canal), l->to->name);
}

/* Rows that say the same are one: who keeps both keeps it once. The key of a map is in the row. */
static void adopt_block(struct graph *wanted, struct graph_block *b, const struct graph *now)
{
	const struct graph_block *old = graph_find(now, b->name);
	b->was = old ? old->index + 1 : 0;
	b->alive = old ? old->alive : NULL;
	b->place = old ? old->place : 0;
	if (!old || !json_equal(b->row, old->row))
		return;
	map_set(&wanted->names, old->name, b);
	set_row(b, b->type, json_incref(old->row));
}

static void adopt_link(struct graph_link *l, struct graph *now)
{
	struct graph_link wanted = *l;
	const struct graph_link *found = NULL;
	if (l->from->was && l->to->was) {
		wanted.from = now->blocks[l->from->was - 1];
		wanted.to = now->blocks[l->to->was - 1];
		found = find_link(now, &wanted);
	}
	l->was = found ? (unsigned)(found - now->links) + 1 : 0;
	l->alive = found ? found->alive : NULL;
	if (!found || !json_equal(l->row, found->row))
		return;
	json_decref(l->row);
	l->row = json_incref(found->row);
}

void graph_adopt(struct graph *wanted, struct graph *now)
{
	bool is_copy = wanted->of == now->id;
	for (unsigned i = 0; i < wanted->count; i++)
		if (!is_copy || !wanted->blocks[i]->was)
			adopt_block(wanted, wanted->blocks[i], now);
	for (unsigned i = 0; i < wanted->link_count; i++)
		if (!is_copy || !wanted->links[i].was)
			adopt_link(&wanted->links[i], now);
	wanted->of = now->id;
}

struct graph_block *graph_find(const struct graph *g, const char *name)
{
	return map_get(&g->names, name);
}

/* ---- operations ---- */

struct op {
	struct graph *graph;
	const json_t *json;
	const char *list; /* where it stands: ops, blocks or links */
	int index;
	unsigned limit;
	struct pt_error *err;
};

static const char *text(const struct op *op, const char *member)
{
	const char *given = json_string_value(json_object_get(op->json, member));
	return given ? given : "";
}

/* "ops[3].from". Yours to free. */
static char *path_of(const struct op *op, const char *member)
{
	return must_printf("%s[%d]%s%s", op->list, op->index, member ? "." : "",
	                   member ? member : "");
}

static int fail(const struct op *op, int code, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(const struct op *op, int code, const char *member, const char *fmt, ...)
{
	char *path = path_of(op, member);
	va_list args;
	va_start(args, fmt);
	error_vfail(op->err, code, path, fmt, args);
	va_end(args);
	free(path);
	return code;
}

static int get(const struct op *op, const char *member, struct graph_block **block)
{
	const char *name = text(op, member);
	*block = graph_find(op->graph, name);
	if (*block)
		return 0;
	struct near near = near_init(name);
	bool is_told = op->err->count < ERROR_FAULTS_MAX;
	for (unsigned i = 0; is_told && i < op->graph->count; i++)
		if (!op->graph->blocks[i]->gone)
			near_try(&near, op->graph->blocks[i]->name);
	return fail(op, -PT_ENOBLOCK, member, "no block '%s' here%s", name, near_say(&near, ""));
}

/* Stands in for what could not be read, so that links to it are no second fault. */
static const struct pt_type unknown_type = {.name = "?", .ports = 63};

static int read_type(const struct op *op, const struct pt_type **type, json_t **params)
{
	size_t before = op->err->count;
	char *path = path_of(op, "type");
	*type = type_get(text(op, "type"), path, op->err);
	free(path);
	if (!*type) {
		*type = &unknown_type;
		*params = NULL;
		return -PT_ENOTYPE;
	}
	*params = json_object_get(op->json, "params");
	int rc = param_check((*type)->params, *params, op->err);
	path = path_of(op, "params");
	error_prefix(op->err, before, path);
	free(path);
	return rc;
}

static json_t *given(json_t *params)
{
	return params ? json_incref(params) : json_object();
}

static int op_add(const struct op *op)
{
	const char *name = text(op, "name");
	const struct pt_type *type;
	json_t *params;
	int rc = read_type(op, &type, &params);
	if (!name_is_block(name))
		return fail(
			op, -PT_EPARAM, "name",
			"'%s' is no name: a letter or '_', then letters, digits, '_', at most 64",
			name);
	if (graph_find(op->graph, name))
		return fail(op, -PT_EEXISTS, "name", "there is a block '%s' already", name);
	if (op->graph->count - op->graph->gone_count >= op->limit)
		return fail(op, -PT_ELIMIT, NULL,
		            "an engine has at most %u blocks: the limit is reached", op->limit);
	json_t *item = (json_t *)(uintptr_t)op->json;
	block_add(op->graph, type,
	          block_row(item, json_object_get(item, "name"), json_object_get(item, "type"),
	                    given(params)));
	return rc;
}

static int op_remove(const struct op *op)
{
	struct graph_block *b;
	int rc = get(op, "name", &b);
	if (rc)
		return rc;
	b->gone = op->graph->has_gaps = true;
	op->graph->gone_count++;
	map_remove(&op->graph->names, b->name);
	return 0;
}

static bool link_is_gone(const struct graph_link *l)
{
	return l->gone || l->from->gone || l->to->gone;
}

/* Whatever operations have removed: once for all of them. */
static void close_gaps(struct graph *g)
{
	unsigned links = g->link_count, count = g->count;
	if (!g->has_gaps)
		return;
	g->has_gaps = false;
	g->count = g->link_count = 0;
	for (unsigned i = 0; i < links; i++)
		if (link_is_gone(&g->links[i]))
			json_decref(g->links[i].row);
		else
			g->links[g->link_count++] = g->links[i];
	for (unsigned i = 0; i < count; i++) {
		struct graph_block *b = g->blocks[i];
		b->index = g->count;
		g->blocks[g->count] = b;
		g->count += !b->gone;
		if (b->gone)
			block_free(b);
	}
	if (g->link_count != links || g->count != count)
		g->link_room = 0; /* what it has are their places */
	g->gone_count = 0;
}

const char *graph_link_sign(enum pt_canal canal)
{
	static const char *const signs[] = {" > ", " >> ", " ^ "};
	return signs[canal];
}

char *graph_port_words(unsigned ports)
{
	static const struct {
		unsigned port;
		const char *words;
	} names[] = {
		{PT_LOW_ENTRY, "a low entry"},         {PT_HIGH_ENTRY, "a high entry"},
		{PT_LOW_EXIT, "a low exit"},           {PT_HIGH_EXIT, "a high exit"},
		{PT_TRIGGER_ENTRY, "a trigger entry"}, {PT_TRIGGER_EXIT, "a trigger exit"},
	};
	struct buf b = BUF_INIT;
	unsigned left = (unsigned)__builtin_popcount(ports & 63);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!(ports & names[i].port))
			continue;
		buf_adds(&b, names[i].words);
		left--;
		buf_adds(&b, left > 1 ? ", " : left ? " and " : "");
	}
	if (!b.length)
		buf_adds(&b, "no ports");
	return buf_steal(&b);
}

static int missing_port(const struct op *op, const struct graph_block *b, unsigned port,
                        const char *member)
{
	char *missing = graph_port_words(port), *has = graph_port_words(b->type->ports);
	fail(op, -PT_EBADLINK, member, "'%s' has no %s: a %s has %s", b->name,
	     missing + strlen("a "), b->type->name, has);
	pt_hint(op->err, "ptctl help %s", b->type->name);
	free(missing);
	free(has);
	return -PT_EBADLINK;
}

static int read_ends(const struct op *op, struct graph_link *link)
{
	int from = get(op, "from", &link->from), to = get(op, "to", &link->to);
	const char *canal = text(op, "canal");
	link->canal = PT_LOW;
	link->list = op->list;
	link->op = op->index;
	if (*canal && canal_parse(canal, &link->canal))
		return fail(op, -PT_EPARAM, "canal", "a canal is 'low', 'high' or 'trigger'");
	return from ? from : to;
}

static int op_link(const struct op *op)
{
	struct graph_link link = {.alive = NULL};
	int rc = read_ends(op, &link);
	if (rc)
		return rc;
	if (!(link.from->type->ports & graph_exit_port(link.canal)))
		rc = missing_port(op, link.from, graph_exit_port(link.canal), "from");
	if (!(link.to->type->ports & graph_entry_port(link.canal)))
		rc = missing_port(op, link.to, graph_entry_port(link.canal), "to");
	if (rc == 0 && !find_link(op->graph, &link)) {
		link.row = link_row((json_t *)(uintptr_t)op->json, link.canal);
		link_add(op->graph, link);
	}
	return rc;
}

static int op_unlink(const struct op *op)
{
	struct graph_link link = {.alive = NULL};
	int rc = read_ends(op, &link);
	if (rc)
		return rc;
	struct graph_link *found = find_link(op->graph, &link);
	if (!found)
		return fail(op, -PT_EBADLINK, NULL, "there is no link %s%s%s", link.from->name,
		            graph_link_sign(link.canal), link.to->name);
	found->gone = op->graph->has_gaps = true;
	return 0;
}

static int op_set(const struct op *op)
{
	struct graph_block *b;
	int rc = get(op, "name", &b);
	if (rc)
		return rc;
	json_t *merged = json_copy(b->params);
	json_object_update(merged, json_object_get(op->json, "params"));
	param_unset_others(b->type->params, merged, json_object_get(op->json, "params"));
	size_t before = op->err->count;
	rc = param_check(b->type->params, merged, op->err);
	char *path = path_of(op, "params");
	error_prefix(op->err, before, path);
	free(path);
	if (rc) {
		json_decref(merged);
		return rc;
	}
	set_row(b, b->type, block_row(NULL, json_object_get(b->row, "name"), b->type_json, merged));
	return 0;
}

static int op_replace(const struct op *op)
{
	struct graph_block *b;
	const struct pt_type *type;
	json_t *params;
	int rc = get(op, "name", &b), type_rc = read_type(op, &type, &params);
	if (rc || type_rc)
		return rc ? rc : type_rc;
	unsigned taken_away = b->type->ports & ~type->ports;
	for (unsigned i = 0; taken_away && i < op->graph->link_count; i++) {
		const struct graph_link *l = &op->graph->links[i];
		if (link_is_gone(l))
			continue;
		unsigned missing = (l->from == b ? graph_exit_port(l->canal) : 0) |
		                   (l->to == b ? graph_entry_port(l->canal) : 0);
		missing &= ~type->ports;
		if (missing) {
			char *words = graph_port_words(missing);
			rc = fail(op, -PT_EBADLINK, "type", "a %s has no %s, which %s%s%s needs",
			          type->name, words + strlen("a "), l->from->name,
			          graph_link_sign(l->canal), l->to->name);
			pt_hint(op->err, "unlink it in the same change");
			free(words);
		}
	}
	if (rc)
		return rc;
	set_row(b, type,
	        block_row(NULL, json_object_get(b->row, "name"), json_object_get(op->json, "type"),
	                  given(params)));
	return 0;
}

/* One of ops, which says which it is. */
static int op_any(const struct op *op)
{
	static const struct {
		const char *name;
		int (*run)(const struct op *);
	} table[] = {
		{"add", op_add},       {"remove", op_remove}, {"link", op_link},
		{"unlink", op_unlink}, {"set", op_set},       {"replace", op_replace},
	};
	const char *word = text(op, "op");
	for (size_t row = 0; row < sizeof table / sizeof *table; row++)
		if (!strcmp(table[row].name, word))
			return table[row].run(op);
	return fail(op, -PT_EPARAM, "op", "no operation '%s'", word);
}

static int run_all(struct op op, const char *list, const json_t *items,
                   int (*run)(const struct op *))
{
	int first = 0;
	op.graph->id = new_id();
	forget(op.graph);
	op.list = list;
	for (size_t i = 0; i < json_array_size(items); i++) {
		op.json = json_array_get(items, i);
		op.index = (int)i;
		int rc = run(&op);
		first = first ? first : rc;
	}
	close_gaps(op.graph);
	return first;
}

int graph_change(struct graph *g, const json_t *ops, unsigned limit, struct pt_error *err)
{
	return run_all((struct op){.graph = g, .limit = limit, .err = err}, "ops", ops, op_any);
}

int graph_build(struct graph *g, const json_t *blocks, const json_t *links, unsigned limit,
                struct pt_error *err)
{
	const struct op op = {.graph = g, .limit = limit, .err = err};
	int rc = run_all(op, "blocks", blocks, op_add);
	int link_rc = run_all(op, "links", links, op_link);
	return rc ? rc : link_rc;
}

bool graph_is_descriptor(const struct pt_param *row, const json_t *value)
{
	if (row->kind == PT_KIND_FILES && json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++)
			if (json_object_get(json_array_get(value, i), "fd"))
				return true;
		return false;
	}
	return json_object_get(value, "fd") || (row->kind == PT_KIND_FD && json_is_integer(value));
}

static bool has_descriptor(const struct pt_type *type, const json_t *params)
{
	for (const struct pt_param *row = type->params; row && row->name; row++)
		if (graph_is_descriptor(row, json_object_get(params, row->name)))
			return true;
	return false;
}

void graph_mark_handed(struct graph *g, const json_t *ops)
{
	json_each (op, ops) {
		const char *name = json_string_value(json_object_get(op, "name"));
		struct graph_block *b = name ? graph_find(g, name) : NULL;
		if (b)
			b->handed = has_descriptor(b->type, json_object_get(op, "params"));
	}
}

json_t *graph_to_json(const struct graph *g)
{
	json_t *blocks = json_array(), *links = json_array();
	for (unsigned i = 0; i < g->count; i++)
		json_array_append(blocks, g->blocks[i]->row);
	for (unsigned i = 0; i < g->link_count; i++)
		json_array_append(links, g->links[i].row);
	return json_pack("{s:o, s:o}", "blocks", blocks, "links", links);
}
