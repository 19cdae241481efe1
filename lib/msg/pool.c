/* SPDX-License-Identifier: BSD-2-Clause */
/* Free lists of descriptors and of large chunks; small bytes are cut from one chunk after
   another. */
#include "msg/pool.h"

#include "base/buf.h"
#include "msg/origin.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_MESSAGES 256
#define LARGE_CHUNK   (256 * 1024) /* the size of which some are kept for the next time */
#define LARGE_KEPT    8
#define SMALL_CHUNK   (64 * 1024) /* small messages are cut from chunks of this size */
#define SMALL_MESSAGE 4096
#define CUT_ALIGNMENT 16

struct slab {
	struct slab *next;
	struct pt_msg messages[SLAB_MESSAGES];
};

struct pt_chunk {
	struct pt_pool *pool;
	struct pt_chunk *next; /* among those kept for the next time */
	uint32_t refs;
	bool shared;   /* two descriptors may show the same bytes: never edit in place */
	bool together; /* see chunk_goes_together */
	size_t size;
	uint8_t *at; /* `bytes`, or somebody else's, who is told when it is */
	void (*gone)(void *lender);
	void *lender;
	uint8_t bytes[] __attribute__((aligned(CUT_ALIGNMENT)));
};

struct pt_pool {
	struct pt_msg *free_messages;
	struct slab *slabs;
	struct pt_chunk *kept;
	unsigned kept_count;
	struct pt_chunk *small; /* being cut */
	size_t small_used;
	size_t limit, bytes, lent, messages;
};

struct pt_pool *pool_new(size_t limit)
{
	struct pt_pool *pool = must_calloc(1, sizeof *pool);
	pool->limit = limit ? limit : SIZE_MAX;
	return pool;
}

void pool_set_limit(struct pt_pool *pool, size_t limit)
{
	pool->limit = limit ? limit : SIZE_MAX;
}

void pool_free(struct pt_pool *pool)
{
	if (!pool)
		return;
	chunk_unref(pool->small);
	assert(pool->messages == 0);
	assert(pool->bytes == 0);
	assert(pool->lent == 0);
	while (pool->kept) {
		struct pt_chunk *chunk = pool->kept;
		pool->kept = chunk->next;
		free(chunk);
	}
	while (pool->slabs) {
		struct slab *slab = pool->slabs;
		pool->slabs = slab->next;
		free(slab);
	}
	free(pool);
}

size_t pool_limit(const struct pt_pool *pool)
{
	return pool->limit;
}

bool pool_charge(struct pt_pool *pool, size_t size)
{
	if (size > pool->limit || pool->bytes > pool->limit - size)
		return false;
	pool->bytes += size;
	return true;
}

void pool_discharge(struct pt_pool *pool, size_t size)
{
	pool->bytes -= size;
}

size_t pool_bytes(const struct pt_pool *pool)
{
	return pool->bytes;
}

size_t pool_messages(const struct pt_pool *pool)
{
	return pool->messages;
}

struct pt_chunk *chunk_new(struct pt_pool *pool, size_t size)
{
	if (!pool_charge(pool, size))
		return NULL;
	struct pt_chunk *chunk = size == LARGE_CHUNK ? pool->kept : NULL;
	if (chunk) {
		pool->kept = chunk->next;
		pool->kept_count--;
	} else {
		chunk = malloc(sizeof *chunk + size);
		if (!chunk) {
			pool_discharge(pool, size);
			return NULL;
		}
	}
	*chunk = (struct pt_chunk){.pool = pool, .refs = 1, .size = size, .at = chunk->bytes};
	return chunk;
}

struct pt_chunk *chunk_lent(struct pt_pool *pool, uint8_t *bytes, size_t size,
                            void (*gone)(void *lender), void *lender)
{
	struct pt_chunk *chunk = must_calloc(1, sizeof *chunk);
	*chunk = (struct pt_chunk){.pool = pool,
	                           .refs = 1,
	                           .shared = true,
	                           .size = size,
	                           .at = bytes,
	                           .gone = gone,
	                           .lender = lender};
	pool->lent++;
	return chunk;
}

uint8_t *chunk_bytes(struct pt_chunk *chunk)
{
	return chunk->at;
}

size_t chunk_size(const struct pt_chunk *chunk)
{
	return chunk->size;
}

void chunk_ref(struct pt_chunk *chunk, unsigned refs)
{
	chunk->refs += refs;
}

static void lent_end(struct pt_chunk *chunk)
{
	chunk->pool->lent--;
	chunk->gone(chunk->lender);
	free(chunk);
}

static void chunk_end(struct pt_chunk *chunk)
{
	struct pt_pool *pool = chunk->pool;
	if (chunk->gone) {
		lent_end(chunk);
		return;
	}
	if (pool)
		pool->bytes -= chunk->size;
	if (pool && chunk->size == LARGE_CHUNK && pool->kept_count < LARGE_KEPT) {
		chunk->next = pool->kept;
		pool->kept = chunk;
		pool->kept_count++;
	} else {
		free(chunk);
	}
}

void chunk_unref(struct pt_chunk *chunk)
{
	if (chunk && --chunk->refs == 0)
		chunk_end(chunk);
}

bool chunk_is_sole(const struct pt_chunk *chunk)
{
	return chunk->refs == 1 && !chunk->shared && !chunk->gone;
}

struct pt_pool *chunk_pool(const struct pt_chunk *chunk)
{
	return chunk->pool;
}

void chunk_leave(struct pt_chunk *chunk)
{
	assert(chunk_is_sole(chunk));
	chunk->pool->bytes -= chunk->size;
	chunk->pool = NULL;
}

void chunk_join(struct pt_pool *pool, struct pt_chunk *chunk)
{
	assert(!chunk->pool);
	chunk->pool = pool;
	pool->bytes += chunk->size;
}

bool chunk_is_shared(const struct pt_chunk *chunk)
{
	return chunk->shared;
}

void chunk_share(struct pt_chunk *chunk)
{
	chunk->shared = true;
}

void chunk_goes_together(struct pt_chunk *chunk)
{
	chunk->together = true;
}

bool chunk_is_together(const struct pt_chunk *chunk)
{
	return chunk->together;
}

struct pt_chunk *chunk_cut(struct pt_pool *pool, size_t length, uint8_t **bytes)
{
	if (length > SMALL_MESSAGE) {
		struct pt_chunk *own = chunk_new(pool, length);
		if (own)
			*bytes = own->bytes;
		return own;
	}
	if (!pool->small || pool->small_used + length > SMALL_CHUNK || pool->small->shared) {
		struct pt_chunk *fresh = chunk_new(pool, SMALL_CHUNK);
		if (!fresh)
			return NULL;
		chunk_unref(pool->small);
		pool->small = fresh;
		pool->small_used = 0;
	}
	*bytes = pool->small->bytes + pool->small_used;
	pool->small_used += (length + CUT_ALIGNMENT - 1) / CUT_ALIGNMENT * CUT_ALIGNMENT;
	pool->small->refs++;
	return pool->small;
}

static struct pt_msg *slab_add(struct pt_pool *pool)
{
	struct slab *slab = must_calloc(1, sizeof *slab);
	slab->next = pool->slabs;
	pool->slabs = slab;
	for (size_t i = 0; i < SLAB_MESSAGES; i++) {
		slab->messages[i].pool = pool;
		slab->messages[i].next = i + 1 < SLAB_MESSAGES ? &slab->messages[i + 1] : NULL;
	}
	return slab->messages;
}

static inline struct pt_msg *blank(struct pt_pool *pool, struct pt_msg **list)
{
	struct pt_msg *m = *list ? *list : slab_add(pool);
	*list = m->next;
	m->next = NULL;
	m->refs = 1;
	m->flags = 0;
	return m;
}

void msg_blanks(struct pt_pool *pool, struct pt_msg **messages, unsigned count)
{
	struct pt_msg *list = pool->free_messages;
	for (unsigned i = 0; i < count; i++)
		messages[i] = blank(pool, &list);
	pool->free_messages = list;
	pool->messages += count;
}

void msg_unblank(struct pt_pool *pool, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = count; i-- > 0;) {
		messages[i]->next = pool->free_messages;
		pool->free_messages = messages[i];
	}
	pool->messages -= count;
}

struct pt_msg *msg_cut(struct pt_pool *pool, struct pt_chunk *chunk, const uint8_t *bytes,
                       size_t length)
{
	struct pt_msg *m = blank(pool, &pool->free_messages);
	pool->messages++;
	chunk->refs++;
	m->bytes = bytes;
	m->length = m->wire_length = (uint32_t)length;
	m->time_ns = 0;
	m->link_type = PT_NO_LINK_TYPE;
	m->chunk = chunk;
	return m;
}

/* To the front of a list, all but its reference on the chunk. */
static inline void retire(struct pt_msg *m, struct pt_msg **list)
{
	if (m->origin && --m->origin->refs == 0)
		origin_end(m->origin);
	m->origin = NULL;
	m->next = *list;
	*list = m;
}

struct pt_msg *pt_msg_ref(struct pt_msg *m)
{
	m->refs++;
	return m;
}

void pt_msg_unref(struct pt_msg *m)
{
	if (m && --m->refs == 0) {
		chunk_unref(m->chunk);
		retire(m, &m->pool->free_messages);
		m->pool->messages--;
	}
}

void msg_ref_many(struct pt_msg **messages, unsigned count, unsigned refs)
{
	for (unsigned i = 0; i < count; i++)
		messages[i]->refs += refs;
}

static inline void chunk_unref_by(struct pt_chunk *chunk, uint32_t refs)
{
	if (chunk && (chunk->refs -= refs) == 0)
		chunk_end(chunk);
}

/* Those that come together mostly lie in one chunk, which is told once; and the pool is. */
void msg_unref_many(struct pt_msg **messages, unsigned count)
{
	struct pt_chunk *chunk = NULL;
	struct pt_msg *list = NULL, *last = NULL;
	uint32_t refs = 0, gone = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		if (--m->refs)
			continue;
		if (m->chunk != chunk) {
			chunk_unref_by(chunk, refs);
			chunk = m->chunk;
			gone += refs;
			refs = 0;
		}
		refs++;
		last = last ? last : m;
		retire(m, &list);
	}
	chunk_unref_by(chunk, refs);
	if (last) {
		last->next = last->pool->free_messages;
		last->pool->free_messages = list;
		last->pool->messages -= gone + refs;
	}
}
