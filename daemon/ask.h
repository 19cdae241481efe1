/* SPDX-License-Identifier: BSD-2-Clause */
/* A question to an engine: one object, from whoever asks to the answer that may be told. */
#ifndef DAEMON_ASK_H
#define DAEMON_ASK_H

#include "daemon/revisions.h"
#include <jansson.h>
#include <pipetool/engine.h>
#include <sys/queue.h>

struct engine;

/* `result` is borrowed; faults may be moved away. */
typedef void engines_done(void *arg, int code, json_t *result, struct pt_error *);

/*
 * It belongs to the control loop, and all functions here, and `done`, are the control loop's; its
 * request belongs to the engine as long as that has it (see pt_request). It is part of a call, or
 * stands alone, when the daemon itself asks.
 *
 * Its way: ask_put; behind a start or stop that is being recorded; the engine; if its graph was
 * changed, what is to be kept of that; held until the journal has all that it may tell of; `done`,
 * once. Then one that stands alone is freed, and a call's is the call's again, to be asked anew.
 *
 * Who finishes it: the engine, or ask.c where it never came to the engine, since it ends, or the
 * record could not be written. Who gives it up: ask_cancel, until `done`, which comes all the same,
 * and soon.
 */
struct ask {
	struct pt_request request; /* first */
	struct author author;      /* of a change; its comment is the ask's */
	bool authored;             /* it is a change that is recorded */
	bool alone;
	struct engine *engine; /* who was asked; NULL: nobody, or it has answered */
	engines_done *done;
	void *arg;
	struct pt_letter news;         /* the graph was changed */
	TAILQ_ENTRY(ask) entry;        /* of those that are held, or behind a record */
	TAILQ_ENTRY(ask) entry_unkept; /* of changes that were made, and are not on disk yet */
	uint64_t record;               /* the journal's ticket for it */
	bool unkept;                   /* it is in that list */
	bool counted;                  /* among the starts of its engine */
	bool confirms;                 /* it is a change that is to be confirmed */
	bool leaves;                   /* a stop of what is destroyed, to be confirmed */
	enum { NOT_LOST, TAKEN_BACK, NOT_KEPT } lost;
	bool keeps, starts; /* the state that was asked for is to be kept: running, or stopped */
	bool recorded, was; /* it is in the journal already; and the state before */
	uint64_t ticket;    /* it is answered when the journal has come so far */
};
TAILQ_HEAD(ask_list, ask);

/* One that stands alone. Its request is to be filled in: the block's name, what is to be done,
   message and messages are the ask's from then on, descriptors are borrowed. */
struct ask *ask_new(enum pt_verb);
/* Of a change: who makes it. Copies the comment. */
void ask_set_author(struct ask *, const struct author *);
/* Of a change: the graph that a revision had is to be added. */
void ask_set_graph(struct ask *, const struct history *, const struct revision *);
/* Asks. What is answered tells nothing that could be lost. */
void ask_put(struct ask *, struct engine *, engines_done *, void *arg);
void ask_cancel(struct ask *);
/* The daemon itself has the answer (takes `result`), which tells of what it has just recorded. */
void ask_answer(struct ask *, struct engine *, json_t *result, engines_done *, void *arg);
void ask_free(struct ask *);  /* of one that was not put */
void ask_clear(struct ask *); /* frees what it holds, of one that is a call's */

#endif
