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

struct ways ways_out(const struct graph *g)
{
	return ways_new(g, false);
}

struct ways ways_in(const struct graph *g)
{
	return ways_new(g, true);
}

void ways_free(struct ways *w)
{
	free(w->first);
	free(w->links);
}

/* ---- knots: Kosaraju's algorithm ---- */

/* Where a walk has come to: from each block that it has seen, the next link to take. */
struct walk {
	const struct graph *graph;
	struct ways ways;
	bool back;
	bool *seen;
	unsigned *next, *path;
};

static struct walk walk_new(const struct graph *g, bool back)
{
	return (struct walk){g,
	                     ways_new(g, back),
	                     back,
	                     must_calloc(g->count + 1, sizeof(bool)),
	                     must_calloc(g->count + 1, sizeof(unsigned)),
	                     must_calloc(g->count + 1, sizeof(unsigned))};
}

static void walk_free(struct walk *w)
{
	ways_free(&w->ways);
	free(w->seen);
	free(w->next);
	free(w->path);
}

static void enter(struct walk *w, unsigned block, unsigned *depth)
{
	w->seen[block] = true;
	w->next[block] = w->ways.first[block * 3];
	w->path[(*depth)++] = block;
}

/* Depth first, without recursion: writes down each block that was not seen yet, behind those that
   it leads to. Returns how many. */
static unsigned walk_from(struct walk *w, unsigned start, unsigned *out)
{
	unsigned depth = 0, done = 0;
	if (!w->seen[start])
		enter(w, start, &depth);
	while (depth) {
		unsigned at = w->path[depth - 1];
		if (w->next[at] == w->ways.first[at * 3 + 3]) {
			out[done++] = at;
			depth--;
			continue;
		}
		const struct graph_link *l = &w->graph->links[w->ways.links[w->next[at]++]];
		unsigned to = (w->back ? l->from : l->to)->index;
		if (!w->seen[to])
			enter(w, to, &depth);
	}
	return done;
}

unsigned ways_knots(const struct graph *g, unsigned *knot_of)
{
	struct walk on = walk_new(g, false), back = walk_new(g, true);
	unsigned *order = must_calloc(g->count + 1, sizeof *order), done = 0, knots = 0;
	unsigned *members = must_calloc(g->count + 1, sizeof *members);
	for (unsigned i = 0; i < g->count; i++)
		done += walk_from(&on, i, order + done);
	while (done) {
		unsigned count = walk_from(&back, order[--done], members);
		for (unsigned i = 0; i < count; i++)
			knot_of[members[i]] = knots;
		knots += count > 0;
	}
	free(members);
	free(order);
	walk_free(&on);
	walk_free(&back);
	return knots;
}
