/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked of an engine, and those who wait for an answer. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include <jansson.h>
#include <pipetool/engine.h>

/* Its end, see pt_request: it is not the engine's any more. Takes `result`, NULL stands for {}, and
   the faults. A NULL request does nothing. */
void request_answer(struct pt_request *, int code, json_t *result, struct pt_error *);

void request_refuse(struct pt_request *, int code, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

int request_fail_ending(const struct pt_engine *, struct pt_error *);

/* The block that a request is about. NULL: the request was answered, or waits until a worker thread
   gives the block back. */
struct pt_block *request_block(struct pt_request *);

/* It waits for its time, or until it is given up; request_settle looks at it. */
void request_wait(struct pt_request *);

/* Serves receivers and deadlines, ends what has drained, and begins the next change in the
   queue. */
void request_settle(struct pt_engine *);

void request_answer_stopped(struct pt_engine *, json_t *result); /* those who wait for a stop */
void request_refuse_all(struct pt_engine *);                     /* the engine ends */

#endif
