/* SPDX-License-Identifier: BSD-2-Clause */
/* What a running block leaves to the one that takes its place, now or in the next daemon. */
#ifndef ENGINE_ESTATE_H
#define ENGINE_ESTATE_H

#include <pipetool/block.h>

/*
 * Items by key, as the type's `leave` has listed them: descriptors, bytes, and mere promises. It is
 * made on the engine's thread, and hung on the fresh block, whose `open` asks it on a worker
 * thread. What was not asked for by the end of `open` is closed.
 */
struct pt_estate;
struct pt_engine;

#define ESTATE_QUEUE "queue" /* see shadow.h; it may be asked for after `open`, too */

/* Asks a block. To a successor: descriptors stay where they are, and the block lives on until it is
   inherited from; otherwise each is duplicated. NULL: it leaves nothing. */
struct pt_estate *estate_of(struct pt_block *, enum pt_leaving);
/* The same for the block that is to take its place: NULL if that is of another type. */
struct pt_estate *estate_for(const struct pt_block *fresh, struct pt_block *old);

/* One to be filled by hand. */
struct pt_estate *estate_new(enum pt_leaving);
void estate_add_fd(struct pt_estate *, const char *key, int fd); /* takes it */
void estate_set_damaged(struct pt_estate *);                     /* there was more */
void estate_tell_damage(struct pt_block *);                      /* counts and tells it, if so */
void estate_free(struct pt_estate *);  /* closes what was not taken; NULL does nothing */
void estate_close(struct pt_estate *); /* but keeps bytes and queue; NULL does nothing */
void estate_tell_unclaimed(const struct pt_block *); /* what that has closed */

bool estate_can_inherit(const struct pt_block *fresh, const struct pt_block *old);

struct estate_item {
	char *key;
	int fd;         /* -1: bytes, a promise, or taken */
	bool unclaimed; /* `open` has not asked for the descriptor, which is closed */
	uint8_t *bytes;
	size_t length;
};
struct estate_item *estate_items(const struct pt_estate *, size_t *count);

/* ---- what the engine tells by hooks.left ---- */
void estate_tell(struct pt_block *);
void estate_tell_last(struct pt_block *); /* that is about to be stopped for the last time */
void estate_tell_gone(struct pt_engine *, const char *block, const char *type);
void estate_tell_stale(struct pt_engine *); /* those that have said so; at the end each is asked */
void estate_settle(struct pt_engine *);     /* [worker] */

/* What an earlier daemon's block has left, or NULL; and what nobody has taken is closed and
   told. */
struct pt_estate *estate_take(struct pt_engine *, const char *block, const char *type);
void estate_forget(struct pt_engine *);

#endif
