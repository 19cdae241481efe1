/* SPDX-License-Identifier: BSD-2-Clause */
/* Going on from an earlier daemon's checkpoint: what is told of it, and whether it goes well. */
#ifndef ENGINE_RESUME_H
#define ENGINE_RESUME_H

#include "engine/timer.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pt_engine;
struct pt_carry;

/*
 * From the first start on a second is looked at: each time that something is about to come out of
 * the sources behind a checkpoint, that is one more try of it, which hooks.tries puts where the
 * next daemon finds it, until another checkpoint is committed that is further, or the second is
 * over. After two tries the daemon is careful: a checkpoint lies between any two vectors. So after
 * three tries the message that ends the daemon is in the vector behind the checkpoint, and sources
 * are told to leave that out (pt_poisoned).
 */
struct resume {
	int64_t time_ns; /* of the checkpoint, since 1970; 0: none, or it was gone on from */
	char *why;
	unsigned tries; /* of the checkpoint that is committed */
	bool poisoned;  /* while blocks start */
	bool careful, watches;
	bool tried;              /* it is told that something comes out */
	uint64_t messages;       /* that had come out when it was committed, */
	uint64_t messages_begun; /* or is begun */
	struct pt_timer second;
	uint64_t waited;                        /* messages */
	struct pt_carry *counts, *counts_since; /* see counts.h, */
	char **words;                           /* and those in it that are no constants */
	size_t word_count;
	json_t *shown; /* {time, gap_s, waited, why}; NULL: it has not gone on */
};

void resume_start(struct pt_engine *);   /* before blocks start */
void resume_started(struct pt_engine *); /* all of them have */
void resume_failed(struct pt_engine *);  /* or it is stopped by hand before that */
void resume_try(struct pt_engine *);     /* sources are about to send */
void resume_cut_begins(struct pt_engine *);
void resume_committed(struct pt_engine *);
void resume_settle(struct pt_engine *);
void resume_fini(struct pt_engine *);

#endif
