/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of a graph's links: what every question about ways through it asks. */
#ifndef GRAPH_WAYS_H
#define GRAPH_WAYS_H

#include "graph/graph.h"

/* A port is a number: its block's index * 3 + its canal. As exits and as entries they are numbered
   alike. */
static inline unsigned ways_port(const struct graph_block *b, enum pt_canal canal)
{
	return b->index * 3 + (unsigned)canal;
}

/*
 * The links of port p are graph.links[links[first[p]]] … graph.links[links[first[p + 1] - 1]], in
 * the order in which they were made; those of block b stand together, from first[b * 3] to
 * first[b * 3 + 3] - 1.
 */
struct ways {
	unsigned *first, *links;
};

struct ways ways_out(const struct graph *); /* by the exits that links leave */
struct ways ways_in(const struct graph *);  /* by the entries that they lead to */
void ways_free(struct ways *);

/*
 * Numbers the knots of a graph: blocks that lead to one another over links of any kind, whatever
 * their routes are. A block that is on no cycle is a knot by itself. Each knot comes behind those
 * that lead to it. Returns how many there are; knot_of has room for g->count.
 */
unsigned ways_knots(const struct graph *, unsigned *knot_of);

#endif
