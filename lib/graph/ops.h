/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations that a request wants, carried out on a graph as data. */
#ifndef GRAPH_OPS_H
#define GRAPH_OPS_H

#include "graph/graph.h"

/* Carries out operations as engine.change takes them (and as its parameter rows have checked), on
   this graph: changed also on failure, so work on a copy. Every fault is listed, with paths such as
   "ops[3].from". At most `limit` blocks. */
int graph_change(struct graph *, const json_t *ops, unsigned limit, struct pt_error *);

/* The same of blocks and links that are to be added, with paths such as "links[3].from". */
int graph_build(struct graph *, const json_t *blocks, const json_t *links, unsigned limit,
                struct pt_error *);

#endif
