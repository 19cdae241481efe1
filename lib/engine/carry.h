/* SPDX-License-Identifier: BSD-2-Clause */
/* What a running block carries over to the one that takes its place, now or in the next daemon. */
#ifndef ENGINE_CARRY_H
#define ENGINE_CARRY_H

#include <jansson.h>
#include <pipetool/outside.h>

/*
 * Items by key, as the type's `carry` has listed them: descriptors, bytes, and mere promises. It is
 * made on the engine's thread, and hung on the fresh block, whose `open` asks it on a worker
 * thread. What was not asked for by the end of `open` is closed.
 */
struct pt_carry;
struct pt_engine;

#define CARRY_QUEUE "queue" /* see ring.h; it may be asked for after `open`, too */

/* Asks a block. To a successor: descriptors stay where they are, and the block lives on until it is
   taken over; otherwise each is duplicated. NULL: it carries nothing. */
struct pt_carry *carry_of(struct pt_block *, enum pt_carry_to);
/* The same for the block that is to take its place: NULL if that is of another type. */
struct pt_carry *carry_for(const struct pt_block *fresh, struct pt_block *old);

uint64_t carry_cut(const struct pt_carry *); /* of which it is; 0: none, see cut.h */

/* One to be filled by hand. */
struct pt_carry *carry_new(enum pt_carry_to);
void carry_add_fd(struct pt_carry *, const char *key, int fd); /* takes it */
void carry_set_damaged(struct pt_carry *);                     /* there was more */
void carry_tell_damage(struct pt_block *);                     /* counts and tells it, if so */
void carry_free(struct pt_carry *); /* closes what was not taken; NULL does nothing */
/* What `open` has not asked for, if there is any, or all; but keeps bytes and queue. NULL does
   nothing. */
bool carry_close(struct pt_carry *, bool all);
void carry_tell_unasked(const struct pt_block *); /* what that has closed */

bool carry_is_of(const struct pt_type *); /* it carries something over a restart */

/* ---- the rows of the type ---- */
/* From a block to the one that takes its place, which is told to take over what is no row. How many
   messages were in a queue that is one. */
size_t carry_over(struct pt_block *fresh, struct pt_block *old);
void carry_rows(struct pt_block *, struct pt_carry *); /* lists them */
void carry_begin(struct pt_block *);   /* new in the graph: its queue has what was carried */
void carry_start(struct pt_block *);   /* before it starts: so have its fields, or not */
void carry_clear(struct pt_block *);   /* the queue, uncounted */
json_t *carry_show(struct pt_block *); /* {open: true}, or what `describe` gives; or NULL */

struct carry_item {
	char *key;
	int fd; /* -1: bytes, a promise, or taken */
	bool asked;
	bool unasked; /* `open` has not asked for the descriptor, which is closed */
	uint8_t *bytes;
	size_t length;
};
struct carry_item *carry_items(const struct pt_carry *, size_t *count);

/* ---- what the engine tells by hooks.carry ---- */
void carry_tell(struct pt_block *);
void carry_tell_last(struct pt_block *); /* that is about to be stopped for the last time */
void carry_tell_gone(struct pt_engine *, const char *block, const char *type);
/* Of no block, as of the cut that is under way. */
void carry_tell_bytes(struct pt_engine *, const char *name, const char *key, const void *bytes,
                      size_t length);
void carry_no_longer_stale(struct pt_block *);
void carry_tell_stale(struct pt_engine *); /* those that have said so; at the end each is asked */
void carry_settle(struct pt_engine *);     /* [worker] */

/* What an earlier daemon has left to a block stays until it has been started: where its engine
   cannot be, the next start has it, or the next daemon; unless it is stopped by hand. */
bool carry_waits(const struct pt_block *);
void carry_ask_anew(struct pt_block *); /* `open` is to ask once more */
void carry_let_go(struct pt_block *);

/* What an earlier daemon's block has carried over, or NULL; and what nobody has taken is closed and
   told. */
struct pt_carry *carry_take(struct pt_engine *, const char *block, const char *type);
void carry_forget(struct pt_engine *);

#endif
