/* SPDX-License-Identifier: BSD-2-Clause */
/* What every entry reaches, component by component, and where ways meet. */
#include "graph/order.h"

#include "base/buf.h"
#include "base/map.h"
#include "graph/ways.h"
#include <stdint.h>
#include <stdlib.h>

/*
 * A node is a block's entry. Two ways can meet only in a block to which several links lead, or in
 * something outside that several blocks share; what comes back to a block is in its knot. These are
 * the targets, a few in most graphs and none in many. They are looked for 64 at a time: one pass
 * over the components finds which of the 64 each touches. So memory grows with the graph, and time
 * with the graph times a 64th of the targets.
 */
struct search {
	struct graph *graph;
	unsigned nodes;
	const struct ways *ways;
	struct ways_components components;
	unsigned *target;  /* of each block: its number as a target + 1, or 0 */
	unsigned *outside; /* the same, of what it shares */
	unsigned targets;
	uint64_t *own;               /* of each block: which of the 64 at hand it is */
	uint64_t *touches;           /* of each component: which of them it touches */
	unsigned *exits, exit_count; /* those that are of interest */
};

/* ---- targets ---- */

/* How many blocks are in the knot of each, itself included; a link to itself counts as one more.
   NULL: each is alone. */
static unsigned *count_companions(const struct search *s)
{
	const struct graph *g = s->graph;
	if (!ways_has_knots(s->graph))
		return NULL;
	const struct ways_components *knots = ways_knots(s->graph);
	unsigned *companions = must_calloc(g->count + 1, sizeof *companions);
	for (unsigned i = 0; i < g->count; i++)
		companions[i] = knots->first[knots->of[i] + 1] - knots->first[knots->of[i]];
	for (unsigned i = 0; i < g->link_count; i++)
		companions[g->links[i].to->index] += g->links[i].from == g->links[i].to;
	return companions;
}

/* Where two links lead to; what is in a knot, and what a link from there leads to: one way may come
   round to the exit, and out by the other's link. */
static void name_blocks(struct search *s)
{
	const struct graph *g = s->graph;
	unsigned *companions = count_companions(s);
	unsigned *reasons = must_calloc(g->count + 1, sizeof *reasons);
	for (unsigned i = 0; i < g->link_count; i++)
		reasons[g->links[i].to->index] +=
			companions && companions[g->links[i].from->index] > 1 ? 2 : 1;
	for (unsigned i = 0; i < g->count; i++)
		if (reasons[i] > 1 || (companions && companions[i] > 1))
			s->target[i] = ++s->targets;
	free(reasons);
	free(companions);
}

static void name_outside(struct search *s)
{
	const struct graph *g = s->graph;
	struct map names = MAP_INIT;
	for (unsigned i = 0; i < g->count; i++) {
		const char *word = g->blocks[i]->type->outside;
		if (!word)
			continue;
		uintptr_t target = (uintptr_t)map_get(&names, word);
		if (!target) {
			target = ++s->targets;
			map_set(&names, word, (void *)target);
		}
		s->outside[i] = (unsigned)target;
	}
	map_free(&names);
}

/* ---- 64 targets ---- */

static uint64_t bit_of(unsigned target, unsigned from)
{
	return target > from && target <= from + 64 ? (uint64_t)1 << (target - from - 1) : 0;
}

static uint64_t touched_at(const struct search *s, unsigned node)
{
	return s->touches[s->components.of[node]];
}

static unsigned entry_of(const struct search *s, unsigned link)
{
	const struct graph_link *l = &s->graph->links[s->ways->links[link]];
	return ways_port(l->to, l->canal);
}

static uint64_t touched_behind(const struct search *s, unsigned node)
{
	uint64_t found = 0;
	const unsigned *first = s->ways->first + (node - node % 3);
	for (int exit = 0; exit < 3; exit++)
		if (s->graph->blocks[node / 3]->type->routes & PT_ROUTE(node % 3, exit))
			for (unsigned l = first[exit]; l < first[exit + 1]; l++)
				found |= touched_at(s, entry_of(s, l));
	return found;
}

/* Those that a component leads to come before it; a link inside it adds nothing. */
static void find_touched(struct search *s, unsigned from)
{
	for (unsigned i = 0; i < s->graph->count; i++)
		s->own[i] = bit_of(s->target[i], from) | bit_of(s->outside[i], from);
	const struct ways_components *all = &s->components;
	for (unsigned c = 0; c < all->count; c++) {
		uint64_t found = 0;
		s->touches[c] = 0;
		for (unsigned m = all->first[c]; m < all->first[c + 1]; m++)
			found |= s->own[all->members[m] / 3] | touched_behind(s, all->members[m]);
		s->touches[c] = found;
	}
}

/* Where ways may meet, or come back to. */
static void list_exits(struct search *s)
{
	s->exits = must_calloc(s->nodes + 1, sizeof *s->exits);
	for (unsigned exit = 0; exit < s->nodes; exit++) {
		unsigned links = s->ways->first[exit + 1] - s->ways->first[exit];
		if (links > 1 || (links && s->target[exit / 3]))
			s->exits[s->exit_count++] = exit;
	}
}

static void read_exits(const struct search *s, unsigned from)
{
	for (unsigned i = 0; i < s->exit_count; i++) {
		unsigned exit = s->exits[i];
		uint64_t seen = 0, itself = bit_of(s->target[exit / 3], from);
		for (unsigned l = s->ways->first[exit]; l < s->ways->first[exit + 1]; l++) {
			uint64_t touched = touched_at(s, entry_of(s, l));
			s->graph->split[exit] |= (seen & touched) != 0;
			s->graph->single[exit / 3] |= (touched & itself) != 0;
			seen |= touched;
		}
	}
}

static void find_meetings(struct search *s)
{
	struct graph *g = s->graph;
	g->split = must_calloc(s->nodes + 1, sizeof *g->split);
	g->single = must_calloc(g->count + 1, sizeof *g->single);
	s->ways = ways_out(g);
	s->components = ways_components(g);
	s->own = must_calloc(g->count + 1, sizeof *s->own);
	s->touches = must_calloc(s->nodes + 1, sizeof *s->touches);
	list_exits(s);
	for (unsigned from = 0; from < s->targets; from += 64) {
		find_touched(s, from);
		read_exits(s, from);
	}
	free(s->own);
	free(s->exits);
	free(s->touches);
	ways_components_free(&s->components);
}

void order_find(struct graph *g)
{
	struct search s = {.graph = g, .nodes = g->count * 3};
	order_forget(g);
	s.target = must_calloc(g->count + 1, sizeof *s.target);
	s.outside = must_calloc(g->count + 1, sizeof *s.outside);
	name_blocks(&s);
	name_outside(&s);
	if (s.targets)
		find_meetings(&s);
	order_find_turns(g);
	free(s.target);
	free(s.outside);
	g->ordered = true;
}

void order_forget(struct graph *g)
{
	free(g->split);
	free(g->single);
	free(g->turns);
	g->split = g->single = g->turns = NULL;
	g->ordered = false;
}
