/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks in the order in which messages and triggers come to them. */
#include "engine/graph.h"

#include "base/buf.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- by data links alone ---- */

#define PLACED UINT_MAX

struct sorting {
	unsigned *waits_for;    /* by block: links from blocks that have no place yet; or PLACED */
	unsigned *first, *next; /* the links of each block, as a list: number + 1; 0 ends it */
	unsigned *out, done;
};

static void index_data_links(const struct graph *g, struct sorting *s)
{
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		if (l->canal == PT_TRIGGER)
			continue;
		s->waits_for[l->to->index]++;
		s->next[i] = s->first[l->from->index];
		s->first[l->from->index] = i + 1;
	}
}

static void place(struct sorting *s, unsigned block)
{
	s->waits_for[block] = PLACED;
	s->out[s->done++] = block;
}

static void let_go(const struct graph *g, struct sorting *s, unsigned block)
{
	for (unsigned l = s->first[block]; l; l = s->next[l - 1]) {
		unsigned to = g->links[l - 1].to->index;
		if (s->waits_for[to] != PLACED && --s->waits_for[to] == 0)
			place(s, to);
	}
}

static void sort_by_data(const struct graph *g, unsigned *out)
{
	struct sorting s = {
		.waits_for = must_calloc(g->count, sizeof *s.waits_for),
		.first = must_calloc(g->count + 1, sizeof *s.first),
		.next = must_calloc(g->link_count, sizeof *s.next),
		.out = out,
	};
	index_data_links(g, &s);
	for (unsigned i = 0, from = 0; i < g->count; i++) {
		if (s.waits_for[i] == 0)
			place(&s, i);
		for (; from < s.done; from++)
			let_go(g, &s, out[from]);
	}
	/* What is left lies on cycles, or behind them. */
	for (unsigned i = 0; s.done < g->count; i++) {
		unsigned from = s.done;
		if (s.waits_for[i] != PLACED)
			place(&s, i);
		for (; from < s.done; from++)
			let_go(g, &s, out[from]);
	}
	free(s.waits_for);
	free(s.first);
	free(s.next);
}

/* ---- by all links, as far as there is no cycle ---- */

/* All links in one direction: block b leads to to[first[b]] … to[first[b + 1] - 1]. */
struct ways {
	unsigned *first, *to;
};

static struct ways ways_new(const struct graph *g, bool back)
{
	struct ways w = {must_calloc(g->count + 2, sizeof *w.first),
	                 must_calloc(g->link_count, sizeof *w.to)};
	for (unsigned i = 0; i < g->link_count; i++)
		w.first[(back ? g->links[i].to : g->links[i].from)->index + 2]++;
	for (unsigned i = 0; i < g->count; i++)
		w.first[i + 2] += w.first[i + 1];
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_block *from = g->links[i].from, *to = g->links[i].to;
		w.to[w.first[(back ? to : from)->index + 1]++] = (back ? from : to)->index;
	}
	return w;
}

static void ways_free(struct ways *w)
{
	free(w->first);
	free(w->to);
}

/* Where a walk has come to: from each block that it has seen, the next way to take. */
struct walk {
	struct ways ways;
	bool *seen;
	unsigned *next, *path;
};

static struct walk walk_new(const struct graph *g, bool back)
{
	return (struct walk){ways_new(g, back), must_calloc(g->count, sizeof(bool)),
	                     must_calloc(g->count, sizeof(unsigned)),
	                     must_calloc(g->count, sizeof(unsigned))};
}

static void walk_free(struct walk *w)
{
	ways_free(&w->ways);
	free(w->seen);
	free(w->next);
	free(w->path);
}

/* Depth first, without recursion: writes down each block that was not seen yet, behind those that it
   leads to. Returns how many. */
static unsigned walk_from(struct walk *w, unsigned start, unsigned *out)
{
	unsigned depth = 0, done = 0;
	if (w->seen[start])
		return 0;
	w->seen[start] = true;
	w->next[start] = w->ways.first[start];
	w->path[depth++] = start;
	while (depth) {
		unsigned at = w->path[depth - 1];
		if (w->next[at] == w->ways.first[at + 1]) {
			out[done++] = at;
			depth--;
			continue;
		}
		unsigned to = w->ways.to[w->next[at]++];
		if (w->seen[to])
			continue;
		w->seen[to] = true;
		w->next[to] = w->ways.first[to];
		w->path[depth++] = to;
	}
	return done;
}

/* Numbers the cycles (a block that is on none is one by itself) so that each comes behind those that
   lead to it: Kosaraju's algorithm. Returns how many there are. */
static unsigned number_cycles(const struct graph *g, unsigned *cycle_of)
{
	struct walk on = walk_new(g, false), back = walk_new(g, true);
	unsigned *order = must_calloc(g->count, sizeof *order), done = 0, cycles = 0;
	unsigned *members = must_calloc(g->count, sizeof *members);
	for (unsigned i = 0; i < g->count; i++)
		done += walk_from(&on, i, order + done);
	while (done) {
		unsigned count = walk_from(&back, order[--done], members);
		for (unsigned i = 0; i < count; i++)
			cycle_of[members[i]] = cycles;
		cycles += count > 0;
	}
	free(members);
	free(order);
	walk_free(&on);
	walk_free(&back);
	return cycles;
}

/* A trigger may lead back against the data: on such a cycle the data counts. */
void graph_sort(const struct graph *g, unsigned *out)
{
	unsigned *by_data = must_calloc(g->count, sizeof *by_data);
	unsigned *cycle_of = must_calloc(g->count, sizeof *cycle_of);
	unsigned *place_of = must_calloc(g->count + 1, sizeof *place_of);
	sort_by_data(g, by_data);
	unsigned cycles = number_cycles(g, cycle_of);
	for (unsigned i = 0; i < g->count; i++)
		place_of[cycle_of[i] + 1]++;
	for (unsigned i = 1; i < cycles; i++)
		place_of[i] += place_of[i - 1];
	for (unsigned i = 0; i < g->count; i++)
		out[place_of[cycle_of[by_data[i]]]++] = by_data[i];
	free(by_data);
	free(cycle_of);
	free(place_of);
}
