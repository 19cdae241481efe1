/* SPDX-License-Identifier: BSD-2-Clause */
/* A bounded table of keys and what belongs to each; the one that was seen least recently goes. */
#ifndef BASE_RECENT_H
#define BASE_RECENT_H

#include "base/nh.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECENT_KEY_MAX = NH_MOST, RECENT_LINE = 8 };

/* Eight places: a line of memory. Those that are empty, behind the others, are 0. */
struct recent_line {
	uint32_t tags[RECENT_LINE];    /* of hashes; the highest bits say which line is best */
	uint32_t entries[RECENT_LINE]; /* numbers */
};

/*
 * Keys are all of one size, compared as bytes; whoever calls hashes them. Those of strangers may
 * collide as they please where the hash is the table's own, or another that they cannot make
 * collide in all its bits: what the table takes of it depends on a secret of its own, which is
 * packed along. Memory grows with what is in it, up to `most` keys. What is found is a pointer into
 * the table, valid until the next key is added.
 */
struct recent {
	size_t key_size, value_size, entry_size;
	uint32_t most, used;
	uint32_t room, bits;       /* of the entries; of the lines */
	uint8_t *memory, *entries; /* numbers 1 to used */
	struct recent_line *lines;
	uint32_t *log;           /* the numbers of those that were seen, one behind the other */
	uint32_t *seen;          /* of each entry: where in the log it was last */
	uint32_t oldest, newest; /* the log's ends, as they count on and on */
	uint32_t from, to;       /* while it is shortened: what is between was read */
	bool shortens;
	uint64_t secret;
	struct nh nh;     /* of the secret */
	uint64_t evicted; /* since it was empty */
};

void recent_init(struct recent *, size_t key_size, size_t value_size, size_t most);
void recent_free(struct recent *);  /* also one that is all zero */
void recent_clear(struct recent *); /* empty, as after recent_init; gives its memory back */
/* How many keys fit so many bytes, at least 64. */
size_t recent_fit(size_t key_size, size_t value_size, uint64_t bytes);
/* Another bound: the oldest go, if it is less. */
void recent_bound(struct recent *, size_t most);

/* The key that was seen least recently goes; the table is not empty. */
void recent_drop_oldest(struct recent *);
/* All that is in it, as bytes; and a table that is empty, of the same sizes, takes as much of them
   as it has room for, the last seen. False: they are of no such table, and nothing has changed. */
struct buf;
void recent_pack(const struct recent *, struct buf *);
bool recent_unpack(struct recent *, const void *bytes, size_t length);

/* Its own, which a caller may take in place of another, for all keys of a table. */
uint64_t recent_hash(const struct recent *, const void *key);

/* The value of a key, which becomes the one seen last. It is added if it is not there: zeroed, and
   *fresh is true (fresh may be NULL). NULL: there is no memory at all; where it is only too little
   to grow, the table stays as large as it is. */
void *recent_at(struct recent *, uint64_t hash, const void *key, bool *fresh);
void *recent_find(const struct recent *, uint64_t hash, const void *key); /* or NULL */

/* These keys are asked for next: begins to fetch what memory they are in. */
void recent_expect(const struct recent *, const uint64_t *hashes, unsigned count);

/* From the one seen last to the oldest: NULL gives the first, and NULL is the end. */
const void *recent_next(const struct recent *, const void *key);
/* The same of all keys in the order in which they lie in memory, for who wants each alone. */
const void *recent_each(const struct recent *, const void *key);
const void *recent_oldest(struct recent *);                 /* NULL: it is empty */
void *recent_value(const struct recent *, const void *key); /* of such a key */

#endif
