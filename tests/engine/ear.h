/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody who taps or traces. */
#ifndef TESTS_ENGINE_EAR_H
#define TESTS_ENGINE_EAR_H

#include "base/buf.h"
#include "rig.h"
#include "unit.h"

struct ear {
	struct buf heard;
	unsigned pieces;
	uint64_t dropped;
	bool deaf, ended, answered;
	int code;
};

static inline bool ear_is_ready(void *arg)
{
	struct ear *ear = arg;
	return !ear->deaf;
}

static inline void ear_end(void *arg)
{
	struct ear *ear = arg;
	ck_assert(!ear->ended);
	ear->ended = true;
}

static inline void ear_answer(struct pt_request *q)
{
	struct ear *ear = q->tap.arg;
	ear->answered = true;
	ear->code = q->code;
}

/* What comes is JSON, which `hear` reads, or bytes as they are. */
static inline int ear_ask(struct rig *r, struct ear *ear, const char *verb, const char *json,
                          void (*hear)(void *, const char *, size_t),
                          void (*hear_bytes)(void *, const char *, size_t))
{
	struct pt_request q;
	rig_request(&q, verb, json);
	q.tap = (struct pt_tap_hooks){ear_is_ready, q.format == PT_TAP_PCAPNG ? hear_bytes : hear,
	                              ear_end, ear};
	q.done = ear_answer;
	pt_engine_ask(rig_engine(r), &q);
	turn(r);
	turn(r); /* the request is read, then what follows from it */
	ck_assert(ear->answered);
	rig_request_clear(&q);
	return ear->code;
}

/* What was heard since the last look. */
static inline void expect_heard(struct rig *r, struct ear *ear, const char *wanted)
{
	turn(r);
	ck_assert_str_eq(ear->heard.data ? ear->heard.data : "", wanted);
	buf_free(&ear->heard);
}

#endif
