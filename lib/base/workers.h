/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of the process on which is done what may block. */
#ifndef BASE_WORKERS_H
#define BASE_WORKERS_H

#include <stdbool.h>

struct pt_error;

/*
 * Who takes up the last that is free sees to it that there is one more: so what hangs (a dead file
 * server) keeps nothing else from being done. Where there cannot be more of them (no thread is
 * left, or there are WORKERS_MAX), work waits for one that is free. One is never given what may be
 * refused: what must be done (closing, freeing) comes on. All functions may be called from any
 * thread.
 */
enum { WORKERS_MAX = 128 };

/* Part of whatever is to be done; from the moment it runs it is the worker's. */
struct work {
	struct work *next;
	void (*run)(struct work *); /* [worker] may free it */
	bool must;                  /* it may not be refused */
};

int workers_begin(struct pt_error *); /* has the first of them; before anything else here */
/* Makes no thread, since what calls may not be held up: but where all hang, and none could be had
   before, it tries to. */
void workers_add(struct work *);
/* Whether it still waited; then it is the caller's again. */
bool workers_take_back(struct work *);

#endif
