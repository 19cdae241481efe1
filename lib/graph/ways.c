/* SPDX-License-Identifier: BSD-2-Clause */
/* Links by their ports, and the knots that they make. */
#include "graph/ways.h"

#include "base/buf.h"
#include <stdlib.h>

/* + 1; 0: it is of none of these blocks. */
static unsigned port_of(const struct graph_link *l, bool back, const unsigned *number)
{
	unsigned block = (back ? l->to : l->from)->index;
	block = number ? number[block] : block + 1;
	return block ? block * 3 - 2 + (unsigned)l->canal : 0;
}

struct ways ways_of_some(const struct graph *g, bool back, const unsigned *number, unsigned count)
{
	unsigned ports = count * 3, links = 0;
	struct ways w = {must_calloc(ports + 2, sizeof *w.first), NULL};
	for (unsigned i = 0; i < g->link_count; i++) {
		unsigned port = port_of(&g->links[i], back, number);
		if (port) {
			w.first[port + 1]++;
			links++;
		}
	}
	w.links = must_malloc(links * sizeof *w.links);
	for (unsigned p = 0; p < ports; p++)
		w.first[p + 2] += w.first[p + 1];
	for (unsigned i = 0; i < g->link_count && links; i++) {
		unsigned port = port_of(&g->links[i], back, number);
		if (port) {
			w.links[w.first[port]++] = i;
			links--;
		}
	}
	return w;
}

struct ways_kept {
	struct ways out;
	struct ways_components knots;
	bool has_no_knots; /* true: that is known */
};

static struct ways_kept *kept(struct graph *g)
{
	if (!g->kept)
		g->kept = must_calloc(1, sizeof *g->kept);
	return g->kept;
}

const struct ways *ways_out(struct graph *g)
{
	struct ways_kept *k = kept(g);
	if (!k->out.first)
		k->out = ways_of_some(g, false, NULL, g->count);
	return &k->out;
}

void ways_free(struct ways *w)
{
	free(w->first);
	free(w->links);
}

void ways_forget(struct graph *g)
{
	if (!g->kept)
		return;
	ways_free(&g->kept->out);
	ways_components_free(&g->kept->knots);
	free(g->kept);
	g->kept = NULL;
}

/* ---- components: Tarjan's algorithm ---- */

struct frame {
	unsigned node, link;
};

/* A stack of its own in place of recursion: graphs may be thousands of blocks deep. */
struct search {
	const struct graph *graph;
	const struct ways *ways;
	unsigned grain;         /* nodes of a block */
	unsigned *number, *low; /* of a node; 0: not seen yet */
	unsigned *stack, depth, counter;
	struct frame *frames;
	struct ways_components *found;
};

static unsigned node_of(const struct search *s, const struct graph_link *l)
{
	return s->grain == 1 ? l->to->index : ways_port(l->to, l->canal);
}

static unsigned *links_of(const struct search *s, unsigned node)
{
	return &s->ways->first[node / s->grain * 3];
}

/* The next node that this one leads to; false: there is no more. */
static bool next_node(const struct search *s, struct frame *f, unsigned *to)
{
	unsigned end = links_of(s, f->node)[3];
	while (f->link < end) {
		const struct graph_link *l = &s->graph->links[s->ways->links[f->link++]];
		*to = node_of(s, l);
		if (s->grain == 1 || l->from->type->routes & PT_ROUTE(f->node % 3, l->canal))
			return true;
	}
	return false;
}

static void enter(struct search *s, unsigned node, unsigned top)
{
	s->number[node] = s->low[node] = ++s->counter;
	s->stack[s->depth++] = node;
	s->frames[top] = (struct frame){node, *links_of(s, node)};
}

static void close_component(struct search *s, unsigned root)
{
	struct ways_components *c = s->found;
	unsigned n, at = c->first[c->count];
	do {
		n = s->stack[--s->depth];
		c->members[at++] = n;
		c->of[n] = c->count;
	} while (n != root);
	c->first[++c->count] = at;
}

static void visit(struct search *s, unsigned start)
{
	unsigned top = 0, to;
	enter(s, start, top);
	for (;;) {
		struct frame *f = &s->frames[top];
		if (next_node(s, f, &to)) {
			if (!s->number[to])
				enter(s, to, ++top);
			else if (s->found->of[to] == WAYS_NONE && s->number[to] < s->low[f->node])
				s->low[f->node] = s->number[to];
			continue;
		}
		if (s->low[f->node] == s->number[f->node])
			close_component(s, f->node);
		if (!top)
			return;
		struct frame *up = &s->frames[--top];
		if (s->low[f->node] < s->low[up->node])
			s->low[up->node] = s->low[f->node];
	}
}

static struct ways_components find(struct graph *g, unsigned grain)
{
	unsigned room = g->count * grain + 1;
	struct ways_components found = {
		.of = must_calloc(room, sizeof(unsigned)),
		.members = must_calloc(room, sizeof(unsigned)),
		.first = must_calloc(room, sizeof(unsigned)),
	};
	struct search s = {
		.graph = g,
		.ways = ways_out(g),
		.grain = grain,
		.number = must_calloc(room, sizeof(unsigned)),
		.low = must_calloc(room, sizeof(unsigned)),
		.stack = must_calloc(room, sizeof(unsigned)),
		.frames = must_calloc(room, sizeof(struct frame)),
		.found = &found,
	};
	for (unsigned n = 0; n + 1 < room; n++)
		found.of[n] = WAYS_NONE;
	for (unsigned n = 0; n + 1 < room; n++)
		if (!s.number[n])
			visit(&s, n);
	free(s.number);
	free(s.low);
	free(s.stack);
	free(s.frames);
	return found;
}

struct ways_components ways_components(struct graph *g)
{
	return find(g, 3);
}

const struct ways_components *ways_knots(struct graph *g)
{
	struct ways_kept *k = kept(g);
	if (!k->knots.of)
		k->knots = find(g, 1);
	return &k->knots;
}

/* ---- ranks ---- */

static bool ranks_grow(const struct graph *g)
{
	for (unsigned i = 0; i < g->link_count; i++)
		if (g->links[i].from->rank >= g->links[i].to->rank)
			return false;
	return true;
}

/* The newest block may have been put between others. */
static void rank_newest(struct graph *g)
{
	struct graph_block *b = g->count ? g->blocks[g->count - 1] : NULL;
	uint64_t low = 0, high = UINT64_MAX;
	for (unsigned i = 0; b && i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		if (l->to == b && l->from->rank > low)
			low = l->from->rank;
		else if (l->from == b && l->to->rank < high)
			high = l->to->rank;
	}
	if (high < UINT64_MAX && low < high)
		b->rank = low + (high - low) / 2;
}

/* Where there are no knots, components are blocks, and come behind those that they lead to. */
static void rank_all(struct graph *g, const struct ways_components *knots)
{
	enum { RANK_GAP = 1 << 20 }; /* for such as come between */
	for (unsigned i = 0; i < g->count; i++)
		g->blocks[i]->rank = (uint64_t)(g->count - knots->of[i]) * RANK_GAP;
	g->last_rank = (uint64_t)(g->count + 1) * RANK_GAP;
}

static bool finds_no_knots(struct graph *g)
{
	if (ranks_grow(g))
		return true;
	rank_newest(g);
	if (ranks_grow(g))
		return true;
	const struct ways_components *knots = ways_knots(g);
	if (knots->count < g->count)
		return false;
	rank_all(g, knots);
	return ranks_grow(g); /* else a block leads to itself */
}

bool ways_has_knots(struct graph *g)
{
	struct ways_kept *k = kept(g);
	k->has_no_knots = k->has_no_knots || finds_no_knots(g);
	return !k->has_no_knots;
}

void ways_components_free(struct ways_components *c)
{
	free(c->of);
	free(c->members);
	free(c->first);
}
