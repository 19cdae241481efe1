/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of holdings, and of what is stored for each. */
#include "daemon/store.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/fdstore.h"
#include "engine/carry.h"
#include "engine/carry_record.h"
#include "engine/ring.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <uv.h>

#define PREFIX      "keep/"
#define NUMBER_MAX  1000000000u
#define COMPLAIN_NS 60000000000u

struct item {
	char *key;
	unsigned number;
	int fd; /* from before, until it is given; else -1 */
	dev_t device;
	ino_t inode;
};

/* What one block has carried over. */
struct holding {
	struct holding *next;
	char *engine, *block, *type;
	struct ring *memory; /* a descriptor of this number: 0, or greater where it has grown */
	unsigned memory_number;
	bool given;   /* to an engine of this daemon, or by one */
	bool damaged; /* the memory is not what was written last: it tells of descriptors alone */
	unsigned last_number;
	struct item *items;
	size_t count;
};

struct store {
	pthread_mutex_t lock;
	struct fdstore *fds;
	uint64_t complained_ns; /* when it was said that something has no room; 0: never */
	size_t stored, stored_max;
	struct holding *holdings;
};

bool store_is_name(const char *name)
{
	return !strncmp(name, PREFIX, strlen(PREFIX));
}

/* ---- holdings: [locked, as all below that is not public] ---- */

static struct holding *find(struct store *k, const char *engine, const char *block)
{
	for (struct holding *h = k->holdings; h; h = h->next)
		if (!strcmp(h->engine, engine) && !strcmp(h->block, block))
			return h;
	return NULL;
}

static struct holding *add(struct store *k, const char *engine, const char *block)
{
	struct holding *h = must_calloc(1, sizeof *h);
	h->engine = must_strdup(engine);
	h->block = must_strdup(block);
	h->next = k->holdings;
	k->holdings = h;
	return h;
}

static char *name_of(const struct holding *h, unsigned number)
{
	return must_printf(PREFIX "%s/%s/%u", h->engine, h->block, number);
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

static void complain(struct store *k, const struct holding *h)
{
	if (!may_complain(k))
		return;
	log_warning("the service manager keeps no more than %zu descriptors: what block %s of "
	            "engine %s and others leave is lost at a restart; FileDescriptorStoreMax= sets "
	            "the number",
	            k->stored_max, h->block, h->engine);
}

static bool put_in(struct store *k, const struct holding *h, unsigned number, int fd)
{
	if (k->stored >= k->stored_max) {
		complain(k, h);
		close(fd);
		return false;
	}
	k->stored++;
	fdstore_put(k->fds, name_of(h, number), fd);
	return true;
}

static void let_go(struct store *k, const struct holding *h, unsigned number)
{
	k->stored--;
	fdstore_remove(k->fds, name_of(h, number));
}

static void item_fini(struct item *item)
{
	if (item->fd >= 0)
		close(item->fd);
	free(item->key);
}

static void free_holding(struct holding *h)
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

static void drop(struct store *k, struct holding *h)
{
	struct holding **at = &k->holdings;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	for (size_t i = 0; i < h->count; i++)
		let_go(k, h, h->items[i].number);
	if (h->memory)
		let_go(k, h, h->memory_number);
	free_holding(h);
}

/* ---- the memory of a holding ---- */

/* Comes before the descriptors, which are nothing without it. False: there is no room. */
static bool make_memory(struct store *k, struct holding *h)
{
	if (h->memory)
		return true;
	h->memory = ring_new();
	int copy = h->memory ? fcntl(ring_fd(h->memory), F_DUPFD_CLOEXEC, 0) : -1;
	if (copy < 0 || !put_in(k, h, 0, copy)) {
		ring_free(h->memory);
		h->memory = NULL;
	}
	return h->memory;
}

/* For what is longer than half of it. False: there is no room, or no memory. */
static bool grow_memory(struct store *k, struct holding *h, const struct ring_record *all)
{
	struct ring *larger = ring_larger(h->memory);
	while (larger && !ring_replace(larger, all)) {
		struct ring *next = ring_larger(larger);
		ring_free(larger);
		larger = next;
	}
	int copy = larger ? fcntl(ring_fd(larger), F_DUPFD_CLOEXEC, 0) : -1;
	if (copy < 0 || !put_in(k, h, ++h->last_number, copy)) {
		ring_free(larger);
		return false;
	}
	let_go(k, h, h->memory_number);
	ring_free(h->memory);
	h->memory = larger;
	h->memory_number = h->last_number;
	return true;
}

static void write_memory(struct store *k, struct holding *h, const struct pt_carry *carry)
{
	struct buf out = BUF_INIT;
	size_t count;
	const struct carry_item *items = carry_items(carry, &count);
	carry_record_add(&out, CARRY_TYPE, 0, h->type, NULL, 0);
	for (size_t i = 0; i < h->count; i++)
		carry_record_add(&out, CARRY_DESCRIPTOR, h->items[i].number, h->items[i].key, NULL,
		                 0);
	for (size_t i = 0; i < count; i++)
		if (items[i].bytes)
			carry_record_add(&out, CARRY_BYTES, 0, items[i].key, items[i].bytes,
			                 items[i].length);
	const struct ring_record all = {RING_CARRY, .bytes = out.data,
	                                .length = (uint32_t)out.length};
	bool fits = out.length <= UINT32_MAX &&
	            (ring_replace(h->memory, &all) || grow_memory(k, h, &all));
	if (!fits && may_complain(k))
		log_warning(
			"what block %s of engine %s carries is too long to be stored: a restart "
			"finds what it was before",
			h->block, h->engine);
	buf_free(&out);
}

static void take_last(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	struct buf *last = arg;
	buf_clear(last);
	buf_add(last, bytes, length);
}

/* What was written last, or before that where it is damaged. */
static void read_memory(struct holding *h, struct buf *records)
{
	if (h->memory)
		h->damaged |= ring_each(h->memory, RING_CARRY, take_last, records) > 0;
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
		h->items[i] = h->items[--h->count];
		return found;
	}
	struct stat st = {.st_dev = 0};
	fstat(from->fd, &st);
	struct item fresh = {must_strdup(from->key), ++h->last_number, -1, st.st_dev, st.st_ino};
	bool stored = put_in(k, h, fresh.number, from->fd);
	from->fd = -1;
	if (!stored)
		fresh.number = 0;
	return fresh;
}

static void update(struct store *k, struct holding *h, struct pt_carry *carry)
{
	size_t count, kept = 0;
	struct carry_item *items = carry_items(carry, &count);
	struct item *now = must_calloc(count + 1, sizeof *now);
	for (size_t i = 0; i < count; i++) {
		if (items[i].fd < 0)
			continue;
		now[kept] = adopt(k, h, &items[i]);
		if (now[kept].number)
			kept++;
		else
			item_fini(&now[kept]);
	}
	for (size_t i = 0; i < h->count; i++) {
		let_go(k, h, h->items[i].number);
		item_fini(&h->items[i]);
	}
	free(h->items);
	h->items = now;
	h->count = kept;
	write_memory(k, h, carry);
}

void store_carry(struct store *k, const char *engine, const char *block, const char *type,
                 struct pt_carry *carry)
{
	if (k) {
		pthread_mutex_lock(&k->lock);
		struct holding *h = find(k, engine, block);
		if (!carry && h) {
			drop(k, h);
		} else if (carry) {
			if (!h)
				h = add(k, engine, block);
			free(h->type);
			h->type = must_strdup(type);
			h->given = true;
			if (make_memory(k, h))
				update(k, h, carry);
			else
				drop(k, h);
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
			drop(k, h);
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

static struct pt_carry *carry_from(struct holding *h)
{
	struct buf records = BUF_INIT;
	struct carry_record r;
	char *key;
	read_memory(h, &records);
	if (!records.length && !h->damaged)
		return NULL;
	struct pt_carry *carry = carry_new(PT_FOR_RESTART);
	if (h->damaged)
		carry_set_damaged(carry);
	const char *at = records.data, *end = at ? at + records.length : NULL;
	for (; at && (at = carry_record_next(at, end, &r, &key)); at += r.length) {
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

void store_give(struct store *k, const char *engine, struct pt_engine *to)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	for (struct holding *h = k->holdings; h; h = h->next) {
		struct pt_carry *carry =
			h->given || strcmp(h->engine, engine) ? NULL : carry_from(h);
		if (carry)
			pt_engine_carry(to, h->block, h->type, carry);
		h->given |= carry != NULL;
	}
	pthread_mutex_unlock(&k->lock);
}

/* "keep/ENGINE/BLOCK/NUMBER" into its parts, in place. */
static bool parse(char *name, char **engine, char **block, unsigned *number)
{
	char *end;
	*engine = name + strlen(PREFIX);
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
		let_go(k, h, number);
		close(fd);
		return;
	}
	if (h->memory)
		let_go(k, h, h->memory_number);
	ring_free(h->memory);
	h->memory = ring_open(fd);
	h->memory_number = number;
	h->damaged = !h->memory;
	if (h->damaged)
		let_go(k, h, number);
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
	struct holding *h = find(k, engine, block);
	if (!h)
		h = add(k, engine, block);
	k->stored++;
	if (number > h->last_number)
		h->last_number = number;
	if (number == 0 || ring_holds(own, RING_CARRY)) {
		found_memory(k, h, number, own);
		return;
	}
	fstat(own, &st);
	h->items = must_realloc(h->items, h->count + 1, sizeof *h->items);
	h->items[h->count++] = (struct item){NULL, number, own, st.st_dev, st.st_ino};
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

static void name_items(struct holding *h)
{
	struct buf records = BUF_INIT;
	struct carry_record r;
	char *key;
	read_memory(h, &records);
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
			let_go(k, h, h->items[i].number);
			item_fini(&h->items[i]);
		}
	}
	h->count = kept;
}

static void find_all(struct store *k)
{
	char **names = NULL;
	struct holding *next;
	int count = sd_listen_fds_with_names(0, &names);
	for (int i = 0; i < count; i++)
		if (store_is_name(names[i]))
			find_one(k, names[i], SD_LISTEN_FDS_START + i);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	for (struct holding *h = k->holdings; h; h = next) {
		next = h->next;
		name_items(h);
		if (h->damaged)
			name_damaged(h);
		drop_nameless(k, h);
		if (!h->type && !h->damaged)
			drop(k, h);
	}
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
	find_all(k);
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
		free_holding(h);
	}
	pthread_mutex_destroy(&k->lock);
	free(k);
}
