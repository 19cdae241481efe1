/* SPDX-License-Identifier: BSD-2-Clause */
/* Cycles of data links alone, or of trigger links alone, through what passes things on at once. */
#include "base/buf.h"
#include "graph/ways.h"
#include <stdlib.h>
#include <string.h>

enum colour { WHITE, GREY, BLACK };

struct search {
	const struct graph *graph;
	const struct ways *ways;
	unsigned char *colour; /* of each entry */
	unsigned *path;        /* link numbers from the start of the search to here */
	unsigned depth;
};

static unsigned entry(const struct graph_link *l)
{
	return ways_port(l->to, l->canal);
}

/* Whether what comes in at the entry may leave at once over the link, data as data and triggers as
   triggers. */
static bool follows(unsigned from_entry, const struct graph_link *l)
{
	enum pt_canal canal = (enum pt_canal)(from_entry % 3);
	return (canal == PT_TRIGGER) == (l->canal == PT_TRIGGER) && !l->from->type->elsewhere &&
	       l->from->type->routes & PT_ROUTE(canal, l->canal);
}

/* The cycle's links, beginning with the one that was made last: that is what the user wrote. */
static unsigned cycle_links(const struct search *s, unsigned closing, unsigned *cycle)
{
	const struct graph *g = s->graph;
	unsigned start = 0, count = 0, newest = 0;
	while (entry(&g->links[s->path[start]]) != entry(&g->links[closing]))
		start++;
	for (unsigned i = start + 1; i < s->depth; i++)
		cycle[count++] = s->path[i];
	cycle[count++] = closing;
	for (unsigned i = 1; i < count; i++)
		if (g->links[cycle[i]].op > g->links[cycle[newest]].op)
			newest = i;
	for (; newest; newest--) {
		unsigned first = cycle[0];
		memmove(cycle, cycle + 1, (count - 1) * sizeof *cycle);
		cycle[count - 1] = first;
	}
	return count;
}

static int complain(const struct search *s, unsigned closing, struct pt_error *err)
{
	const struct graph *g = s->graph;
	unsigned *cycle = must_calloc(s->depth + 1, sizeof *cycle);
	unsigned count = cycle_links(s, closing, cycle);
	struct buf words = BUF_INIT;
	buf_adds(&words, g->links[cycle[0]].from->name);
	for (unsigned i = 0; i < count; i++) {
		buf_adds(&words, graph_link_sign(g->links[cycle[i]].canal));
		buf_adds(&words, g->links[cycle[i]].to->name);
	}
	const struct graph_link *last = &g->links[cycle[0]];
	char *path = last->list ? must_printf("%s[%d]", last->list, last->op) : NULL;
	pt_fail(err, -PT_ECYCLE, path, "this would go round in a cycle: %s", words.data);
	pt_hint(err, "leave out one of these links, or put a block between that passes things on "
	             "later, such as a TCP pipe");
	free(path);
	free(cycle);
	buf_free(&words);
	return -PT_ECYCLE;
}

/* Depth first from one link on, without recursion. Returns a code if it finds a cycle. */
static int visit(struct search *s, unsigned start, unsigned *next, struct pt_error *err)
{
	const struct graph *g = s->graph;
	s->path[0] = start;
	s->depth = 1;
	unsigned at = entry(&g->links[start]);
	s->colour[at] = GREY;
	next[0] = s->ways->first[at - at % 3];
	while (s->depth) {
		at = entry(&g->links[s->path[s->depth - 1]]);
		if (next[s->depth - 1] == s->ways->first[at - at % 3 + 3]) {
			s->colour[at] = BLACK;
			s->depth--;
			continue;
		}
		unsigned number = s->ways->links[next[s->depth - 1]++];
		const struct graph_link *l = &g->links[number];
		if (!follows(at, l) || s->colour[entry(l)] == BLACK)
			continue;
		if (s->colour[entry(l)] == GREY)
			return complain(s, number, err);
		s->colour[entry(l)] = GREY;
		next[s->depth] = s->ways->first[l->to->index * 3];
		s->path[s->depth++] = number;
	}
	return 0;
}

int graph_check_cycles(struct graph *g, struct pt_error *err)
{
	if (!ways_has_knots(g))
		return 0;
	struct search s = {.graph = g, .ways = ways_out(g)};
	s.colour = must_calloc(g->count * 3 + 1, 1);
	s.path = must_calloc(g->count * 3 + 1, sizeof *s.path);
	unsigned *next = must_calloc(g->count * 3 + 1, sizeof *next);
	int rc = 0;
	for (unsigned i = 0; i < g->link_count && rc == 0; i++)
		if (s.colour[entry(&g->links[i])] == WHITE)
			rc = visit(&s, i, next, err);
	free(next);
	free(s.path);
	free(s.colour);
	return rc;
}
