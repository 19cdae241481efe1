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

/* They are found when they are first asked for, and kept with the graph until it is changed. */
const struct ways *ways_out(struct graph *); /* by the exits that links leave */
const struct ways *ways_in(struct graph *);  /* by the entries that they lead to */
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
bool ways_has_knots(struct graph *); /* or links from a block to itself */

#endif
