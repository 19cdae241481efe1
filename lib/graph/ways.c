/* SPDX-License-Identifier: BSD-2-Clause */
/* Links by their ports, and the knots that they make. */
#include "graph/ways.h"

#include "base/buf.h"
#include <stdlib.h>

static unsigned port_of(const struct graph_link *l, bool back)
{
	return ways_port(back ? l->to : l->from, l->canal);
}

static struct ways ways_new(const struct graph *g, bool back)
{
	unsigned ports = g->count * 3;
	struct ways w = {must_calloc(ports + 2, sizeof *w.first),
	                 must_calloc(g->link_count + 1, sizeof *w.links)};
	for (unsigned i = 0; i < g->link_count; i++)
		w.first[port_of(&g->links[i], back) + 2]++;
	for (unsigned p = 0; p < ports; p++)
		w.first[p + 2] += w.first[p + 1];
	for (unsigned i = 0; i < g->link_count; i++)
		w.links[w.first[port_of(&g->links[i], back) + 1]++] = i;
	return w;
}

struct ways_kept {
	struct ways out, in;
	struct ways_components knots;
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
		k->out = ways_new(g, false);
	return &k->out;
}

const struct ways *ways_in(struct graph *g)
{
	struct ways_kept *k = kept(g);
	if (!k->in.first)
		k->in = ways_new(g, true);
	return &k->in;
}

static void ways_free(struct ways *w)
{
	free(w->first);
	free(w->links);
}

void ways_forget(struct graph *g)
{
	if (!g->kept)
		return;
	ways_free(&g->kept->out);
	ways_free(&g->kept->in);
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

bool ways_has_knots(struct graph *g)
{
	bool found = ways_knots(g)->count < g->count;
	for (unsigned i = 0; i < g->link_count && !found; i++)
		found = g->links[i].from == g->links[i].to;
	return found;
}

void ways_components_free(struct ways_components *c)
{
	free(c->of);
	free(c->members);
	free(c->first);
}
