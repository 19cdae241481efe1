/* SPDX-License-Identifier: BSD-2-Clause */
/* A bounded queue of messages, for blocks that hold some. */
#ifndef PIPETOOL_QUEUE_H
#define PIPETOOL_QUEUE_H

#include <pipetool/block.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Lies, zeroed, in the block's state, and is used on the engine's thread alone. What is in it is
 * counted as held. A message costs its bytes and 64 for its descriptor.
 */
struct ring;
struct pt_queue {
	struct pt_msg *head, *last;
	size_t count;
	size_t bytes;
	struct ring *shadow; /* the same, where it outlives the process; or NULL */
	bool goes_back;      /* that is found as it was at the last checkpoint, not at the end */
	size_t room; /* bytes, or more, for which there is such memory at once: when it has to grow,
	                the next daemon finds what was there before until the next checkpoint */
	uint64_t end; /* bytes of all messages that were ever added */
};

enum pt_overflow {
	PT_DROP_OLDEST, /* what came first makes room */
	PT_DROP_NEWEST, /* what comes is dropped */
	PT_BLOCK,       /* the block is full: sources are held back. What still comes is held, up to
	                   PT_OVERRUN beyond the limit, then dropped */
};

/* Room beyond a limit for what is on its way when the sources are held back: a vector, and what
   blocks between make of it, however small the limit is. */
#define PT_OVERRUN (32 * 1024 * 1024)

/* For a parameter row: .kind PT_KIND_CHOICE, .choices = pt_overflow_words. */
extern const char *const pt_overflow_words[];

/* Adds a message and makes it fit `limit` bytes. One that could not be there alone is dropped
   ("too-long"), and nothing for it. Takes the reference; false: it was dropped. */
bool pt_queue_add(struct pt_block *, struct pt_queue *, enum pt_canal, struct pt_msg *,
                  uint64_t limit, enum pt_overflow);

/* For `feed`. Whether all of the messages may wait: refused, and they are gone, where the block is
   closed, or 64 MiB wait. Then they are added, and none is dropped for want of room. */
int pt_queue_may_feed(struct pt_block *, const struct pt_queue *, bool closed,
                      struct pt_msg **messages, unsigned count, struct pt_error *);
void pt_queue_feed(struct pt_block *, struct pt_queue *, enum pt_canal, struct pt_msg **messages,
                   unsigned count);

/* The oldest message and the canal on which it came, still held: to be sent, dropped or done.
   NULL if there is none. With PT_BLOCK the block stops being full at half the limit. */
struct pt_msg *pt_queue_take(struct pt_block *, struct pt_queue *, enum pt_canal *, uint64_t limit);

/* The place of the oldest message's first byte among the bytes of all that were ever added, also by
   earlier daemons. */
uint64_t pt_queue_place(const struct pt_queue *);

/* The canal on which a message that is in a queue came. */
enum pt_canal pt_queue_canal(const struct pt_msg *);

/* In `give_back`: the message is the oldest again, whatever the limit is. Takes the reference. */
void pt_queue_give_back(struct pt_block *, struct pt_queue *, enum pt_canal, struct pt_msg *);

/* Tells whether the block is full: with PT_BLOCK, at its limit. In `changed`, for a limit or an
   overflow that is live: what holds the sources back may not any more. */
void pt_queue_changed(struct pt_block *, const struct pt_queue *, uint64_t limit, enum pt_overflow);

/* ---- back-pressure, with a queue or without ---- */

/* Sinks: while full, the sources that reach the block are held back. What comes all the same must
   be taken. */
void pt_full(struct pt_block *, bool full);

/* Whether a sink behind the block is full now: a block that lets go of many messages at once stops,
   and goes on in `produce`. */
bool pt_held_back(struct pt_block *);

/* A message can be taken: wakes `ptctl recv`. */
void pt_available(struct pt_block *);

/* ---- over a replacement and a restart ---- */

/* For a row of what a type carries: the engine moves the queue, takes what was carried, and clears
   it in the end. */
#define PT_CARRY_QUEUE(type, field)                                                 \
	.kind = PT_CARRIED_QUEUE, .offset = PT_FIELD(type, field, struct pt_queue), \
	.size = sizeof(struct pt_queue)

/* The same by hand, of what goes out to where nothing can be taken back: what has left the queue is
   gone, whatever the checkpoint is. Where somebody stores it for the next daemon, what is in a
   queue also stands in memory that outlives this one. In `carry`: lists that. In `start`, or before
   the queue is used: takes what was carried. And when the oldest message is gone in part: how much
   of it is. */
void pt_queue_carry(struct pt_block *, struct pt_queue *, struct pt_carry *);
void pt_queue_begun(struct pt_queue *, size_t bytes);
/* Also where there is such memory already: pt_queue_begun is due again then. */
void pt_queue_set_room(struct pt_block *, struct pt_queue *, size_t room);
void pt_queue_carried(struct pt_block *, struct pt_queue *);

void pt_queue_drop(struct pt_block *, struct pt_queue *, const char *why); /* all of it, counted */
void pt_queue_clear(struct pt_queue *); /* in fini: all of it, uncounted */

#ifdef __cplusplus
}
#endif
#endif
