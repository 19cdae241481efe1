/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors under names that say whose they are, and the memory that says what they are. */
#include "daemon/holding.h"

#include "base/log.h"
#include "daemon/fdstore.h"
#include "engine/carry.h"
#include "engine/carry_record.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define COMPLAIN_NS 60000000000u

struct holding *holding_find(struct store *k, const char *engine, const char *block)
{
	for (struct holding *h = k->holdings; h; h = h->next)
		if (!strcmp(h->engine, engine) && !strcmp(h->block, block))
			return h;
	return NULL;
}

struct holding *holding_add(struct store *k, const char *engine, const char *block)
{
	struct holding *h = must_calloc(1, sizeof *h);
	h->engine = must_strdup(engine);
	h->block = must_strdup(block);
	h->next = k->holdings;
	k->holdings = h;
	return h;
}

/* "keep/ENGINE//0": no block has such a name. */
char *mark_name(const char *engine)
{
	return must_printf(STORE_PREFIX "%s//0", engine);
}

static char *name_of(const struct holding *h, unsigned number)
{
	return must_printf(STORE_PREFIX "%s/%s/%u", h->engine, h->block, number);
}

/* Blocks carry something else all the time. */
static bool may_complain(struct store *k)
{
	uint64_t now_ns = uv_hrtime();
	if (k->complained_ns && now_ns - k->complained_ns < COMPLAIN_NS)
		return false;
	k->complained_ns = now_ns;
	return true;
}

static void complain(struct store *k, const char *name)
{
	if (!may_complain(k))
		return;
	log_warning("the service manager keeps no more than %zu descriptors: what is to be left as "
	            "%s, and others, is lost at a restart; FileDescriptorStoreMax= sets the number",
	            k->stored_max, name);
}

/* Both take the name, and the first the descriptor, too. */
static bool put_named(struct store *k, char *name, int fd)
{
	if (fd < 0 || k->stored >= k->stored_max) {
		if (fd >= 0) {
			complain(k, name);
			close(fd);
		}
		free(name);
		return false;
	}
	k->stored++;
	fdstore_put(k->fds, name, fd);
	return true;
}

void mark_let_go(struct store *k, char *name)
{
	k->stored--;
	fdstore_remove(k->fds, name);
}

bool holding_put(struct store *k, const struct holding *h, unsigned number, int fd)
{
	return put_named(k, name_of(h, number), fd);
}

void holding_let_go(struct store *k, const struct holding *h, unsigned number)
{
	mark_let_go(k, name_of(h, number));
}

/* ---- marks ---- */

struct mark *mark_find(struct store *k, const char *engine)
{
	struct mark *m = k->marks;
	while (m && strcmp(m->engine, engine))
		m = m->next;
	return m;
}

struct mark *mark_add(struct store *k, const char *engine, struct page *page)
{
	struct mark *m = must_calloc(1, sizeof *m);
	*m = (struct mark){.next = k->marks, .engine = must_strdup(engine), .page = page};
	return k->marks = m;
}

struct mark *mark_need(struct store *k, const char *engine)
{
	struct mark *m = mark_find(k, engine);
	if (m)
		return m;
	struct page *page = page_new();
	int copy = page ? fcntl(page_fd(page), F_DUPFD_CLOEXEC, 0) : -1;
	if (put_named(k, mark_name(engine), copy))
		return mark_add(k, engine, page);
	page_free(page);
	return NULL;
}

uint64_t mark_committed(struct store *k, const char *engine)
{
	const struct mark *m = mark_find(k, engine);
	return m ? page_committed(m->page) : 0;
}

void mark_free(struct mark *m)
{
	page_free(m->page);
	free(m->engine);
	free(m);
}

void mark_drop(struct store *k, struct mark *m)
{
	struct mark **at = &k->marks;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	mark_let_go(k, mark_name(m->engine));
	mark_free(m);
}

void item_fini(struct item *item)
{
	if (item->fd >= 0)
		close(item->fd);
	free(item->key);
}

void holding_free(struct holding *h)
{
	for (size_t i = 0; i < h->count; i++)
		item_fini(&h->items[i]);
	ring_free(h->memory);
	free(h->items);
	free(h->engine);
	free(h->block);
	free(h->type);
	free(h);
}

void holding_drop(struct store *k, struct holding *h)
{
	struct holding **at = &k->holdings;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	for (size_t i = 0; i < h->count; i++)
		holding_let_go(k, h, h->items[i].number);
	if (h->memory)
		holding_let_go(k, h, h->memory_number);
	holding_free(h);
}

/* ---- the memory of a holding ---- */

bool holding_make_memory(struct store *k, struct holding *h)
{
	if (h->memory)
		return true;
	h->memory = ring_new(0);
	int copy = h->memory ? fcntl(ring_fd(h->memory), F_DUPFD_CLOEXEC, 0) : -1;
	if (copy < 0 || !holding_put(k, h, 0, copy)) {
		ring_free(h->memory);
		h->memory = NULL;
	}
	return h->memory;
}

struct pick {
	struct buf *records;
	uint64_t most, last; /* of a cut that counts, and that there is */
};

static uint64_t cut_of(const uint8_t *bytes, size_t length)
{
	struct carry_record r;
	uint64_t cut = 0;
	char *key = NULL;
	const char *begin = (const char *)bytes, *end = begin + length;
	const char *at = carry_record_next(begin, end, &r, &key);
	if (at && r.kind == CARRY_CUT && r.length == sizeof cut)
		memcpy(&cut, at, sizeof cut);
	if (at)
		free(key);
	return cut;
}

static void take_last(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	struct pick *pick = arg;
	pick->last = cut_of(bytes, length);
	if (pick->last > pick->most)
		return;
	buf_clear(pick->records);
	buf_add(pick->records, bytes, length);
}

struct ring_record holding_record(const struct buf *all)
{
	return (struct ring_record){RING_CARRY, .bytes = all->data,
	                            .length = (uint32_t)all->length};
}

void holding_read(struct store *k, struct holding *h, struct buf *records)
{
	struct pick pick = {records, mark_committed(k, h->engine), 0};
	if (!h->memory)
		return;
	h->damaged |= ring_each(h->memory, RING_CARRY, take_last, &pick) > 0;
	h->cut = pick.last;
}

static bool write_both(struct ring *memory, const struct buf *before, const struct ring_record *all)
{
	const struct ring_record first = holding_record(before);
	return !before->length ? ring_replace(memory, all)
	                       : ring_replace(memory, &first) && ring_beside(memory, all);
}

/* For what is longer than half of it. False: there is no room, or no memory. */
static bool grow_memory(struct store *k, struct holding *h, const struct ring_record *all)
{
	struct buf before = BUF_INIT;
	if (h->beside)
		holding_read(k, h, &before);
	struct ring *larger = ring_larger(h->memory);
	while (larger && !write_both(larger, &before, all)) {
		struct ring *next = ring_larger(larger);
		ring_free(larger);
		larger = next;
	}
	buf_free(&before);
	int copy = larger ? fcntl(ring_fd(larger), F_DUPFD_CLOEXEC, 0) : -1;
	if (copy < 0 || !holding_put(k, h, ++h->last_number, copy)) {
		ring_free(larger);
		return false;
	}
	holding_let_go(k, h, h->memory_number);
	ring_free(h->memory);
	h->memory = larger;
	h->memory_number = h->last_number;
	return true;
}

/* Beside what counts, where it is of a cut that does not count yet. */
static bool write_record(struct store *k, struct holding *h, uint64_t cut, const struct buf *out)
{
	const struct ring_record all = holding_record(out);
	h->beside = cut > 0;
	if (h->cut <= mark_committed(k, h->engine))
		ring_settle(h->memory);
	bool fits = h->beside ? ring_beside(h->memory, &all) : ring_replace(h->memory, &all);
	fits = fits || grow_memory(k, h, &all);
	h->cut = cut;
	return fits;
}

void holding_write(struct store *k, struct holding *h, const struct pt_carry *carry)
{
	struct buf out = BUF_INIT;
	size_t count;
	const struct carry_item *items = carry_items(carry, &count);
	uint64_t cut = mark_find(k, h->engine) ? carry_cut(carry) : 0;
	if (cut)
		carry_record_add(&out, CARRY_CUT, 0, "", &cut, sizeof cut);
	carry_record_add(&out, CARRY_TYPE, 0, h->type, NULL, 0);
	for (size_t i = 0; i < h->count; i++)
		if (!h->items[i].left)
			carry_record_add(&out, CARRY_DESCRIPTOR, h->items[i].number,
			                 h->items[i].key, NULL, 0);
	for (size_t i = 0; i < count; i++)
		if (items[i].bytes)
			carry_record_add(&out, CARRY_BYTES, 0, items[i].key, items[i].bytes,
			                 items[i].length);
	bool fits = out.length <= UINT32_MAX && write_record(k, h, cut, &out);
	if (!fits && may_complain(k))
		log_warning(
			"what block %s of engine %s carries is too long to be stored: a restart "
			"finds what it was before",
			h->block, h->engine);
	buf_free(&out);
}
