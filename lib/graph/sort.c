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
	const struct ways *ways;
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
	for (unsigned l = s->ways->first[block * 3]; l < s->ways->first[block * 3 + PT_TRIGGER];
	     l++) {
		unsigned to = s->graph->links[s->ways->links[l]].to->index;
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

static void sort_by_data(const struct graph *g, const struct ways *ways, unsigned *out)
{
	struct sorting s = {g, ways, must_calloc(g->count + 1, sizeof *s.waits_for), out, 0};
	for (unsigned i = 0; i < g->link_count; i++)
		if (g->links[i].canal != PT_TRIGGER)
			s.waits_for[g->links[i].to->index]++;
	place_all(&s, false);
	place_all(&s, true); /* what is left lies on cycles, or behind them */
	free(s.waits_for);
}

/* ---- by all links, as far as there is no cycle ---- */

/* A trigger may lead back against the data: on such a cycle the data counts. */
static void sort(struct graph *g, unsigned *out)
{
	const struct ways_components *knots = ways_knots(g);
	unsigned *by_data = must_calloc(g->count + 1, sizeof *by_data);
	unsigned *end = must_calloc(knots->count + 1, sizeof *end); /* of each knot's places */
	sort_by_data(g, ways_out(g), by_data);
	for (unsigned k = 0; k < knots->count; k++)
		end[k] = g->count - knots->first[k];
	for (unsigned i = g->count; i--;)
		out[--end[knots->of[by_data[i]]]] = by_data[i];
	free(by_data);
	free(end);
}

const unsigned *graph_sorted(struct graph *g)
{
	if (!g->sorted) {
		g->sorted = must_calloc(g->count + 1, sizeof *g->sorted);
		sort(g, g->sorted);
	}
	return g->sorted;
}
