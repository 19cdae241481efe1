/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that takes and gives messages in frames, and says what it has done with them. */
#ifndef NET_TALK_H
#define NET_TALK_H

#include "base/buf.h"
#include <pipetool/outside.h>
#include <pipetool/queue.h>
#include <uv.h>

/*
 * Lies in the state of a block whose type is `elsewhere`, with all six ports. A frame is, little
 * endian:
 *     u32 length of what follows, u8 kind, u8 canal (0 low, 1 high), u16 flags, u32 link_type
 *     (0xffffffff: none), u32 wire_length (0: its own length), i64 time_ns, bytes
 * and the manual of ProgramPipe tells the kinds.
 *
 * What was given to the program stays in the queue, held, until a credit says that it is done with;
 * of a program that never gave any, until it is written. So the ledger knows what is under way, and
 * what has not come back when the program ends is dropped (unsent).
 */
struct talk {
	struct pt_block *block;
	const uint64_t *limit; /* bytes that may wait before the block is full */
	/* Nothing more goes either way: its own end, or why it is none. */
	void (*ended)(struct pt_block *, const char *why);

	int fds[2], slots[2]; /* to it, and from it: -1 while there is none */
	uv_poll_t polls[2];
	bool polled[2];

	struct pt_queue queue; /* first what is under way, then what waits */
	struct pt_msg *next;   /* the first that waits; or NULL */
	uint64_t taken, given; /* messages, since it began */
	uint64_t under_way;    /* given, and not done with */
	uint64_t lost;         /* of these, by what the program said: the next ones */
	int64_t window;        /* how many may be under way; -1: it has not said */
	struct buf triggers;   /* uint64_t each: how many messages go before it */
	unsigned triggers_under_way;
	bool many_triggers; /* wait: the block is full */
	bool keeps; /* when it is over what waits stays for another, with which is begun; and so
	               does what comes until then */
	bool answers_triggers; /* with a credit of 0 */

	struct buf out, in; /* frames */
	size_t written, read;
	bool no_more, told_no_more; /* nothing more will come in */
	bool told_end, over, dry;   /* dry: there is nothing to read for now */
	bool patient;               /* it was waited for once, to say its window */
	unsigned depth;             /* of waiting */
};

void talk_init(struct talk *, struct pt_block *, const uint64_t *limit,
               void (*ended)(struct pt_block *, const char *why));
/* In `start`, or later: both descriptors are its own. What was kept goes to it. */
void talk_begin(struct talk *, int to, int from);
void talk_push(struct talk *, enum pt_canal, struct pt_msg **, unsigned count);
void talk_trigger(struct talk *);
void talk_no_more(struct talk *);
void talk_produce(struct talk *, unsigned max);
void talk_changed(struct talk *);
/* In `stop`: what is on its way comes through, for 2 s. False: it did not end. */
bool talk_stop(struct talk *);
void talk_close(struct talk *);       /* [worker] after the handles have gone */
void talk_detach(struct talk *);      /* the same at once; another can be begun with */
bool talk_waits(const struct talk *); /* something is kept for another */
void talk_drop(struct talk *);        /* it goes: there will be none */
void talk_fini(struct talk *);

/* ---- between talk.c and talk_in.c ---- */
void talk_over(struct talk *, const char *why);
void talk_credit(struct talk *, uint32_t count, unsigned flags);
/* Reads what is there, and sends up to `max` messages. */
void talk_read(struct talk *, unsigned max);

enum talk_kind {
	TALK_MESSAGE = 1,
	TALK_TRIGGER,
	TALK_EXHAUSTED,
	TALK_END,
	TALK_ERROR,
	TALK_CREDIT
};
enum {
	TALK_TEXT = 1,             /* of a message */
	TALK_LOST = 2,             /* of an error */
	TALK_ANSWERS_TRIGGERS = 4, /* of the first credit */
};

#define TALK_HEAD  20u
#define TALK_MAX   (16u * 1024 * 1024)
#define TALK_PLAIN 0xffffffffu

#endif
