/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is given back all at once: for what is built where errors may jump out. */
#ifndef CUSTOM_ARENA_H
#define CUSTOM_ARENA_H

#include <stddef.h>

struct arena {
	void **items;
	size_t count, bytes;
};

void *arena_calloc(struct arena *, size_t count, size_t size);
char *arena_strndup(struct arena *, const char *, size_t length);
char *arena_take(struct arena *, char *); /* what was allocated elsewhere, to be freed with it */
void arena_free(struct arena *);

#endif
