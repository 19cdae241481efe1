/* SPDX-License-Identifier: BSD-2-Clause */
/* What every entry reaches, by strongly connected components, and where ways meet. */
#include "engine/order.h"

#include "base/buf.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A node is a block's entry: index * 3 + canal. Components come out of Tarjan's algorithm with
   those that they lead to first, so that one pass builds what each touches: a set of blocks, and
   of the things outside that blocks share. */
struct frame {
	unsigned node, exit, link;
};

struct search {
	const struct graph *graph;
	unsigned nodes;
	unsigned *first,
		*links; /* of exit e (as a node number): links[first[e]] … links[first[e+1]-1] */
	unsigned *outside;  /* of each block: bit number of what it shares, or 0 */
	size_t words;       /* of a set */
	uint64_t **touches; /* of each node: a set; nodes of one component share it */
	unsigned *number, *low, *component;
	unsigned *stack, depth, counter;
	struct frame *frames;
};

static unsigned node(const struct graph_block *b, enum pt_canal canal)
{
	return b->index * 3 + (unsigned)canal;
}

static void index_links(struct search *s)
{
	const struct graph *g = s->graph;
	s->first = must_calloc(s->nodes + 1, sizeof *s->first);
	s->links = must_calloc(g->link_count, sizeof *s->links);
	for (unsigned i = 0; i < g->link_count; i++)
		s->first[node(g->links[i].from, g->links[i].canal) + 1]++;
	for (unsigned i = 0; i < s->nodes; i++)
		s->first[i + 1] += s->first[i];
	unsigned *next = must_calloc(s->nodes + 1, sizeof *next);
	memcpy(next, s->first, (s->nodes + 1) * sizeof *next);
	for (unsigned i = 0; i < g->link_count; i++)
		s->links[next[node(g->links[i].from, g->links[i].canal)]++] =
			node(g->links[i].to, g->links[i].canal);
	free(next);
}

static void name_outside(struct search *s)
{
	const struct graph *g = s->graph;
	unsigned groups = 0;
	struct map names = MAP_INIT;
	s->outside = must_calloc(g->count, sizeof *s->outside);
	for (unsigned i = 0; i < g->count; i++) {
		const char *word = g->blocks[i]->type->outside;
		if (!word)
			continue;
		uintptr_t group = (uintptr_t)map_get(&names, word);
		if (!group) {
			group = ++groups;
			map_set(&names, word, (void *)group);
		}
		s->outside[i] = g->count + (unsigned)group - 1;
	}
	map_free(&names);
	s->words = (g->count + groups + 63) / 64;
}

static void set_bit(uint64_t *set, unsigned bit)
{
	set[bit / 64] |= (uint64_t)1 << bit % 64;
}

static bool has_bit(const uint64_t *set, unsigned bit)
{
	return set[bit / 64] >> bit % 64 & 1;
}

static void join(uint64_t *set, const uint64_t *other, size_t words)
{
	for (size_t i = 0; other && i < words; i++)
		set[i] |= other[i];
}

static bool meet(const uint64_t *a, const uint64_t *b, size_t words)
{
	for (size_t i = 0; i < words; i++)
		if (a[i] & b[i])
			return true;
	return false;
}

/* Calls for every node that `n` leads to at once. */
#define FOR_EACH_NEXT(s, n, to)                                                            \
	for (unsigned exit_ = 0; exit_ < 3; exit_++)                                       \
		if ((s)->graph->blocks[(n) / 3]->type->routes & PT_ROUTE((n) % 3, exit_))  \
			for (unsigned e_ = (n) - (n) % 3 + exit_, l_ = (s)->first[e_], to; \
			     l_ < (s)->first[e_ + 1] && (to = (s)->links[l_], true); l_++)

static void component_close(struct search *s, unsigned root)
{
	uint64_t *set = must_calloc(s->words ? s->words : 1, sizeof *set);
	unsigned at = s->depth;
	do {
		unsigned n = s->stack[--at];
		set_bit(set, n / 3);
		if (s->outside[n / 3])
			set_bit(set, s->outside[n / 3]);
		FOR_EACH_NEXT(s, n, to)
		join(set, s->touches[to], s->words);
	} while (s->stack[at] != root);
	while (s->depth > at) {
		unsigned n = s->stack[--s->depth];
		s->touches[n] = set;
		s->component[n] = root + 1;
	}
}

/* Tarjan's algorithm, with a stack of its own: graphs may be thousands of blocks deep. */
static void visit(struct search *s, unsigned start)
{
	struct frame *frames = s->frames;
	unsigned top = 0;
	frames[0] = (struct frame){start, 0, s->first[start - start % 3]};
	s->number[start] = s->low[start] = ++s->counter;
	s->stack[s->depth++] = start;
	for (;;) {
		struct frame *f = &frames[top];
		unsigned base = f->node - f->node % 3,
			 routes = s->graph->blocks[f->node / 3]->type->routes;
		if (f->exit < 3 && (!(routes & PT_ROUTE(f->node % 3, f->exit)) ||
		                    f->link >= s->first[base + f->exit + 1])) {
			f->exit++;
			f->link = f->exit < 3 ? s->first[base + f->exit] : 0;
		} else if (f->exit < 3) {
			unsigned to = s->links[f->link++];
			if (!s->number[to]) {
				s->number[to] = s->low[to] = ++s->counter;
				s->stack[s->depth++] = to;
				frames[++top] = (struct frame){to, 0, s->first[to - to % 3]};
			} else if (!s->component[to] && s->number[to] < s->low[f->node]) {
				s->low[f->node] = s->number[to];
			}
		} else {
			if (s->low[f->node] == s->number[f->node])
				component_close(s, f->node);
			if (!top)
				break;
			struct frame *up = &frames[--top];
			if (s->low[f->node] < s->low[up->node])
				s->low[up->node] = s->low[f->node];
		}
	}
}

static void read_block(const struct search *s, unsigned block, struct order *order, uint64_t *seen)
{
	for (unsigned exit = 0; exit < 3; exit++) {
		unsigned e = block * 3 + exit;
		memset(seen, 0, s->words * sizeof *seen);
		for (unsigned l = s->first[e]; l < s->first[e + 1]; l++) {
			const uint64_t *touched = s->touches[s->links[l]];
			if (meet(seen, touched, s->words))
				order->split[e] = true;
			if (has_bit(touched, block))
				order->single[block] = true;
			join(seen, touched, s->words);
		}
	}
}

void order_find(const struct graph *g, struct order *order)
{
	struct search s = {.graph = g, .nodes = g->count * 3};
	index_links(&s);
	name_outside(&s);
	s.touches = must_calloc(s.nodes, sizeof *s.touches);
	s.number = must_calloc(s.nodes, sizeof *s.number);
	s.low = must_calloc(s.nodes, sizeof *s.low);
	s.component = must_calloc(s.nodes, sizeof *s.component);
	s.stack = must_calloc(s.nodes, sizeof *s.stack);
	s.frames = must_calloc(s.nodes + 1, sizeof *s.frames);
	for (unsigned n = 0; n < s.nodes; n++)
		if (!s.number[n])
			visit(&s, n);

	order->split = must_calloc(s.nodes, sizeof *order->split);
	order->single = must_calloc(g->count, sizeof *order->single);
	uint64_t *seen = must_calloc(s.words ? s.words : 1, sizeof *seen);
	for (unsigned i = 0; i < g->count; i++)
		read_block(&s, i, order, seen);
	free(seen);

	for (unsigned n = 0; n < s.nodes; n++)
		if (s.component[n] == n + 1)
			free(s.touches[n]);
	free(s.touches);
	free(s.number);
	free(s.low);
	free(s.component);
	free(s.stack);
	free(s.frames);
	free(s.first);
	free(s.links);
	free(s.outside);
}

void order_fini(struct order *order)
{
	free(order->split);
	free(order->single);
	*order = (struct order){NULL, NULL};
}
