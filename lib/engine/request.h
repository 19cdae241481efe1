/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked of an engine, and those who wait for an answer. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "base/mailbox.h"
#include <jansson.h>
#include <pipetool/engine.h>

struct verb;

struct request {
	struct pt_letter letter;
	struct pt_engine *engine;
	const struct verb *verb;
	json_t *params;
	int *fds;
	int fd_count;
	struct pt_tap_hooks tap;
	pt_engine_done *done;
	void *arg;
	bool given_up; /* it does not wait any more, nor take what nobody would hear of */
	struct request *next;
	struct pt_timer deadline;
};

/* Answers and frees it. Takes `result`, no part of which anybody else may hold; NULL stands for {}.
   A NULL request does nothing. */
void request_answer(struct request *, int code, json_t *result, struct pt_error *);

void request_refuse(struct request *, int code, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

int request_fail_ending(const struct pt_engine *, struct pt_error *);

/* The block that a request is about. NULL: the request was answered, or waits until a worker thread
   gives the block back. */
struct pt_block *request_block(struct request *);

/* Serves receivers and deadlines, ends what has drained, and begins the next change in the
   queue. */
void request_settle(struct pt_engine *);

void request_answer_stopped(struct pt_engine *,
                            const json_t *result); /* those who wait for a stop */
void request_refuse_all(struct pt_engine *);       /* the engine ends */

#endif
