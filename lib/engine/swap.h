/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between the graph that is alive and the one that is wanted, and the moment in which
   the one becomes the other. */
#ifndef ENGINE_SWAP_H
#define ENGINE_SWAP_H

#include "engine/block.h"
#include "graph/plan.h"

/*
 * A worker makes new blocks, opens them and lays out all that is to be swapped, while the engine
 * goes on. swap_commit, on the engine's thread, goes through the lists: what it does grows with
 * what differs, not with the graph, and it allocates nothing. Afterwards the lists hold what was,
 * and a worker frees it.
 */
struct swap {
	struct pt_engine *engine;
	struct graph *now, *wanted;
	struct pt_block **fresh; /* of each wanted block: the new one, or NULL */
	/* While it is laid out: where each block that is alive is in `wanted`, + 1; and which
	   wanted blocks may have other wires, numbered from 1 on; 0: not that. */
	unsigned *became, *touched, touched_count;

	/* PT_LIVE values and parameters of blocks that stay. */
	struct setting {
		struct pt_block *block;
		const struct pt_type *type;
		void *values;
		json_t *params;
	} * settings;
	/* Old blocks, in the order in which data flows; fresh is NULL where one is removed. */
	struct succession {
		struct pt_block *old, *fresh;
	} * ends;
	/* New ones, against that order; sources behind the others. */
	struct pt_block **starts;
	/* Of blocks that stay. */
	struct rewiring {
		struct pt_block *block;
		struct wires **place, *wires;
	} * rewirings;
	struct place {
		struct pt_block *block;
		uint32_t place;
		bool single, in_turn;
	} * places;
	/* Links. */
	struct relinking {
		struct link *link;
		struct pt_block *from, *to;
	} * relinkings;
	struct link **born;
	struct lost_link {
		struct link *link;
		struct pt_block *to; /* who had what came over it; NULL: gone, too */
	} * lost;
	unsigned setting_count, end_count, start_count, source_count, rewiring_count, place_count,
		relinking_count, born_count, lost_count;
};

/* [worker] New blocks and settings, as the plan says, not yet read. */
void swap_begin(struct swap *, struct pt_engine *, struct graph *wanted,
                const enum plan_action *actions);
/* [worker] The rest of the lists. The wanted graph is alive from now on: this is not undone. */
void swap_lay_out(struct swap *);

/* Between two messages. `stopped` is called for each old block, from here or later. */
void swap_commit(struct swap *, void (*stopped)(struct pt_block *, void *arg), void *arg);

/* [worker] Frees the lists, and what was: graph, wires, links, and those old blocks that need not
   the engine's thread for it. */
void swap_free_old(struct swap *);
/* On the engine's thread, the last: other old blocks, settings. Without a commit instead of the
   other: new blocks, which are closed. */
void swap_end(struct swap *);

#endif
