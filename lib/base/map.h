/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to things: a hash table that borrows its keys. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map_slot {
	const char *key; /* NULL: empty */
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t room, used; /* used counts what was removed, too */
};

#define MAP_INIT           \
	{                  \
		NULL, 0, 0 \
	}

void map_free(struct map *); /* leaves it as MAP_INIT; keys and values are not its own */
/* The key must live, unchanged, as long as it is in the map. Replaces the value of an equal key. */
void map_set(struct map *, const char *key, void *value);
void *map_get(const struct map *, const char *key); /* NULL: not there */
void map_remove(struct map *, const char *key);

#endif
