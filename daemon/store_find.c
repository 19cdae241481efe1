/* SPDX-License-Identifier: BSD-2-Clause */
/* What an earlier daemon has left, among the descriptors that were passed. */
#include "daemon/store_find.h"

#include "base/log.h"
#include "daemon/holding.h"
#include "engine/carry.h"
#include "engine/carry_record.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define NUMBER_MAX 1000000000u

/* "keep/ENGINE/BLOCK/NUMBER" into its parts, in place. */
static bool parse(char *name, char **engine, char **block, unsigned *number)
{
	char *end;
	*engine = name + strlen(STORE_PREFIX);
	*block = strchr(*engine, '/');
	char *last = *block ? strchr(*block + 1, '/') : NULL;
	if (!last)
		return false;
	unsigned long value = strtoul(last + 1, &end, 10);
	*(*block)++ = *last = '\0';
	*number = (unsigned)value;
	return end != last + 1 && !*end && value < NUMBER_MAX;
}

/* Where there are two, one had grown: it has the greater number. */
static void found_memory(struct store *k, struct holding *h, unsigned number, int fd)
{
	if (h->memory && number < h->memory_number) {
		holding_let_go(k, h, number);
		close(fd);
		return;
	}
	if (h->memory)
		holding_let_go(k, h, h->memory_number);
	ring_free(h->memory);
	h->memory = ring_open(fd);
	h->memory_number = number;
	h->damaged = !h->memory;
	if (h->damaged)
		holding_let_go(k, h, number);
}

/* Without it, nobody can say what counts. */
static void found_mark(struct store *k, const char *engine, int fd)
{
	struct page *page = page_open(fd);
	if (page && !mark_find(k, engine)) {
		mark_add(k, engine, page);
		return;
	}
	log_warning("the checkpoint that engine %s had left is damaged", engine);
	page_free(page);
	mark_let_go(k, mark_name(engine));
}

/* The keys of the descriptors come from the memory later. What was passed stays open meanwhile:
   sd_listen_fds(3) finds nothing at all where one of the descriptors is missing. */
static void find_one(struct store *k, char *name, int fd)
{
	char *engine, *block;
	unsigned number;
	struct stat st = {.st_dev = 0};
	int own = parse(name, &engine, &block, &number) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (own < 0)
		return;
	k->stored++;
	if (!*block) {
		found_mark(k, engine, own);
		return;
	}
	struct holding *h = holding_find(k, engine, block);
	if (!h)
		h = holding_add(k, engine, block);
	if (number > h->last_number)
		h->last_number = number;
	if (number == 0 || ring_holds(own, RING_CARRY)) {
		found_memory(k, h, number, own);
		return;
	}
	fstat(own, &st);
	h->items = must_realloc(h->items, h->count + 1, sizeof *h->items);
	h->items[h->count++] = (struct item){NULL, number, false, own, st.st_dev, st.st_ino};
}

static void name_item(struct holding *h, unsigned number, const char *key)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->items[i].number != number)
			continue;
		if (!h->items[i].key)
			h->items[i].key = must_strdup(key);
		return;
	}
	log_warning("what block %s of engine %s had left as '%s' was not kept by the service "
	            "manager: FileDescriptorStoreMax= may be less than FDSTORE says",
	            h->block, h->engine, key);
}

/* What the daemon before could not commit never counts. */
static void forget_uncommitted(struct store *k, struct holding *h, const struct buf *records)
{
	const struct ring_record all = holding_record(records);
	if (h->memory && records->length && h->cut > mark_committed(k, h->engine))
		ring_replace(h->memory, &all);
	h->damaged |= h->cut && !mark_find(k, h->engine);
	h->cut = 0;
}

static void name_items(struct store *k, struct holding *h)
{
	struct buf records = BUF_INIT;
	struct carry_record r;
	char *key;
	holding_read(k, h, &records);
	forget_uncommitted(k, h, &records);
	const char *at = records.data, *end = at ? at + records.length : NULL;
	for (; at && (at = carry_record_next(at, end, &r, &key)); at += r.length) {
		if (r.kind == CARRY_TYPE && !h->type)
			h->type = must_strdup(key);
		if (r.kind == CARRY_DESCRIPTOR)
			name_item(h, r.number, key);
		free(key);
	}
	buf_free(&records);
}

/* Nobody can say any more what they are; but a queue is one by itself. */
static void name_damaged(struct holding *h)
{
	log_warning("what block %s of engine %s had left is damaged", h->block, h->engine);
	for (size_t i = 0; i < h->count; i++)
		if (!h->items[i].key && ring_holds(h->items[i].fd, RING_MESSAGE))
			h->items[i].key = must_strdup(CARRY_QUEUE);
}

/* A descriptor without a key was stored when the process was killed before it could say what it
   is. */
static void drop_nameless(struct store *k, struct holding *h)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->count; i++) {
		if (h->items[i].key) {
			h->items[kept++] = h->items[i];
		} else {
			holding_let_go(k, h, h->items[i].number);
			item_fini(&h->items[i]);
		}
	}
	h->count = kept;
}

void store_find(struct store *k)
{
	char **names = NULL;
	struct holding *next;
	int count = sd_listen_fds_with_names(0, &names);
	for (int i = 0; i < count; i++)
		if (!strncmp(names[i], STORE_PREFIX, strlen(STORE_PREFIX)))
			find_one(k, names[i], SD_LISTEN_FDS_START + i);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	for (struct holding *h = k->holdings; h; h = next) {
		next = h->next;
		name_items(k, h);
		if (h->damaged)
			name_damaged(h);
		drop_nameless(k, h);
		if (!h->type && !h->damaged)
			holding_drop(k, h);
	}
}
