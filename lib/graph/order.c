/* SPDX-License-Identifier: BSD-2-Clause */
/* What every entry reaches, by strongly connected components, and where ways meet. */
#include "graph/order.h"

#include "base/buf.h"
#include "graph/ways.h"
#include <stdint.h>
#include <stdlib.h>

/*
 * A node is a block's entry. Components come out of Tarjan's algorithm with those that they lead to
 * first. Two ways can meet only in a block to which several links lead, or in something outside
 * that several blocks share; what comes back to a block is in its knot. These are the targets, a
 * few in most graphs and none in many. They are looked for 64 at a time: one pass over the
 * components finds which of the 64 each touches. So memory grows with the graph, and time with the
 * graph times a 64th of the targets.
 */
struct frame {
	unsigned node, exit, link;
};

struct search {
	const struct graph *graph;
	unsigned nodes;
	struct ways ways;
	unsigned *target;  /* of each block: its number as a target + 1, or 0 */
	unsigned *outside; /* the same, of what it shares */
	unsigned targets;
	uint64_t *own;                      /* of each block: which of the 64 at hand it is */
	uint64_t *touches;                  /* of each component: which of them it touches */
	unsigned *number, *low, *component; /* of a node; component: number + 1, 0: not yet known */
	unsigned components;
	unsigned *members, *first_member; /* the nodes of component c: from first_member[c] on */
	unsigned *exits, exit_count;      /* those that are of interest */
	unsigned *stack, depth, counter;
	struct frame *frames;
};

/* ---- targets ---- */

/* How many blocks are in the knot of each, itself included; a link to itself counts as one more. */
static unsigned *count_companions(const struct graph *g)
{
	unsigned *knot_of = must_calloc(g->count + 1, sizeof *knot_of);
	unsigned *sizes = must_calloc(g->count + 1, sizeof *sizes);
	unsigned *companions = must_calloc(g->count + 1, sizeof *companions);
	ways_knots(g, knot_of);
	for (unsigned i = 0; i < g->count; i++)
		sizes[knot_of[i]]++;
	for (unsigned i = 0; i < g->link_count; i++)
		sizes[knot_of[g->links[i].to->index]] += g->links[i].from == g->links[i].to;
	for (unsigned i = 0; i < g->count; i++)
		companions[i] = sizes[knot_of[i]];
	free(knot_of);
	free(sizes);
	return companions;
}

/* Where two links lead to; what is in a knot, and what a link from there leads to: one way may come
   round to the exit, and out by the other's link. */
static void name_blocks(struct search *s)
{
	const struct graph *g = s->graph;
	unsigned *companions = count_companions(g);
	unsigned *reasons = must_calloc(g->count + 1, sizeof *reasons);
	for (unsigned i = 0; i < g->link_count; i++)
		reasons[g->links[i].to->index] += companions[g->links[i].from->index] > 1 ? 2 : 1;
	for (unsigned i = 0; i < g->count; i++)
		if (reasons[i] > 1 || companions[i] > 1)
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

/* ---- components ---- */

static void component_close(struct search *s, unsigned root)
{
	unsigned n, at = s->first_member[s->components];
	do {
		n = s->stack[--s->depth];
		s->members[at++] = n;
		s->component[n] = s->components + 1;
	} while (n != root);
	s->first_member[++s->components] = at;
}

static void enter(struct search *s, unsigned node, unsigned top)
{
	s->number[node] = s->low[node] = ++s->counter;
	s->stack[s->depth++] = node;
	s->frames[top] = (struct frame){node, 0, s->ways.first[node - node % 3]};
}

static bool leads_on(const struct search *s, unsigned node, unsigned exit)
{
	return s->graph->blocks[node / 3]->type->routes & PT_ROUTE(node % 3, exit);
}

static unsigned entry_of(const struct search *s, unsigned link)
{
	const struct graph_link *l = &s->graph->links[s->ways.links[link]];
	return ways_port(l->to, l->canal);
}

/* Tarjan's algorithm, with a stack of its own: graphs may be thousands of blocks deep. */
static void visit(struct search *s, unsigned start)
{
	unsigned top = 0;
	enter(s, start, top);
	for (;;) {
		struct frame *f = &s->frames[top];
		unsigned base = f->node - f->node % 3;
		if (f->exit < 3 && (!leads_on(s, f->node, f->exit) ||
		                    f->link >= s->ways.first[base + f->exit + 1])) {
			f->exit++;
			f->link = f->exit < 3 ? s->ways.first[base + f->exit] : 0;
		} else if (f->exit < 3) {
			unsigned to = entry_of(s, f->link++);
			if (!s->number[to])
				enter(s, to, ++top);
			else if (!s->component[to] && s->number[to] < s->low[f->node])
				s->low[f->node] = s->number[to];
		} else {
			if (s->low[f->node] == s->number[f->node])
				component_close(s, f->node);
			if (!top)
				break;
			struct frame *up = &s->frames[--top];
			if (s->low[f->node] < s->low[up->node])
				s->low[up->node] = s->low[f->node];
		}
	}
}

static void find_components(struct search *s)
{
	s->number = must_calloc(s->nodes + 1, sizeof *s->number);
	s->low = must_calloc(s->nodes + 1, sizeof *s->low);
	s->component = must_calloc(s->nodes + 1, sizeof *s->component);
	s->members = must_calloc(s->nodes + 1, sizeof *s->members);
	s->first_member = must_calloc(s->nodes + 1, sizeof *s->first_member);
	s->stack = must_calloc(s->nodes + 1, sizeof *s->stack);
	s->frames = must_calloc(s->nodes + 1, sizeof *s->frames);
	for (unsigned l = 0; l < s->graph->link_count; l++)
		if (!s->number[entry_of(s, l)])
			visit(s, entry_of(s, l));
	free(s->number);
	free(s->low);
	free(s->stack);
	free(s->frames);
}

/* ---- 64 targets ---- */

static uint64_t bit_of(unsigned target, unsigned from)
{
	return target > from && target <= from + 64 ? (uint64_t)1 << (target - from - 1) : 0;
}

static uint64_t touched_at(const struct search *s, unsigned node)
{
	return s->touches[s->component[node] - 1];
}

static uint64_t touched_behind(const struct search *s, unsigned node)
{
	uint64_t found = 0;
	for (unsigned exit = 0, base = node - node % 3; exit < 3; exit++)
		for (unsigned l = s->ways.first[base + exit];
		     leads_on(s, node, exit) && l < s->ways.first[base + exit + 1]; l++)
			found |= touched_at(s, entry_of(s, l));
	return found;
}

/* Those that a component leads to come before it; a link inside it adds nothing. */
static void find_touched(struct search *s, unsigned from)
{
	for (unsigned i = 0; i < s->graph->count; i++)
		s->own[i] = bit_of(s->target[i], from) | bit_of(s->outside[i], from);
	for (unsigned c = 0; c < s->components; c++) {
		uint64_t found = 0;
		s->touches[c] = 0;
		for (unsigned m = s->first_member[c]; m < s->first_member[c + 1]; m++)
			found |= s->own[s->members[m] / 3] | touched_behind(s, s->members[m]);
		s->touches[c] = found;
	}
}

/* Where ways may meet, or come back to. */
static void list_exits(struct search *s)
{
	s->exits = must_calloc(s->nodes + 1, sizeof *s->exits);
	for (unsigned exit = 0; exit < s->nodes; exit++) {
		unsigned links = s->ways.first[exit + 1] - s->ways.first[exit];
		if (links > 1 || (links && s->target[exit / 3]))
			s->exits[s->exit_count++] = exit;
	}
}

static void read_exits(const struct search *s, unsigned from, struct order *order)
{
	for (unsigned i = 0; i < s->exit_count; i++) {
		unsigned exit = s->exits[i];
		uint64_t seen = 0, itself = bit_of(s->target[exit / 3], from);
		for (unsigned l = s->ways.first[exit]; l < s->ways.first[exit + 1]; l++) {
			uint64_t touched = touched_at(s, entry_of(s, l));
			order->split[exit] |= (seen & touched) != 0;
			order->single[exit / 3] |= (touched & itself) != 0;
			seen |= touched;
		}
	}
}

void order_find(const struct graph *g, struct order *order)
{
	struct search s = {.graph = g, .nodes = g->count * 3, .ways = ways_out(g)};
	order->split = must_calloc(s.nodes + 1, sizeof *order->split);
	order->single = must_calloc(g->count + 1, sizeof *order->single);
	s.target = must_calloc(g->count + 1, sizeof *s.target);
	s.outside = must_calloc(g->count + 1, sizeof *s.outside);
	name_blocks(&s);
	name_outside(&s);
	find_components(&s);
	list_exits(&s);
	s.own = must_calloc(g->count + 1, sizeof *s.own);
	s.touches = must_calloc(s.nodes + 1, sizeof *s.touches);
	for (unsigned from = 0; from < s.targets; from += 64) {
		find_touched(&s, from);
		read_exits(&s, from, order);
	}
	free(s.own);
	free(s.exits);
	free(s.touches);
	free(s.component);
	free(s.members);
	free(s.first_member);
	free(s.target);
	free(s.outside);
	ways_free(&s.ways);
}

void order_fini(struct order *order)
{
	free(order->split);
	free(order->single);
	*order = (struct order){NULL, NULL};
}
