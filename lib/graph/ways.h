/* SPDX-License-Identifier: BSD-2-Clause */
/* The index of a graph's links: what every question about ways through it asks. */
#ifndef GRAPH_WAYS_H
#define GRAPH_WAYS_H

#include "graph/graph.h"
#include <limits.h>

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

/* The same of some blocks alone: number[index] is 1, 2, … for those, 0 for others, and takes the
   place of index + 1. `back`: by the entries that links lead to. Yours to free. */
struct ways ways_of_some(const struct graph *, bool back, const unsigned *number, unsigned count);
void ways_free(struct ways *);

/* By the exits that links leave: found when first asked for, and kept with the graph until it is
   changed. */
const struct ways *ways_out(struct graph *);
void ways_forget(struct graph *);

#define WAYS_NONE UINT_MAX

/*
 * Nodes that lead to one another. A node that is on no cycle is a component by itself; each
 * component comes behind those that it leads to. Those of component c are members[first[c]] …
 * members[first[c + 1] - 1].
 */
struct ways_components {
	unsigned count, *of; /* of each node: its component */
	unsigned *members, *first;
};

/* Of entries (numbered as ports), by what the routes of their blocks pass on at once. */
struct ways_components ways_components(struct graph *);
void ways_components_free(struct ways_components *);
/* Of blocks (by their index), over links of any kind, whatever their routes are: its knots. Kept
   with the graph, too. */
const struct ways_components *ways_knots(struct graph *);

/* Or links from a block to itself. Where the rank of a block is below those of all that it leads
   to, there are none: blocks have ranks in the order in which they are made, and are given others
   where that does not hold. */
bool ways_has_knots(struct graph *);

#endif
