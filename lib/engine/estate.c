/* SPDX-License-Identifier: BSD-2-Clause */
/* A short list of what is left, by key. */
#include "engine/estate.h"

#include "base/buf.h"
#include "engine/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pt_estate {
	enum pt_leaving leaving;
	struct estate_item *items;
	size_t count;
	bool damaged;
};

/* What an earlier daemon's block has left. */
struct left {
	struct left *next;
	char *block, *type;
	struct pt_estate *estate;
};

struct pt_estate *estate_new(enum pt_leaving leaving)
{
	struct pt_estate *e = must_calloc(1, sizeof *e);
	e->leaving = leaving;
	return e;
}

static void close_item(struct estate_item *item)
{
	if (item->fd >= 0)
		close(item->fd);
	item->fd = -1;
}

void estate_close(struct pt_estate *e)
{
	for (size_t i = 0; e && i < e->count; i++) {
		if (!strcmp(e->items[i].key, ESTATE_QUEUE))
			continue;
		e->items[i].unclaimed = e->items[i].fd >= 0;
		close_item(&e->items[i]);
	}
}

static void report(struct pt_engine *e, const char *block, const char *words)
{
	if (e->hooks.report)
		e->hooks.report(e->hooks.arg, block, 0, words);
}

void estate_tell_unclaimed(const struct pt_block *b)
{
	struct buf words = BUF_INIT;
	for (size_t i = 0; b->estate && i < b->estate->count; i++)
		if (b->estate->items[i].unclaimed)
			buf_addf(&words, "%s'%s'", words.length ? ", " : "",
			         b->estate->items[i].key);
	if (words.length) {
		buf_adds(&words, " of before the restart is closed: the block is another now");
		report(b->engine, b->name, words.data);
	}
	buf_free(&words);
}

void estate_free(struct pt_estate *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->count; i++) {
		close_item(&e->items[i]);
		free(e->items[i].key);
		free(e->items[i].bytes);
	}
	free(e->items);
	free(e);
}

/* A block that is not running has nothing open, but one that opens nothing may hold messages. */
struct pt_estate *estate_of(struct pt_block *b, enum pt_leaving leaving)
{
	if (!b->type->leave || (!b->started && b->type->open))
		return NULL;
	struct pt_estate *e = estate_new(leaving);
	b->type->leave(b, e);
	if (e->count)
		return e;
	estate_free(e);
	return NULL;
}

bool estate_can_inherit(const struct pt_block *fresh, const struct pt_block *old)
{
	return old->type == fresh->type && fresh->type->inherit;
}

struct pt_estate *estate_for(const struct pt_block *fresh, struct pt_block *old)
{
	return estate_can_inherit(fresh, old) ? estate_of(old, PT_TO_SUCCESSOR) : NULL;
}

void estate_set_damaged(struct pt_estate *e)
{
	e->damaged = true;
}

void estate_tell_damage(struct pt_block *b)
{
	if (!b->estate || !b->estate->damaged)
		return;
	b->estate->damaged = false;
	pt_lost(b, 1, "restart");
	pt_report(b, -EIO, "what it had left before the restart is damaged: it begins anew");
}

struct estate_item *estate_items(const struct pt_estate *e, size_t *count)
{
	*count = e->count;
	return e->items;
}

static struct estate_item *add(struct pt_estate *e, const char *key)
{
	e->items = must_realloc(e->items, e->count + 1, sizeof *e->items);
	struct estate_item *item = &e->items[e->count++];
	*item = (struct estate_item){.key = must_strdup(key), .fd = -1};
	return item;
}

void estate_add_fd(struct pt_estate *e, const char *key, int fd)
{
	add(e, key)->fd = fd;
}

/* ---- what blocks call ---- */

enum pt_leaving pt_leaving(const struct pt_estate *e)
{
	return e->leaving;
}

void pt_leave(struct pt_estate *e, const char *key, int fd)
{
	if (e->leaving == PT_TO_SUCCESSOR) {
		add(e, key);
		return;
	}
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		estate_add_fd(e, key, copy);
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
	if (!item || (item->fd < 0 && b->estate->leaving != PT_TO_SUCCESSOR))
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

void pt_leaves_other(struct pt_block *b)
{
	b->leaves_other = b->engine->leaves_other = true;
}

/* ---- to the next daemon ---- */

static void tell(struct pt_block *b, enum pt_leaving leaving)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	b->leaves_other = false;
	if (hooks->left && b->type->leave)
		hooks->left(hooks->arg, b->name, b->type->name, estate_of(b, leaving));
}

void estate_tell(struct pt_block *b)
{
	tell(b, PT_FOR_RESTART);
}

void estate_tell_last(struct pt_block *b)
{
	tell(b, PT_AT_END);
}

void estate_tell_gone(struct pt_engine *e, const char *block, const char *type)
{
	if (e->hooks.left)
		e->hooks.left(e->hooks.arg, block, type, NULL);
}

void estate_tell_stale(struct pt_engine *e)
{
	if (!e->leaves_other || e->ending)
		return;
	e->leaves_other = false;
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		if (b->leaves_other && (b->started || !b->type->open) && !b->away)
			estate_tell(b);
	}
}

void estate_settle(struct pt_engine *e)
{
	if (e->hooks.left_settle)
		e->hooks.left_settle(e->hooks.arg);
}

void pt_engine_leave(struct pt_engine *e, const char *block, const char *type,
                     struct pt_estate *estate)
{
	struct left *left = must_calloc(1, sizeof *left);
	*left = (struct left){e->left, must_strdup(block), type ? must_strdup(type) : NULL, estate};
	e->left = left;
}

static void left_free(struct left *left)
{
	estate_free(left->estate);
	free(left->block);
	free(left->type);
	free(left);
}

static bool is_of(const struct left *left, const char *block, const char *type)
{
	return !strcmp(left->block, block) && (!left->type || !strcmp(left->type, type));
}

struct pt_estate *estate_take(struct pt_engine *e, const char *block, const char *type)
{
	for (struct left **at = &e->left; *at; at = &(*at)->next) {
		struct left *left = *at;
		if (!is_of(left, block, type))
			continue;
		struct pt_estate *estate = left->estate;
		*at = left->next;
		left->estate = NULL;
		left_free(left);
		return estate;
	}
	return NULL;
}

void estate_forget(struct pt_engine *e)
{
	for (struct left *left; (left = e->left);) {
		e->left = left->next;
		if (e->hooks.left)
			report(e, left->block,
			       "what it had left before the restart is let go: there is no such "
			       "block any more, or it has another type");
		estate_tell_gone(e, left->block, left->type ? left->type : "");
		left_free(left);
	}
}
