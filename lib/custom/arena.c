/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of allocations. */
#include "custom/arena.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

static void *keep(struct arena *a, void *item, size_t size)
{
	a->items = must_realloc(a->items, a->count + 1, sizeof *a->items);
	a->items[a->count++] = item;
	a->bytes += size;
	return item;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	return keep(a, must_calloc(count, size), count * size);
}

char *arena_strndup(struct arena *a, const char *text, size_t length)
{
	char *copy = arena_calloc(a, length + 1, 1);
	memcpy(copy, text, length);
	return copy;
}

char *arena_take(struct arena *a, char *text)
{
	return keep(a, text, strlen(text));
}

void arena_free(struct arena *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->items[i]);
	free(a->items);
	*a = (struct arena){0};
}
