/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks in the order in which messages and triggers come to them. */
#include "base/buf.h"
#include "graph/ways.h"
#include <limits.h>
#include <stdlib.h>

/* ---- by data links alone ---- */

#define PLACED UINT_MAX

struct sorting {
	const struct graph *graph;
	struct ways ways;
	unsigned *waits_for; /* by block: links from blocks that have no place yet; or PLACED */
	unsigned *out, done;
};

static void place(struct sorting *s, unsigned block)
{
	s->waits_for[block] = PLACED;
	s->out[s->done++] = block;
}

/* Triggers come behind the data of a block in the index. */
static void let_go(struct sorting *s, unsigned block)
{
	for (unsigned l = s->ways.first[block * 3]; l < s->ways.first[block * 3 + PT_TRIGGER];
	     l++) {
		unsigned to = s->graph->links[s->ways.links[l]].to->index;
		if (s->waits_for[to] != PLACED && --s->waits_for[to] == 0)
			place(s, to);
	}
}

static void place_all(struct sorting *s, bool waiting)
{
	for (unsigned i = 0; i < s->graph->count; i++) {
		unsigned from = s->done;
		if (s->waits_for[i] != PLACED && (waiting || s->waits_for[i] == 0))
			place(s, i);
		for (; from < s->done; from++)
			let_go(s, s->out[from]);
	}
}

static void sort_by_data(const struct graph *g, unsigned *out)
{
	struct sorting s = {g, ways_out(g), must_calloc(g->count + 1, sizeof *s.waits_for), out, 0};
	for (unsigned i = 0; i < g->link_count; i++)
		if (g->links[i].canal != PT_TRIGGER)
			s.waits_for[g->links[i].to->index]++;
	place_all(&s, false);
	place_all(&s, true); /* what is left lies on cycles, or behind them */
	free(s.waits_for);
	ways_free(&s.ways);
}

/* ---- by all links, as far as there is no cycle ---- */

/* A trigger may lead back against the data: on such a cycle the data counts. */
static void sort(const struct graph *g, unsigned *out)
{
	unsigned *by_data = must_calloc(g->count + 1, sizeof *by_data);
	unsigned *knot_of = must_calloc(g->count + 1, sizeof *knot_of);
	unsigned *place_of = must_calloc(g->count + 1, sizeof *place_of);
	sort_by_data(g, by_data);
	unsigned knots = ways_knots(g, knot_of);
	for (unsigned i = 0; i < g->count; i++)
		place_of[knot_of[i] + 1]++;
	for (unsigned i = 1; i < knots; i++)
		place_of[i] += place_of[i - 1];
	for (unsigned i = 0; i < g->count; i++)
		out[place_of[knot_of[by_data[i]]]++] = by_data[i];
	free(by_data);
	free(knot_of);
	free(place_of);
}

const unsigned *graph_sorted(struct graph *g)
{
	if (!g->sorted) {
		g->sorted = must_calloc(g->count + 1, sizeof *g->sorted);
		sort(g, g->sorted);
	}
	return g->sorted;
}
