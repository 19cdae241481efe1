/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine does one at a time: a change, a start, a stop, a revival. */
#ifndef ENGINE_STEP_H
#define ENGINE_STEP_H

#include "engine/engine.h"

struct pt_request;

/*
 * Part, and the first one, of whatever a step needs, which frees it after the step has ended. On
 * the engine's thread; `job`, `err` and `code` are the worker's while it works.
 */
struct step {
	struct job job;
	struct pt_engine *engine;
	struct pt_request *request; /* NULL: nobody asked */
	struct pt_error err;
	int code;
};

void step_begin(struct step *, struct pt_engine *, struct pt_request *); /* none is under way */
/* The next one may begin. */
void step_end(struct step *);
/* Answers with the result (taken), or the code and the faults. */
void step_answer(struct step *, json_t *result);

/* No worker took the job: then it has a code. */
bool step_is_refused(struct step *);

/* A block could not do what it should: what has been said since `from` is about it, under `path`
   (NULL: none). */
void step_block_failed(struct step *, int code, size_t from, const char *name, const char *path);

#endif
