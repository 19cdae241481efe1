/* SPDX-License-Identifier: BSD-2-Clause */
/* From one graph to another: a pure function. */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "graph/graph.h"

enum plan_action {
	PLAN_KEEP,    /* nothing about the block itself differs */
	PLAN_SET,     /* only PT_LIVE parameters differ: set in place */
	PLAN_RESTART, /* other parameters differ: a new block takes over */
	PLAN_REPLACE, /* another type: a new block takes over */
	PLAN_ADD,
};

/* What becomes of each block of `wanted`, which has adopted `now`; `actions` has room for
   wanted->count. */
void plan_blocks(const struct graph *now, const struct graph *wanted, enum plan_action *actions);

/* The operations that lead from `now` to `wanted`, as engine.change takes them: a new reference; an
   empty array if nothing differs. Fan-out order counts: a link that must come later is unlinked and
   linked again. Where nothing but the order differs in which blocks, and links of different exits,
   are listed, it is {op: "order"}: nothing is touched, and what is shown is what was wanted.
   `exact`: also where nothing but defaults that are spelled out differ. */
json_t *plan_to_json(const struct graph *now, const struct graph *wanted,
                     const enum plan_action *actions, bool exact);

/* What becomes of the lists of blocks and of links: see struct pt_made. New references. */
json_t *plan_blocks_delta(const struct graph *now, const struct graph *wanted);
json_t *plan_links_delta(const struct graph *now, const struct graph *wanted);

#endif
