/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of holdings, and of what is stored for each. */
#include "daemon/store.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/fdstore.h"
#include "daemon/holding.h"
#include "daemon/store_find.h"
#include "engine/carry.h"
#include "engine/carry_record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool store_is_name(const char *name)
{
	return !strncmp(name, STORE_PREFIX, strlen(STORE_PREFIX));
}

/* ---- what is carried over ---- */

static bool is_same(const struct item *item, const char *key, int fd)
{
	struct stat st;
	return !strcmp(item->key, key) && !fstat(fd, &st) && st.st_dev == item->device &&
	       st.st_ino == item->inode;
}

/* The item of before that is this one, taken out; or a new one. */
static struct item adopt(struct store *k, struct holding *h, struct carry_item *from)
{
	for (size_t i = 0; i < h->count; i++) {
		if (!is_same(&h->items[i], from->key, from->fd))
			continue;
		struct item found = h->items[i];
		found.left = false;
		h->items[i] = h->items[--h->count];
		return found;
	}
	struct stat st = {.st_dev = 0};
	fstat(from->fd, &st);
	struct item fresh = {
		must_strdup(from->key), ++h->last_number, false, -1, st.st_dev, st.st_ino};
	bool stored = holding_put(k, h, fresh.number, from->fd);
	from->fd = -1;
	if (!stored)
		fresh.number = 0;
	return fresh;
}

static void let_go_items(struct store *k, struct holding *h, bool left)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->count; i++) {
		if (left && !h->items[i].left) {
			h->items[kept++] = h->items[i];
			continue;
		}
		holding_let_go(k, h, h->items[i].number);
		item_fini(&h->items[i]);
	}
	h->count = kept;
}

/* What the cut does not have any more the one before has. */
static size_t leave_items(struct mark *m, struct holding *h, struct item *now)
{
	for (size_t i = 0; i < h->count; i++) {
		now[i] = h->items[i];
		now[i].left = true;
	}
	size_t count = h->count;
	m->left |= count > 0;
	h->count = 0;
	return count;
}

static void update(struct store *k, struct holding *h, struct pt_carry *carry)
{
	size_t count, kept = 0;
	struct carry_item *items = carry_items(carry, &count);
	struct item *now = must_calloc(count + h->count + 1, sizeof *now);
	struct mark *m = carry_cut(carry) ? mark_need(k, h->engine) : NULL;
	for (size_t i = 0; i < count; i++) {
		if (items[i].fd < 0)
			continue;
		now[kept] = adopt(k, h, &items[i]);
		if (now[kept].number)
			kept++;
		else
			item_fini(&now[kept]);
	}
	if (m)
		kept += leave_items(m, h, now + kept);
	let_go_items(k, h, false);
	free(h->items);
	h->items = now;
	h->count = kept;
	holding_write(k, h, carry);
}

bool store_commit(struct store *k, const char *engine, uint64_t cut, bool must)
{
	if (!must && !fdstore_is_told(k->fds))
		return false;
	pthread_mutex_lock(&k->lock);
	struct mark *m = mark_need(k, engine);
	if (m)
		page_commit(m->page, cut, must);
	for (struct holding *h = k->holdings; m && m->left && h; h = h->next)
		if (!strcmp(h->engine, engine))
			let_go_items(k, h, true);
	if (m)
		m->left = false;
	pthread_mutex_unlock(&k->lock);
	return true;
}

void store_tries(struct store *k, const char *engine, unsigned tries)
{
	pthread_mutex_lock(&k->lock);
	struct mark *m = mark_find(k, engine);
	if (m)
		page_set_tries(m->page, tries);
	pthread_mutex_unlock(&k->lock);
}

static bool has_holdings(const struct store *k, const char *engine)
{
	for (const struct holding *h = k->holdings; h; h = h->next)
		if (!strcmp(h->engine, engine))
			return true;
	return false;
}

/* What is kept of the engine as a whole goes with the last of its blocks. */
static void drop(struct store *k, struct holding *h, const char *engine)
{
	struct mark *m = mark_find(k, engine);
	holding_drop(k, h);
	if (m && !has_holdings(k, engine))
		mark_drop(k, m);
}

void store_carry(struct store *k, const char *engine, const char *block, const char *type,
                 struct pt_carry *carry)
{
	if (k) {
		pthread_mutex_lock(&k->lock);
		struct holding *h = holding_find(k, engine, block);
		if (!carry && h) {
			drop(k, h, engine);
		} else if (carry) {
			if (!h)
				h = holding_add(k, engine, block);
			free(h->type);
			h->type = must_strdup(type);
			h->given = true;
			if (holding_make_memory(k, h))
				update(k, h, carry);
			else
				holding_drop(k, h);
		}
		pthread_mutex_unlock(&k->lock);
	}
	carry_free(carry);
}

static void drop_if(struct store *k, const char *engine)
{
	struct holding *next;
	for (struct holding *h = k->holdings; h; h = next) {
		next = h->next;
		if (engine ? !strcmp(h->engine, engine) : !h->given)
			holding_drop(k, h);
	}
	struct mark *next_mark;
	for (struct mark *m = k->marks; m; m = next_mark) {
		next_mark = m->next;
		if (engine ? !strcmp(m->engine, engine) : !m->given)
			mark_drop(k, m);
	}
}

void store_forget(struct store *k, const char *engine)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	drop_if(k, engine);
	pthread_mutex_unlock(&k->lock);
}

void store_sweep(struct store *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	for (const struct holding *h = k->holdings; h; h = h->next)
		if (!h->given)
			log_info("what block %s of engine %s had left is let go: there is no such "
			         "engine",
			         h->block, h->engine);
	drop_if(k, NULL);
	pthread_mutex_unlock(&k->lock);
}

void store_settle(struct store *k)
{
	if (k)
		fdstore_settle(k->fds);
}

/* ---- what was carried over ---- */

/* *exact: it is of a checkpoint. */
static struct pt_carry *carry_from(struct store *k, struct holding *h, bool *exact)
{
	struct buf records = BUF_INIT;
	struct carry_record r;
	char *key;
	holding_read(k, h, &records);
	if (!records.length && !h->damaged)
		return NULL;
	struct pt_carry *carry = carry_new(PT_FOR_RESTART);
	if (h->damaged)
		carry_set_damaged(carry);
	const char *at = records.data, *end = at ? at + records.length : NULL;
	for (; at && (at = carry_record_next(at, end, &r, &key)); at += r.length) {
		*exact |= r.kind == CARRY_CUT;
		if (r.kind == CARRY_BYTES && !h->damaged)
			pt_carry_bytes(carry, key, at, r.length);
		free(key);
	}
	buf_free(&records);
	for (size_t i = 0; i < h->count; i++) {
		carry_add_fd(carry, h->items[i].key, h->items[i].fd);
		h->items[i].fd = -1;
	}
	return carry;
}

static void resume(struct mark *m, bool exact, struct pt_engine *to)
{
	const struct pt_resumed from = {page_committed(m->page), exact ? page_time_ns(m->page) : 0,
	                                page_tries(m->page), page_adopt(m->page)};
	m->given = true;
	pt_engine_resume(to, &from);
}

void store_give(struct store *k, const char *engine, struct pt_engine *to)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	bool exact = false;
	for (struct holding *h = k->holdings; h; h = h->next) {
		struct pt_carry *carry =
			h->given || strcmp(h->engine, engine) ? NULL : carry_from(k, h, &exact);
		if (carry)
			pt_engine_carry(to, h->block, h->type, carry);
		h->given |= carry != NULL;
	}
	struct mark *m = mark_find(k, engine);
	if (m)
		resume(m, exact, to);
	pthread_mutex_unlock(&k->lock);
}

/* ---- life ---- */

static size_t room(void)
{
	const char *said = getenv("FDSTORE");
	long value = said && getenv("NOTIFY_SOCKET") ? strtol(said, NULL, 10) : 0;
	return value > 0 ? (size_t)value : 0;
}

int store_new(struct store **out, struct pt_error *err)
{
	size_t most = room();
	*out = NULL;
	if (!most)
		return 0;
	struct store *k = must_calloc(1, sizeof *k);
	k->stored_max = most;
	int rc = fdstore_new(&k->fds, err);
	if (rc) {
		free(k);
		return rc;
	}
	pthread_mutex_init(&k->lock, NULL);
	pthread_mutex_lock(&k->lock);
	store_find(k);
	pthread_mutex_unlock(&k->lock);
	*out = k;
	return 0;
}

void store_free(struct store *k)
{
	if (!k)
		return;
	fdstore_free(k->fds);
	for (struct holding *h; (h = k->holdings);) {
		k->holdings = h->next;
		holding_free(h);
	}
	for (struct mark *m; (m = k->marks);) {
		k->marks = m->next;
		mark_free(m);
	}
	pthread_mutex_destroy(&k->lock);
	free(k);
}
