/* SPDX-License-Identifier: BSD-2-Clause */
/* A short list of what is carried over, by key. */
#include "engine/carry.h"

#include "base/buf.h"
#include "engine/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pt_carry {
	enum pt_carry_to leaving;
	uint64_t cut;
	struct carry_item *items;
	size_t count;
	bool damaged;
};

/* What an earlier daemon's block has carried over. */
struct carried {
	struct carried *next;
	char *block, *type;
	struct pt_carry *carry;
};

struct pt_carry *carry_new(enum pt_carry_to leaving)
{
	struct pt_carry *e = must_calloc(1, sizeof *e);
	e->leaving = leaving;
	return e;
}

static void close_item(struct carry_item *item)
{
	if (item->fd >= 0)
		close(item->fd);
	item->fd = -1;
}

bool carry_close(struct pt_carry *e, bool all)
{
	bool unasked = false;
	for (size_t i = 0; e && i < e->count; i++) {
		struct carry_item *item = &e->items[i];
		if (!strcmp(item->key, CARRY_QUEUE))
			continue;
		item->unasked |= item->fd >= 0 && !item->asked;
		unasked |= item->unasked;
		if (all || item->unasked)
			close_item(item);
	}
	return unasked;
}

static void report(struct pt_engine *e, const char *block, const char *words)
{
	if (e->hooks.report)
		e->hooks.report(e->hooks.arg, block, 0, words);
}

void carry_tell_unasked(const struct pt_block *b)
{
	struct buf words = BUF_INIT;
	for (size_t i = 0; b->carried && i < b->carried->count; i++)
		if (b->carried->items[i].unasked)
			buf_addf(&words, "%s'%s'", words.length ? ", " : "",
			         b->carried->items[i].key);
	if (words.length) {
		buf_adds(&words, " of before the restart is closed: the block is another now");
		report(b->engine, b->name, words.data);
	}
	buf_free(&words);
}

void carry_free(struct pt_carry *e)
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

/* What a block takes up only when it starts is carried on until then. */
static void pass_on(struct pt_carry *c, const struct pt_carry *before)
{
	for (size_t i = 0; before && before->leaving != PT_TO_SUCCESSOR && i < before->count; i++) {
		const struct carry_item *item = &before->items[i];
		if (item->bytes && strcmp(item->key, CARRY_QUEUE) != 0)
			pt_carry_bytes(c, item->key, item->bytes, item->length);
	}
}

/* A block that is not running has nothing open, but one that opens nothing may hold messages. */
struct pt_carry *carry_of(struct pt_block *b, enum pt_carry_to to)
{
	struct pt_carry *c = carry_new(to);
	c->cut = to != PT_TO_SUCCESSOR && b->engine->cuts.on ? b->engine->cuts.number : 0;
	if (b->started || !b->type->open) {
		carry_rows(b, c);
		if (b->type->carry)
			b->type->carry(b, c);
	}
	if (!b->started && !b->type->open)
		pass_on(c, b->carried);
	if (c->count)
		return c;
	carry_free(c);
	return NULL;
}

struct pt_carry *carry_for(const struct pt_block *fresh, struct pt_block *old)
{
	return old->type == fresh->type ? carry_of(old, PT_TO_SUCCESSOR) : NULL;
}

uint64_t carry_cut(const struct pt_carry *e)
{
	return e->cut;
}

void carry_set_damaged(struct pt_carry *e)
{
	e->damaged = true;
}

void carry_tell_damage(struct pt_block *b)
{
	if (!b->carried || !b->carried->damaged)
		return;
	b->carried->damaged = false;
	pt_lost(b, 1, "restart");
	pt_report(b, -EIO, "what it had left before the restart is damaged: it begins anew");
}

struct carry_item *carry_items(const struct pt_carry *e, size_t *count)
{
	*count = e->count;
	return e->items;
}

static struct carry_item *add(struct pt_carry *e, const char *key)
{
	e->items = must_realloc(e->items, e->count + 1, sizeof *e->items);
	struct carry_item *item = &e->items[e->count++];
	*item = (struct carry_item){.key = must_strdup(key), .fd = -1};
	return item;
}

void carry_add_fd(struct pt_carry *e, const char *key, int fd)
{
	add(e, key)->fd = fd;
}

/* ---- what blocks call ---- */

enum pt_carry_to pt_carry_to(const struct pt_carry *e)
{
	return e->leaving;
}

void pt_carry_fd(struct pt_carry *e, const char *key, int fd)
{
	if (e->leaving == PT_TO_SUCCESSOR) {
		add(e, key);
		return;
	}
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		carry_add_fd(e, key, copy);
}

void pt_carry_bytes(struct pt_carry *e, const char *key, const void *bytes, size_t length)
{
	struct carry_item *item = add(e, key);
	item->bytes = must_calloc(length + 1, 1);
	item->length = length;
	if (length)
		memcpy(item->bytes, bytes, length);
}

static struct carry_item *find(const struct pt_block *b, const char *key, bool bytes)
{
	struct pt_carry *e = b->carried;
	for (size_t i = 0; e && i < e->count; i++)
		if (!strcmp(e->items[i].key, key) && !e->items[i].bytes == !bytes)
			return &e->items[i];
	return NULL;
}

/* A copy, as the start may fail, and is tried again; but of a queue, which is not taken before. */
static int hand_out(struct carry_item *item)
{
	int copy = strcmp(item->key, CARRY_QUEUE) ? fcntl(item->fd, F_DUPFD_CLOEXEC, 0) : -1,
	    own = item->fd;
	item->asked = true;
	if (copy >= 0 || own < 0)
		return copy;
	item->fd = -1;
	return own;
}

bool pt_carried_fd(struct pt_block *b, const char *key, int *fd)
{
	struct carry_item *item = find(b, key, false);
	if (!item || ((item->fd < 0 || item->asked) && b->carried->leaving != PT_TO_SUCCESSOR))
		return false;
	*fd = hand_out(item);
	return true;
}

const void *pt_carried_bytes(struct pt_block *b, const char *key, size_t *length)
{
	const struct carry_item *item = find(b, key, true);
	if (!item)
		return NULL;
	*length = item->length;
	return item->bytes;
}

bool pt_carry_exact(const struct pt_carry *e)
{
	return e->cut > 0;
}

/* What an earlier daemon has left, and the next start takes up. */
bool carry_waits(const struct pt_block *b)
{
	return !b->started && b->carried && b->carried->leaving != PT_TO_SUCCESSOR;
}

void carry_ask_anew(struct pt_block *b)
{
	for (size_t i = 0; i < b->carried->count; i++)
		b->carried->items[i].asked = false;
}

void carry_let_go(struct pt_block *b)
{
	if (!carry_waits(b))
		return;
	carry_free(b->carried);
	b->carried = NULL;
	carry_tell(b);
}

/* ---- to the next daemon ---- */

void carry_no_longer_stale(struct pt_block *b)
{
	if (b->carry_stale)
		TAILQ_REMOVE(&b->engine->carry_stale, b, carry_links);
	b->carry_stale = false;
}

static void tell(struct pt_block *b, enum pt_carry_to leaving)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	if (hooks->carry && carry_is_of(b->type))
		hooks->carry(hooks->arg, b->name, b->type->name, carry_of(b, leaving));
}

void carry_tell(struct pt_block *b)
{
	tell(b, PT_FOR_RESTART);
}

void carry_tell_last(struct pt_block *b)
{
	if (!carry_waits(b) || !b->type->open)
		tell(b, PT_AT_END);
}

void carry_tell_gone(struct pt_engine *e, const char *block, const char *type)
{
	if (e->hooks.carry)
		e->hooks.carry(e->hooks.arg, block, type, NULL);
}

void carry_tell_bytes(struct pt_engine *e, const char *name, const char *key, const void *bytes,
                      size_t length)
{
	struct pt_carry *carry = carry_new(PT_FOR_RESTART);
	carry->cut = e->cuts.number;
	pt_carry_bytes(carry, key, bytes, length);
	e->hooks.carry(e->hooks.arg, name, key, carry);
}

void carry_tell_stale(struct pt_engine *e)
{
	for (struct pt_block *b; !e->ending && (b = TAILQ_FIRST(&e->carry_stale));) {
		carry_no_longer_stale(b);
		if ((b->started || !b->type->open) && !b->away)
			carry_tell(b);
	}
}

void carry_settle(struct pt_engine *e)
{
	if (e->hooks.carry_settle)
		e->hooks.carry_settle(e->hooks.arg);
}

void pt_engine_carry(struct pt_engine *e, const char *block, const char *type,
                     struct pt_carry *carry)
{
	struct carried *c = must_calloc(1, sizeof *c);
	*c = (struct carried){e->carried, must_strdup(block), type ? must_strdup(type) : NULL,
	                      carry};
	e->carried = c;
}

static void carried_free(struct carried *c)
{
	carry_free(c->carry);
	free(c->block);
	free(c->type);
	free(c);
}

static bool is_of(const struct carried *c, const char *block, const char *type)
{
	return !strcmp(c->block, block) && (!c->type || !strcmp(c->type, type));
}

struct pt_carry *carry_take(struct pt_engine *e, const char *block, const char *type)
{
	for (struct carried **at = &e->carried; *at; at = &(*at)->next) {
		struct carried *c = *at;
		if (!is_of(c, block, type))
			continue;
		struct pt_carry *carry = c->carry;
		*at = c->next;
		c->carry = NULL;
		carried_free(c);
		return carry;
	}
	return NULL;
}

void carry_forget(struct pt_engine *e)
{
	for (struct carried *c; (c = e->carried);) {
		e->carried = c->next;
		if (e->hooks.carry)
			report(e, c->block,
			       "what it had left before the restart is let go: there is no such "
			       "block any more, or it has another type");
		carry_tell_gone(e, c->block, c->type ? c->type : "");
		carried_free(c);
	}
}
