/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries are an array, tied to a list by age; places are open addressing over them. */
#include "base/recent.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { LEAST = 64, LEAST_BITS = 7 };

struct entry {
	uint32_t newer, older; /* number + 1 */
	uint32_t tag;
	uint32_t unused;
	uint8_t key[]; /* then the value */
};

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static size_t size_of(size_t key_size, size_t value_size)
{
	return sizeof(struct entry) + padded(key_size) + padded(value_size);
}

/* A full table has twice to four times as many places as keys. */
size_t recent_fit(size_t key_size, size_t value_size, uint64_t bytes)
{
	uint64_t fit = bytes / (size_of(key_size, value_size) + 3 * sizeof(struct recent_place));
	return fit < LEAST ? LEAST : fit < UINT32_MAX / 8 ? (size_t)fit : UINT32_MAX / 8;
}

void recent_init(struct recent *r, size_t key_size, size_t value_size, size_t most)
{
	*r = (struct recent){
		.key_size = key_size, .value_size = value_size, .most = (uint32_t)most};
	r->entry_size = size_of(key_size, value_size);
	if (getrandom(&r->secret, sizeof r->secret, GRND_NONBLOCK) < 0)
		r->secret = (uintptr_t)r;
	r->secret |= 1;
}

void recent_free(struct recent *r)
{
	free(r->entries);
	free(r->places);
	r->entries = NULL;
	r->places = NULL;
}

void recent_clear(struct recent *r)
{
	recent_free(r);
	r->used = r->newest = r->oldest = r->room = r->bits = 0;
	r->evicted = 0;
}

static struct entry *entry_of(const struct recent *r, uint32_t number)
{
	return (struct entry *)(r->entries + (number - 1) * r->entry_size);
}

static void *value_of(const struct recent *r, struct entry *e)
{
	return e->key + padded(r->key_size);
}

/* ---- places ---- */

/* Multiply-shift by an odd secret (Dietzfelbinger et al., 1997): two hashes that differ meet as
   rarely as if by chance, whoever chose them. */
static uint32_t tag_of(const struct recent *r, uint64_t hash)
{
	return (uint32_t)((hash * r->secret) >> 32);
}

static uint32_t home(const struct recent *r, uint32_t tag)
{
	return tag >> (32 - r->bits);
}

static uint32_t mask(const struct recent *r)
{
	return (1u << r->bits) - 1;
}

/* Where the key is, or the empty place where it would be. */
static uint32_t seek(const struct recent *r, uint32_t tag, const void *key)
{
	uint32_t at = home(r, tag);
	for (; r->places[at].entry; at = (at + 1) & mask(r))
		if (r->places[at].tag == tag &&
		    !memcmp(entry_of(r, r->places[at].entry)->key, key, r->key_size))
			break;
	return at;
}

static uint32_t seek_entry(const struct recent *r, uint32_t number)
{
	uint32_t at = home(r, entry_of(r, number)->tag);
	while (r->places[at].entry != number)
		at = (at + 1) & mask(r);
	return at;
}

/* What lies behind an emptied place moves up, unless it would come before its home. */
static void vacate(struct recent *r, uint32_t at)
{
	uint32_t hole = at;
	for (;;) {
		at = (at + 1) & mask(r);
		if (!r->places[at].entry)
			break;
		uint32_t from_home = (at - home(r, r->places[at].tag)) & mask(r);
		if (from_home < ((at - hole) & mask(r)))
			continue;
		r->places[hole] = r->places[at];
		hole = at;
	}
	r->places[hole].entry = 0;
}

static void occupy(struct recent *r, uint32_t number)
{
	uint32_t tag = entry_of(r, number)->tag, at = home(r, tag);
	while (r->places[at].entry)
		at = (at + 1) & mask(r);
	r->places[at] = (struct recent_place){tag, number};
}

static bool widen(struct recent *r)
{
	uint32_t bits = r->bits ? r->bits + 1 : LEAST_BITS;
	struct recent_place *places = calloc((size_t)1 << bits, sizeof *places);
	if (!places)
		return false;
	free(r->places);
	r->places = places;
	r->bits = bits;
	for (uint32_t number = 1; number <= r->used; number++)
		occupy(r, number);
	return true;
}

static bool grow(struct recent *r)
{
	uint32_t room = r->room ? r->room * 2 : LEAST;
	room = room < r->most ? room : r->most;
	void *entries = realloc(r->entries, room * r->entry_size);
	if (!entries)
		return false;
	r->entries = entries;
	r->room = room;
	return true;
}

/* Room for one more, if there may be; at most half of the places are taken. */
static bool may_add(struct recent *r)
{
	if (r->used >= r->most)
		return false;
	if (r->used == r->room && !grow(r))
		return false;
	return (r->bits && r->used < 1u << (r->bits - 1)) || widen(r);
}

/* ---- age ---- */

static void unlink_entry(struct recent *r, struct entry *e)
{
	*(e->newer ? &entry_of(r, e->newer)->older : &r->newest) = e->older;
	*(e->older ? &entry_of(r, e->older)->newer : &r->oldest) = e->newer;
}

static void link_newest(struct recent *r, uint32_t number)
{
	struct entry *e = entry_of(r, number);
	e->newer = 0;
	e->older = r->newest;
	*(r->newest ? &entry_of(r, r->newest)->newer : &r->oldest) = number;
	r->newest = number;
}

static uint32_t evict_oldest(struct recent *r)
{
	uint32_t number = r->oldest;
	vacate(r, seek_entry(r, number));
	unlink_entry(r, entry_of(r, number));
	return number;
}

/* The number of an entry to be filled; 0: there is none. */
static uint32_t take_entry(struct recent *r)
{
	if (may_add(r))
		return ++r->used;
	r->evicted += r->used > 0;
	return r->used ? evict_oldest(r) : 0;
}

static struct entry *add(struct recent *r, uint32_t tag, const void *key)
{
	uint32_t number = take_entry(r);
	if (!number)
		return NULL;
	struct entry *e = entry_of(r, number);
	memset(e, 0, r->entry_size);
	e->tag = tag;
	memcpy(e->key, key, r->key_size);
	occupy(r, number);
	link_newest(r, number);
	return e;
}

static struct entry *renew(struct recent *r, uint32_t number)
{
	struct entry *e = entry_of(r, number);
	if (r->newest != number) {
		unlink_entry(r, e);
		link_newest(r, number);
	}
	return e;
}

void *recent_at(struct recent *r, uint64_t hash, const void *key, bool *fresh)
{
	uint32_t tag = tag_of(r, hash);
	uint32_t number = r->bits ? r->places[seek(r, tag, key)].entry : 0;
	struct entry *e = number ? renew(r, number) : add(r, tag, key);
	if (fresh)
		*fresh = !number;
	return e ? value_of(r, e) : NULL;
}

void *recent_find(const struct recent *r, uint64_t hash, const void *key)
{
	uint32_t number = r->bits ? r->places[seek(r, tag_of(r, hash), key)].entry : 0;
	return number ? value_of(r, entry_of(r, number)) : NULL;
}

/* ---- all of it ---- */

static struct entry *with_key(const void *key)
{
	return (struct entry *)((uintptr_t)key - offsetof(struct entry, key));
}

const void *recent_next(const struct recent *r, const void *key)
{
	uint32_t number = key ? with_key(key)->older : r->newest;
	return number ? entry_of(r, number)->key : NULL;
}

const void *recent_each(const struct recent *r, const void *key)
{
	if (!r->used)
		return NULL;
	if (!key)
		return entry_of(r, 1)->key;
	const struct entry *next =
		(const struct entry *)((const uint8_t *)with_key(key) + r->entry_size);
	return (const uint8_t *)next < r->entries + r->used * r->entry_size ? next->key : NULL;
}

const void *recent_oldest(const struct recent *r)
{
	return r->oldest ? entry_of(r, r->oldest)->key : NULL;
}

void *recent_value(const struct recent *r, const void *key)
{
	return value_of(r, with_key(key));
}

/* The last entry moves to the place of the one that goes. */
void recent_drop_oldest(struct recent *r)
{
	uint32_t number = evict_oldest(r), last = r->used--;
	if (number == last)
		return;
	r->places[seek_entry(r, last)].entry = number;
	struct entry *e = entry_of(r, number);
	memcpy(e, entry_of(r, last), r->entry_size);
	*(e->newer ? &entry_of(r, e->newer)->older : &r->newest) = number;
	*(e->older ? &entry_of(r, e->older)->newer : &r->oldest) = number;
}

void recent_bound(struct recent *r, size_t most)
{
	r->most = (uint32_t)most;
	for (; r->used > r->most; r->evicted++)
		recent_drop_oldest(r);
}

/* ---- as bytes ---- */

/* Then for each key, from the oldest on, its tag, itself and its value. */
struct packed {
	uint32_t version, used;
	uint64_t key_size, value_size;
	uint64_t secret, evicted;
};

enum { PACKED_VERSION = 1 };

void recent_pack(const struct recent *r, struct buf *out)
{
	const struct packed head = {PACKED_VERSION, r->used,   r->key_size,
	                            r->value_size,  r->secret, r->evicted};
	buf_add(out, &head, sizeof head);
	for (uint32_t number = r->oldest; number; number = entry_of(r, number)->newer) {
		struct entry *e = entry_of(r, number);
		buf_add(out, &e->tag, sizeof e->tag);
		buf_add(out, e->key, r->key_size);
		buf_add(out, value_of(r, e), r->value_size);
	}
}

bool recent_unpack(struct recent *r, const void *bytes, size_t length)
{
	size_t each = sizeof(uint32_t) + r->key_size + r->value_size;
	const uint8_t *at = bytes;
	struct packed head;

	if (length < sizeof head)
		return false;
	memcpy(&head, at, sizeof head);
	if (head.version != PACKED_VERSION || head.key_size != r->key_size ||
	    head.value_size != r->value_size || !(head.secret & 1) ||
	    length != sizeof head + head.used * each)
		return false;
	r->secret = head.secret;
	at += sizeof head;
	for (uint32_t i = 0; i < head.used; i++, at += each) {
		uint32_t tag;
		memcpy(&tag, at, sizeof tag);
		struct entry *e = add(r, tag, at + sizeof tag);
		if (e)
			memcpy(value_of(r, e), at + sizeof tag + r->key_size, r->value_size);
	}
	r->evicted += head.evicted;
	return true;
}

/* ---- memory that is far ---- */

void recent_expect(const struct recent *r, const uint64_t *hashes, unsigned count)
{
	if (r->bits < 12)
		return;
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(&r->places[home(r, tag_of(r, hashes[i]))]);
	for (unsigned i = 0; i < count; i++) {
		uint32_t tag = tag_of(r, hashes[i]), at = home(r, tag);
		while (r->places[at].entry && r->places[at].tag != tag)
			at = (at + 1) & mask(r);
		if (r->places[at].entry)
			__builtin_prefetch(entry_of(r, r->places[at].entry), 1);
	}
	uint32_t number = r->used == r->most ? r->oldest : 0;
	for (unsigned i = 0; number && i < count; i++) {
		const struct entry *e = entry_of(r, number);
		__builtin_prefetch(&r->places[home(r, e->tag)], 1);
		number = e->newer;
	}
}
