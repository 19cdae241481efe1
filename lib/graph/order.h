/* SPDX-License-Identifier: BSD-2-Clause */
/* Where vectors could be seen: pure analysis of a graph. */
#ifndef GRAPH_ORDER_H
#define GRAPH_ORDER_H

#include "graph/graph.h"

/*
 * Delivery promises what one message at a time, depth first, in the order of the links, would show.
 * A vector breaks the promise in two places only, and this finds them:
 *
 *   split   an exit with several links, of which two lead to one and the same block, or to blocks
 *           that share something outside (two consoles): there each message goes over all links
 *           before the next one does;
 *   single  a block that what it sends can come back to (data forward, a trigger back): it is given
 *           one message at a time, so that the second finds what the first has changed.
 *
 *   turns   a block whose type is `elsewhere`, where ways meet in it or behind it, or come back to
 *           it: what comes of a message has to have gone before anything else does.
 *
 * A block that triggers, or sends on both exits, keeps its own order by sending runs.
 */

/* Finds that, and keeps it with the graph until it is changed. */
void order_find(struct graph *);
void order_forget(struct graph *);

/* Once that is found. Most graphs have nothing of the kind. */
static inline bool order_is_split(const struct graph *g, unsigned exit) /* index * 3 + canal */
{
	return g->split && g->split[exit];
}
static inline bool order_is_single(const struct graph *g, unsigned block)
{
	return g->single && g->single[block];
}
static inline bool order_has_turns(const struct graph *g, unsigned block)
{
	return g->turns && g->turns[block];
}

/* ---- between order.c and turns.c ---- */
void order_find_turns(struct graph *);

#endif
