/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks by name, and links by their ends. */
#include "graph/graph.h"

#include "base/buf.h"
#include "base/json.h"
#include "graph/order.h"
#include "graph/ways.h"
#include "type/type.h"
#include <limits.h>
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

void graph_set_row(struct graph_block *b, const struct pt_type *type, json_t *row)
{
	if (!b->borrowed)
		json_decref(b->row);
	b->borrowed = false;
	b->row = row;
	b->params = json_object_get(row, "params");
	b->type = type_variant(type, b->params);
	b->name = json_string_value(json_object_get(row, "name"));
	b->type_json = json_object_get(row, "type");
}

/* ---- blocks, and where their names stand ---- */

/* What stood there is gone; numbers of blocks are far below. */
#define NAME_GONE UINT_MAX

/* Where the name is, or would be, in the table. */
static unsigned *name_place(const struct graph *g, const char *name)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (const char *c = name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 1099511628211u;
	for (uint64_t at = hash;; at++) {
		unsigned *place = &g->names[at & (g->name_room - 1)];
		if (!*place || (*place != NAME_GONE && !strcmp(g->blocks[*place - 1]->name, name)))
			return place;
	}
}

/* At most half of it is used. */
static void index_names(struct graph *g)
{
	unsigned room = 16;
	while (room < 4 * g->count)
		room *= 2;
	free(g->names);
	g->names = must_calloc(room, sizeof *g->names);
	g->name_room = room;
	g->names_used = 0;
	for (unsigned i = 0; i < g->count; i++) {
		if (g->blocks[i]->gone)
			continue;
		*name_place(g, g->blocks[i]->name) = i + 1;
		g->names_used++;
	}
}

struct graph_block *graph_find(const struct graph *g, const char *name)
{
	unsigned number = g->name_room ? *name_place(g, name) : 0;
	return number ? g->blocks[number - 1] : NULL;
}

static void make_room(struct graph *g)
{
	if (!(g->count & (g->count - 1)))
		g->blocks = must_realloc(g->blocks, g->count ? 2 * g->count : 1,
		                         sizeof(struct graph_block *));
}

void graph_add(struct graph *g, const struct pt_type *type, json_t *row)
{
	struct graph_block *b = must_calloc(1, sizeof *b);
	graph_set_row(b, type, row);
	b->index = g->count;
	b->rank = ++g->last_rank;
	make_room(g);
	g->blocks[g->count++] = b;
	if (g->name_room <= 2 * g->names_used) {
		index_names(g);
		return;
	}
	*name_place(g, b->name) = g->count;
	g->names_used++;
}

static void block_free(struct graph_block *b)
{
	if (!b->borrowed)
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

static void link_clear(struct graph_link *l)
{
	if (!l->borrowed)
		json_decref(l->row);
}

struct graph_link *graph_find_link(struct graph *g, const struct graph_link *wanted)
{
	if (g->link_room < (g->link_count + 1) * 3 / 2)
		index_links(g);
	unsigned number = *link_place(g, wanted);
	return number ? &g->links[number - 1] : NULL;
}

void graph_add_link(struct graph *g, struct graph_link link)
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
	copy->blocks = must_malloc(room_of(g->count) * sizeof(struct graph_block *));
	copy->slab = must_malloc(g->count * sizeof *copy->slab);
	for (unsigned i = 0; i < g->count; i++) {
		struct graph_block *b = copy->blocks[i] = &copy->slab[i];
		*b = *g->blocks[i];
		b->was = i + 1;
		b->in_slab = b->borrowed = true;
		b->handed = false;
	}
}

static void copy_links(struct graph *copy, const struct graph *g)
{
	copy->link_count = g->link_count;
	copy->links = must_malloc(room_of(g->link_count) * sizeof *copy->links);
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		copy->links[i] = (struct graph_link){.row = l->row,
		                                     .borrowed = true,
		                                     .from = copy->blocks[l->from->index],
		                                     .to = copy->blocks[l->to->index],
		                                     .canal = l->canal,
		                                     .was = i + 1,
		                                     .op = -1,
		                                     .alive = l->alive};
	}
}

static unsigned *copy_table(const unsigned *table, unsigned room)
{
	return room ? memcpy(must_malloc(room * sizeof *table), table, room * sizeof *table) : NULL;
}

struct graph *graph_copy(const struct graph *g)
{
	struct graph *copy = graph_new();
	copy->of = g->id;
	copy_blocks(copy, g);
	copy_links(copy, g);
	copy->names = copy_table(g->names, g->name_room);
	copy->name_room = g->name_room;
	copy->names_used = g->names_used;
	copy->link_places = copy_table(g->link_places, g->link_room);
	copy->link_room = g->link_room;
	copy->last_rank = g->last_rank;
	return copy;
}

void graph_take_over(struct graph *copy, struct graph *g)
{
	for (unsigned i = 0; i < copy->count; i++) {
		struct graph_block *b = copy->blocks[i];
		if (b->borrowed)
			g->blocks[b->was - 1]->borrowed = true;
		b->borrowed = false;
	}
	for (unsigned i = 0; i < copy->link_count; i++) {
		struct graph_link *l = &copy->links[i];
		if (l->borrowed)
			g->links[l->was - 1].borrowed = true;
		l->borrowed = false;
	}
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->count; i++)
		block_free(g->blocks[i]);
	for (unsigned i = 0; i < g->link_count; i++)
		link_clear(&g->links[i]);
	forget(g);
	free(g->names);
	free(g->slab);
	free(g->blocks);
	free(g->links);
	free(g->link_places);
	free(g);
}

/* Rows that say the same are one: who keeps both keeps it once. */
static void adopt_block(struct graph_block *b, const struct graph *now)
{
	const struct graph_block *old = graph_find(now, b->name);
	b->was = old ? old->index + 1 : 0;
	b->alive = old ? old->alive : NULL;
	b->place = old ? old->place : 0;
	if (!old || !json_equal(b->row, old->row))
		return;
	graph_set_row(b, b->type, json_incref(old->row));
}

static void adopt_link(struct graph_link *l, struct graph *now)
{
	struct graph_link wanted = *l;
	const struct graph_link *found = NULL;
	if (l->from->was && l->to->was) {
		wanted.from = now->blocks[l->from->was - 1];
		wanted.to = now->blocks[l->to->was - 1];
		found = graph_find_link(now, &wanted);
	}
	l->was = found ? (unsigned)(found - now->links) + 1 : 0;
	l->alive = found ? found->alive : NULL;
	if (!found || !json_equal(l->row, found->row))
		return;
	link_clear(l);
	l->row = json_incref(found->row);
	l->borrowed = false;
}

void graph_adopt(struct graph *wanted, struct graph *now)
{
	bool is_copy = wanted->of == now->id;
	for (unsigned i = 0; i < wanted->count; i++)
		if (!is_copy || !wanted->blocks[i]->was)
			adopt_block(wanted->blocks[i], now);
	for (unsigned i = 0; i < wanted->link_count; i++)
		if (!is_copy || !wanted->links[i].was)
			adopt_link(&wanted->links[i], now);
	wanted->of = now->id;
}

/* ---- changes ---- */

void graph_begin(struct graph *g)
{
	g->id = new_id();
	forget(g);
}

void graph_remove(struct graph *g, struct graph_block *b)
{
	b->gone = g->has_gaps = true;
	g->gone_count++;
	*name_place(g, b->name) = NAME_GONE;
}

void graph_remove_link(struct graph *g, struct graph_link *l)
{
	l->gone = g->has_gaps = true;
}

bool graph_link_is_gone(const struct graph_link *l)
{
	return l->gone || l->from->gone || l->to->gone;
}

static void close_links(struct graph *g)
{
	unsigned links = g->link_count;
	g->link_count = 0;
	for (unsigned i = 0; i < links; i++)
		if (graph_link_is_gone(&g->links[i]))
			link_clear(&g->links[i]);
		else
			g->links[g->link_count++] = g->links[i];
}

/* Names stay where they are. */
static void close_blocks(struct graph *g)
{
	unsigned count = g->count, *now = must_malloc((count + 1) * sizeof *now);
	g->count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct graph_block *b = g->blocks[i];
		b->index = g->count;
		g->blocks[g->count] = b;
		g->count += !b->gone;
		now[i] = g->count;
		if (b->gone)
			block_free(b);
	}
	for (unsigned i = 0; i < g->name_room; i++)
		if (g->names[i] && g->names[i] != NAME_GONE)
			g->names[i] = now[g->names[i] - 1];
	free(now);
	g->gone_count = 0;
}

void graph_end(struct graph *g)
{
	if (!g->has_gaps)
		return;
	g->has_gaps = false;
	close_links(g);
	if (g->gone_count)
		close_blocks(g);
	g->link_room = 0; /* what it has are their places */
}

/* ---- words ---- */

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
