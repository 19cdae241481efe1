/* SPDX-License-Identifier: BSD-2-Clause */
/* What a running block leaves to the one that takes its place. */
#ifndef ENGINE_ESTATE_H
#define ENGINE_ESTATE_H

#include <pipetool/block.h>

/*
 * Items by key, as the type's `leave` has listed them: descriptors, bytes, and mere promises. It is
 * made on the engine's thread, and hung on the fresh block, whose `open` asks it on a worker
 * thread. What was not asked for by the end of `open` is closed.
 */
struct pt_estate;

/* Asks a block that is started. With `promised` the block lives on until its successor inherits from
   it: descriptors stay where they are. Otherwise each is duplicated. NULL: it leaves nothing. */
struct pt_estate *estate_of(struct pt_block *, bool promised);

/* One to be filled by hand. */
struct pt_estate *estate_new(bool promised);
void estate_free(struct pt_estate *); /* closes what was not taken; NULL does nothing */

/* The fresh block will be asked to inherit from the old one, by this type and in this state. */
bool estate_is_promised(const struct pt_block *old, const struct pt_type *fresh);

struct estate_item {
	char *key;
	int fd; /* -1: bytes, a promise, or taken */
	uint8_t *bytes;
	size_t length;
};
const struct estate_item *estate_items(const struct pt_estate *, size_t *count);

#endif
