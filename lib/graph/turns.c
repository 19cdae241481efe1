/* SPDX-License-Identifier: BSD-2-Clause */
/* Which blocks whose work is done elsewhere have to be waited for. */
#include "graph/order.h"

#include "base/memory.h"
#include "graph/ways.h"
#include <stdlib.h>
#include <string.h>

/*
 * Such a block needs it where a block before it has two links that come to the same place, one of
 * them through it: in it, behind it, or in something outside that what is behind it shares. So the
 * places behind it are marked, then what leads to one of them, and what leads to the block; then it
 * is asked who has two links to the first, one of them to the second. Few blocks are such; each
 * costs three walks.
 */
struct search {
	struct graph *graph;
	const struct ways *out;
	struct ways in;
	bool *behind, *leads,
		*comes; /* of each entry: behind it, to what is behind it, to itself */
	unsigned *to_do, count;
};

static unsigned entry_of(const struct search *s, unsigned link)
{
	const struct graph_link *l = &s->graph->links[link];
	return ways_port(l->to, l->canal);
}

static void mark(struct search *s, bool *marked, unsigned entry)
{
	if (marked[entry])
		return;
	marked[entry] = true;
	s->to_do[s->count++] = entry;
}

static bool passes(const struct graph_block *b, unsigned entry, unsigned exit)
{
	return b->type->routes & PT_ROUTE(entry % 3, exit);
}

static void go_forward(struct search *s)
{
	while (s->count) {
		unsigned entry = s->to_do[--s->count], first = entry - entry % 3;
		for (unsigned exit = 0; exit < 3; exit++)
			for (unsigned i = s->out->first[first + exit];
			     passes(s->graph->blocks[entry / 3], entry, exit) &&
			     i < s->out->first[first + exit + 1];
			     i++)
				mark(s, s->behind, entry_of(s, s->out->links[i]));
	}
}

static void go_back(struct search *s, bool *marked)
{
	while (s->count) {
		unsigned entry = s->to_do[--s->count];
		for (unsigned i = s->in.first[entry]; i < s->in.first[entry + 1]; i++) {
			const struct graph_link *l = &s->graph->links[s->in.links[i]];
			for (unsigned from = 0; from < 3; from++)
				if (passes(l->from, from, l->canal))
					mark(s, marked, l->from->index * 3 + from);
		}
	}
}

static bool share_outside(const struct graph_block *a, const struct graph_block *b)
{
	return a->type->outside && b->type->outside && !strcmp(a->type->outside, b->type->outside);
}

static bool is_behind(const struct search *s, unsigned block)
{
	return s->behind[block * 3] || s->behind[block * 3 + 1] || s->behind[block * 3 + 2];
}

static void mark_block(struct search *s, bool *marked, unsigned block)
{
	for (unsigned canal = 0; canal < 3; canal++)
		mark(s, marked, block * 3 + canal);
}

static void mark_fellows(struct search *s, const struct graph_block *b)
{
	for (unsigned i = 0; b->type->outside && i < s->graph->count; i++)
		if (share_outside(b, s->graph->blocks[i]))
			mark_block(s, s->leads, i);
}

/* What does something itself may have in one place what comes in by all of its entries. */
static void mark_place(struct search *s, unsigned entry)
{
	const struct pt_type *type = s->graph->blocks[entry / 3]->type;
	if (type->push || type->push_many || type->act)
		mark_block(s, s->leads, entry / 3);
	else
		mark(s, s->leads, entry);
}

static void mark_places(struct search *s)
{
	for (unsigned i = 0; i < s->graph->count * 3; i++)
		if (s->behind[i])
			mark_place(s, i);
	for (unsigned i = 0; i < s->graph->count; i++)
		if (is_behind(s, i))
			mark_fellows(s, s->graph->blocks[i]);
	go_back(s, s->leads);
}

static bool meets(const struct search *s, const struct graph_block *b)
{
	const struct graph *g = s->graph;
	for (unsigned i = 0; i < g->count; i++) {
		unsigned places = 0, comes = 0;
		for (unsigned l = s->out->first[i * 3]; l < s->out->first[i * 3 + 3]; l++) {
			unsigned entry = entry_of(s, s->out->links[l]);
			places += s->leads[entry];
			comes += s->comes[entry];
		}
		if (i != b->index && places > 1 && comes)
			return true;
	}
	return false;
}

static bool has_turns(struct search *s, const struct graph_block *b)
{
	size_t entries = s->graph->count * 3;
	memset(s->behind, 0, entries);
	memset(s->leads, 0, entries);
	memset(s->comes, 0, entries);
	mark_block(s, s->behind, b->index);
	go_forward(s);
	mark_places(s);
	mark_block(s, s->comes, b->index);
	go_back(s, s->comes);
	return meets(s, b);
}

void order_find_turns(struct graph *g)
{
	size_t entries = (size_t)g->count * 3 + 1;
	struct search s = {.graph = g};
	for (unsigned i = 0; i < g->count; i++) {
		const struct graph_block *b = g->blocks[i];
		if (!b->type->elsewhere)
			continue;
		if (!s.behind) {
			s.out = ways_out(g);
			s.in = ways_of_some(g, true, NULL, g->count);
			g->turns = must_calloc(g->count, sizeof *g->turns);
			s.behind = must_calloc(entries, sizeof *s.behind);
			s.leads = must_calloc(entries, sizeof *s.leads);
			s.comes = must_calloc(entries, sizeof *s.comes);
			s.to_do = must_calloc(entries, sizeof *s.to_do);
		}
		g->turns[i] = order_is_single(g, i) || has_turns(&s, b);
	}
	ways_free(&s.in);
	free(s.behind);
	free(s.leads);
	free(s.comes);
	free(s.to_do);
}
