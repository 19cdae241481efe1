/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints: what all blocks of an engine carry over a restart, as of one moment. */
#ifndef ENGINE_CUT_H
#define ENGINE_CUT_H

#include "engine/block.h"
#include "engine/timer.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pt_engine;
struct pt_request;
TAILQ_HEAD(request_list, pt_request);

/*
 * Between two turns of the engine's loop each message is in what a source has not read yet, in a
 * queue, or in a sink: so what blocks carry then fits together. A cut asks those that have changed
 * since the last one. Sinks of which `settle` tells that what they were given is not in the page
 * cache yet are asked later, for what they noted at that moment. When all are, the cut is
 * committed: hooks.commit makes the next daemon go by it, and not by the one before. One cut is
 * under way at a time; one that a change of the graph comes in between is followed by another.
 *
 * Cuts are on while a source runs that goes back to them (pt_exact), and the engine's hooks carry
 * something. Else what blocks carry is told when it has changed, each by itself, as cut 0.
 */
struct cuts {
	bool on;
	unsigned exact;  /* running blocks that go back, */
	unsigned keeps;  /* and those of them whose origin keeps what they gave */
	uint64_t number; /* of the one that was begun last */
	uint64_t committed;
	bool pending; /* the last one is not committed */
	bool armed;   /* another is due, at once or when the timer says */
	bool final;   /* the last one, at the end: it is committed when all is closed, … */
	bool may_wait, unsettled;   /* … unless sources can go back, and some have to */
	uint64_t begun_ns, took_ns; /* the engine's thread, to ask all */
	int64_t committed_ns;       /* since 1970 */
	size_t counts_size;         /* of all counts when they were told; 0: they are to be */
	bool counts_since;          /* what has changed since then was told, too */
	size_t passed;              /* bytes that queues have let go of since */
	bool holds; /* sources, until the first one is committed: that is where they begin; … */
	uint64_t holds_until_ns; /* … or until then */
	struct pt_timer timer, again;
	struct blocks settling, told;
	struct request_list asked,
		answers; /* that wait for the next commit but one; for the next */
};

void cut_init(struct cuts *);
void cut_resume(struct pt_engine *, uint64_t cut); /* numbers go on from there */
void cut_turn(struct pt_engine *);        /* blocks have started: from now on they are on */
void cut_settle(struct pt_engine *);      /* what is due; runs before the loop waits */
void cut_now(struct pt_engine *);         /* begins another, or tells, whatever is under way */
void cut_end(struct pt_engine *);         /* there are no cuts for now */
void cut_last(struct pt_engine *);        /* from now on what is told is of the last one, … */
void cut_tell_last(struct pt_engine *);   /* … of which all has been told by blocks, … */
void cut_commit_last(struct pt_engine *); /* … and which counts from now on */

bool cut_holds(
	const struct pt_engine *); /* no source may send now, and nothing stops before it has */

/* What `show` has of a source: {time, at}, or null and `why`. */
void cut_show(const struct pt_block *, json_t *row);

void cut_forget(struct pt_block *); /* it ends */
void cut_exact(struct pt_block *, bool exact);

/* That so many bytes have left a queue, whose room is free only when a cut is committed. */
void cut_passed(struct pt_engine *, size_t bytes);

/* Answers a request when what it has done is behind a committed cut. */
void cut_answer(struct pt_request *, json_t *result);

#endif
