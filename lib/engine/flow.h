/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose turn it is, who is held back by a full sink, and how many blocks are in what state. */
#ifndef ENGINE_FLOW_H
#define ENGINE_FLOW_H

#include "engine/block.h"
#include "engine/timer.h"
#include <sys/queue.h>

/* What is counted of the blocks of the graph. */
enum flow_count {
	FLOW_FAILED,
	FLOW_WAITING, /* of these: to be tried again */
	FLOW_UNDONE,  /* may send more: a source that is not exhausted, another that is ready */
	FLOW_TAKING,  /* messages come to it, and it is no drain */
	FLOW_LOST,    /* of these: failed, neither tried again nor going on by themselves */
	FLOW_COUNTS
};

/*
 * On the engine's thread. A block at rest costs nothing, for nothing here looks at all of them:
 * each tells by flow_note what has become of it, and that is all that is looked at.
 *
 * Turns are taken in the order of the graph, round by round. They are a heap, as timers are: when a
 * block is due is whether in this round or in the next, and in it the block's place.
 */
struct flow {
	struct timers turns; /* of the blocks that may produce */
	uint32_t at;         /* the place of the block whose turn it is; 0: of none */
	struct blocks full, held, enough;
	struct timers changing; /* blocks that may be paused, or no longer, by their places */
	bool stale;             /* who is held back, or of no use, must be found anew */
	struct blocks ending;   /* to be told when no more will come */
	bool ends_stale;        /* whether it is so must be found anew */
	struct pt_block *to_do; /* of the search for one of the two */
	uint64_t looks;
	unsigned counts[FLOW_COUNTS];
	uint64_t messages; /* that sources have sent */
};

void flow_init(struct flow *);
void flow_fini(struct flow *);

/* A block becomes part of the graph that is alive, with its place, entries and counters; and is no
   longer. */
void flow_enter(struct pt_block *);
void flow_leave(struct pt_block *);
void flow_move(struct pt_block *, uint32_t place);

void flow_note(struct pt_block *); /* it is another than before in something that counts here */
void flow_set_full(struct pt_block *, bool full);
void flow_set_enough(struct pt_block *, bool enough);

void flow_work(struct pt_engine *);           /* one turn of each that may produce */
bool flow_has_work(const struct pt_engine *); /* is there one */
/* Holds back those that reach a full sink, and exhausts those that nobody has a use for. */
void flow_update(struct pt_engine *);
/* Which full blocks hold a source back: those that it can reach at once. None where it flows. */
void flow_each_obstacle(struct pt_block *source, void (*found)(void *, const struct pt_block *),
                        void *arg);
void flow_end(struct pt_engine *);                /* tells blocks to which no more will come */
bool flow_is_exhausted(const struct pt_engine *); /* nothing left to send, or nobody to take it */

#endif
