/* SPDX-License-Identifier: BSD-2-Clause */
/* One message that is traced: its steps, where it is held, and when it is at rest. */
#ifndef ENGINE_TRACED_H
#define ENGINE_TRACED_H

#include "base/map.h"
#include "capture/feed.h"
#include "engine/engine.h"

/* What a block has done with it; of several things, the one that stands further below is told. */
enum traced_did {
	TRACED_NOTHING,
	TRACED_TRIGGERED,
	TRACED_FILTERED,
	TRACED_DELIVERED,
	TRACED_RELEASED,
	TRACED_HELD,
	TRACED_DROPPED,
	TRACED_ERROR,
	TRACED_PASSED,
	TRACED_CHANGED,
};

struct traced {
	struct traced *next; /* of the trace */
	struct trace *trace;
	uint64_t id;
	json_t *message, *steps;
	unsigned moving, held; /* frames that are about it; copies that are in a block */
	bool rested;           /* it was told of */
};

/* A step, and a frame of the stack. */
struct traced_frame {
	struct traced *of; /* NULL: nothing that is traced */
	struct pt_block *block;
	enum { TRACED_LEAVES, TRACED_ARRIVED, TRACED_TRIGGER } kind;
	enum pt_canal canal;  /* the entry */
	json_t *step;         /* [borrowed] NULL: of what leaves */
	uint64_t number;      /* of the step */
	enum traced_did did;  /* so far */
	unsigned made;        /* by the block itself meanwhile, and not yet sent */
	struct pt_msg before; /* as it came in; its bytes are the frame's */
};

/* In a block, until that lets go of it. */
struct traced_held {
	char key[20]; /* of the message */
	struct traced *of;
	char *block;
	const struct pt_type *type; /* the block's */
	enum pt_canal canal;
	uint64_t number; /* of the step that holds it */
};

struct trace {
	struct trace *next; /* of the engine */
	struct pt_engine *engine;
	struct pt_tap_hooks hooks;
	char *block;         /* NULL: all sources */
	struct pt_block *at; /* which has that name now */
	struct filter *filter;
	int64_t left; /* messages to begin with */
	uint64_t ids, numbers;
	int64_t unrested; /* have begun, and were not told of */
	bool follows;     /* what is held then, too */
	bool told_end;
	struct traced *messages;
	struct traced_frame *frames;
	unsigned depth, room;
	struct map held;
	bool pcapng;
	struct feed feed;
	struct buf out; /* of the stream */
};

/* One that leaves the block, as it is. */
struct traced *traced_new(struct trace *, enum pt_canal exit, const struct pt_msg *);
void traced_free(struct traced *);

/* Adds a step; [borrowed]. */
json_t *traced_step(struct traced *, const char *block, enum pt_canal, enum traced_did,
                    const char *why);
void traced_tell(json_t *step, enum traced_did, const char *why);
void traced_tell_links(json_t *step, const struct wires *);
/* The names of what differs. */
void traced_tell_changed(json_t *step, const struct pt_msg *before, const struct pt_msg *after);

/* It is told of, if it is at rest and something has happened; and gone, if nothing more can. */
void traced_rest(struct traced *);

/* A copy that the block holds; the same again takes the place of one that went unseen. */
void traced_hold(struct traced *, const struct traced_frame *, const struct pt_msg *);
struct traced_held *traced_find(const struct trace *, const struct pt_msg *); /* or NULL */
void traced_let_go(struct traced_held *);

/* Writes the message into the stream, as it goes over a link. */
void traced_write(struct trace *, const struct pt_block *from, const struct pt_block *to,
                  enum pt_canal, const struct pt_msg *);

#endif
