/* SPDX-License-Identifier: BSD-2-Clause */
/* Open addressing with linear probing; names are short and trusted to be bounded in number. */
#include "base/map.h"

#include "base/buf.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 16

static const char gone[] = ""; /* told apart by its address */

static uint64_t hash(const char *key)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */
	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * 1099511628211u;
	return h;
}

static struct map_slot *find(const struct map *m, const char *key)
{
	if (!m->room)
		return NULL;
	for (size_t i = hash(key) & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
		struct map_slot *slot = &m->slots[i];
		if (!slot->key)
			return NULL;
		if (slot->key != gone && !strcmp(slot->key, key))
			return slot;
	}
}

static void put(struct map *m, const char *key, void *value)
{
	size_t i = hash(key) & (m->room - 1);
	while (m->slots[i].key)
		i = (i + 1) & (m->room - 1);
	m->slots[i] = (struct map_slot){key, value};
	m->used++;
}

static void grow(struct map *m)
{
	struct map old = *m;
	size_t alive = 0;
	for (size_t i = 0; i < old.room; i++)
		alive += old.slots[i].key && old.slots[i].key != gone;
	m->room = ROOM_MIN;
	while (m->room < alive * 4)
		m->room *= 2;
	m->slots = must_calloc(m->room, sizeof *m->slots);
	m->used = 0;
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].key && old.slots[i].key != gone)
			put(m, old.slots[i].key, old.slots[i].value);
	free(old.slots);
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map)MAP_INIT;
}

void map_set(struct map *m, const char *key, void *value)
{
	struct map_slot *slot = find(m, key);
	if (slot) {
		*slot = (struct map_slot){key, value};
		return;
	}
	if (m->used * 2 >= m->room)
		grow(m);
	put(m, key, value);
}

void *map_get(const struct map *m, const char *key)
{
	struct map_slot *slot = find(m, key);
	return slot ? slot->value : NULL;
}

void map_remove(struct map *m, const char *key)
{
	struct map_slot *slot = find(m, key);
	if (slot)
		*slot = (struct map_slot){gone, NULL};
}
