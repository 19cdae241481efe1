/* SPDX-License-Identifier: BSD-2-Clause */
/* A short list of what is left, by key. */
#include "engine/estate.h"

#include "base/buf.h"
#include "engine/block.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pt_estate {
	bool promised;
	struct estate_item *items;
	size_t count;
};

struct pt_estate *estate_new(bool promised)
{
	struct pt_estate *e = must_calloc(1, sizeof *e);
	e->promised = promised;
	return e;
}

void estate_free(struct pt_estate *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->count; i++) {
		if (e->items[i].fd >= 0)
			close(e->items[i].fd);
		free(e->items[i].key);
		free(e->items[i].bytes);
	}
	free(e->items);
	free(e);
}

struct pt_estate *estate_of(struct pt_block *b, bool promised)
{
	if (!b->type->leave || !b->started)
		return NULL;
	struct pt_estate *e = estate_new(promised);
	b->type->leave(b, e);
	if (e->count)
		return e;
	estate_free(e);
	return NULL;
}

bool estate_is_promised(const struct pt_block *old, const struct pt_type *fresh)
{
	return old->type == fresh && fresh->inherit;
}

const struct estate_item *estate_items(const struct pt_estate *e, size_t *count)
{
	*count = e->count;
	return e->items;
}

/* ---- what blocks call ---- */

static struct estate_item *add(struct pt_estate *e, const char *key)
{
	e->items = must_realloc(e->items, e->count + 1, sizeof *e->items);
	struct estate_item *item = &e->items[e->count++];
	*item = (struct estate_item){.key = must_strdup(key), .fd = -1};
	return item;
}

void pt_leave(struct pt_estate *e, const char *key, int fd)
{
	int copy = e->promised || fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (e->promised || copy >= 0)
		add(e, key)->fd = copy;
}

void pt_leave_bytes(struct pt_estate *e, const char *key, const void *bytes, size_t length)
{
	struct estate_item *item = add(e, key);
	item->bytes = must_calloc(length + 1, 1);
	item->length = length;
	if (length)
		memcpy(item->bytes, bytes, length);
}

static struct estate_item *find(const struct pt_block *b, const char *key, bool bytes)
{
	struct pt_estate *e = b->estate;
	for (size_t i = 0; e && i < e->count; i++)
		if (!strcmp(e->items[i].key, key) && !e->items[i].bytes == !bytes)
			return &e->items[i];
	return NULL;
}

bool pt_left(struct pt_block *b, const char *key, int *fd)
{
	struct estate_item *item = find(b, key, false);
	if (!item || (item->fd < 0 && !b->estate->promised))
		return false;
	*fd = item->fd;
	item->fd = -1;
	return true;
}

const void *pt_left_bytes(struct pt_block *b, const char *key, size_t *length)
{
	const struct estate_item *item = find(b, key, true);
	if (!item)
		return NULL;
	*length = item->length;
	return item->bytes;
}
