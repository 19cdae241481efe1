/* SPDX-License-Identifier: BSD-2-Clause */
/* Records, one behind the other, in one chunk. */
#include "msg/parcel.h"

#include "msg/origin.h"
#include "msg/pool.h"
#include <assert.h>
#include <string.h>

#define LONG_MESSAGE 4096 /* has a chunk of its own */
#define ALIGNMENT    16
#define AHEAD        768 /* so far on is memory fetched, which another core has had last */

struct record {
	struct pt_chunk *own; /* that the bytes lie in; NULL: they follow */
	const uint8_t *bytes;
	struct pt_origin *origin; /* a copy, whose references are the parcel's */
	int64_t time_ns;
	uint32_t length, wire_length;
	uint16_t link_type;
	uint8_t canal, flags;
} __attribute__((aligned(ALIGNMENT)));

#define HEAD ((sizeof(struct parcel) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static uint8_t *records_of(const struct parcel *p)
{
	return chunk_bytes(p->chunk) + HEAD;
}

static struct parcel *new_of(struct pt_pool *pool, size_t room)
{
	struct pt_chunk *chunk = chunk_new(pool, HEAD + room);
	if (!chunk)
		return NULL;
	struct parcel *p = (struct parcel *)(void *)chunk_bytes(chunk);
	*p = (struct parcel){.chunk = chunk, .room = room};
	return p;
}

struct parcel *parcel_new(struct pt_pool *pool)
{
	return new_of(pool, PARCEL_ROOM);
}

void parcel_empty(struct parcel *p)
{
	*p = (struct parcel){.chunk = p->chunk, .room = p->room};
}

bool parcel_is_sole(const struct parcel *p)
{
	return chunk_is_sole(p->chunk);
}

static size_t length_in(const struct pt_msg *m)
{
	size_t inside = m->length < LONG_MESSAGE ? m->length : 0;
	return (sizeof(struct record) + inside + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t parcel_cost(const struct pt_msg *m)
{
	return sizeof(struct record) + m->length;
}

bool parcel_has_room(const struct parcel *p, const struct pt_msg *m)
{
	return p->room - p->used >= length_in(m);
}

/* The chunk of a long message, if nobody else has anything of it, else one with a copy. */
static struct pt_chunk *chunk_for(struct pt_msg *m, const uint8_t **bytes)
{
	struct pt_chunk *chunk = m->chunk;
	*bytes = m->bytes;
	if (m->refs == 1 && chunk_is_sole(chunk) && chunk_size(chunk) / 2 <= m->length) {
		m->chunk = NULL;
	} else {
		chunk = chunk_new(m->pool, m->length);
		if (!chunk)
			return NULL;
		*bytes = memcpy(chunk_bytes(chunk), m->bytes, m->length);
	}
	chunk_leave(chunk);
	return chunk;
}

/* Packets of one interface have one copy of it. */
static struct pt_origin *origin_for(struct parcel *p, struct pt_origin *o)
{
	if (o != p->origin) {
		pt_origin_unref(p->origin);
		pt_origin_unref(p->copy);
		p->origin = o;
		p->copy = origin_copy(o);
		if (o)
			o->refs++;
	}
	if (p->copy)
		p->copy->refs++;
	return p->copy;
}

static void forget_origin(struct parcel *p)
{
	pt_origin_unref(p->origin);
	pt_origin_unref(p->copy);
	p->origin = p->copy = NULL;
}

bool parcel_add(struct parcel *p, enum pt_canal canal, struct pt_msg *m)
{
	assert(parcel_has_room(p, m));
	struct record *r = (struct record *)(void *)(records_of(p) + p->used);
	__builtin_prefetch((uint8_t *)r + AHEAD, 1);
	__builtin_prefetch((uint8_t *)r + AHEAD + 64, 1);
	*r = (struct record){.time_ns = m->time_ns,
	                     .length = m->length,
	                     .wire_length = m->wire_length,
	                     .link_type = m->link_type,
	                     .canal = (uint8_t)canal,
	                     .flags = m->flags & MSG_TEXT};
	if (m->length < LONG_MESSAGE)
		memcpy(r + 1, m->bytes, m->length);
	else if (!(r->own = chunk_for(m, &r->bytes)))
		return false;
	r->origin = origin_for(p, m->origin);
	p->used += length_in(m);
	p->bytes += parcel_cost(m);
	p->count++;
	return true;
}

static struct parcel *smaller(struct parcel *p)
{
	struct parcel *copy = new_of(chunk_pool(p->chunk), p->used);
	if (!copy)
		return p;
	memcpy(records_of(copy), records_of(p), p->used);
	copy->used = p->used;
	copy->bytes = p->bytes;
	copy->count = p->count;
	copy->id = p->id;
	copy->number = p->number;
	return copy;
}

struct parcel *parcel_close(struct parcel *p, struct parcel **spare)
{
	struct parcel *closed = p;
	forget_origin(p);
	if (!*spare && p->used < p->room / 4)
		closed = smaller(p);
	if (closed != p) {
		*spare = p;
		parcel_empty(p);
	}
	chunk_leave(closed->chunk);
	return closed;
}

static struct record *next_record(const struct parcel *p)
{
	return (struct record *)(void *)(records_of(p) + p->at);
}

static void skip(struct parcel *p, const struct record *r)
{
	size_t inside = r->own ? 0 : r->length;
	p->at += (sizeof *r + inside + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	p->count--;
	p->number++;
}

void parcel_open(struct parcel *p, struct pt_pool *pool)
{
	chunk_join(pool, p->chunk);
}

static void fill(const struct parcel *p, struct record *r, struct pt_msg *m)
{
	m->bytes = r->own ? r->bytes : (const uint8_t *)(r + 1);
	m->length = r->length;
	m->wire_length = r->wire_length;
	m->time_ns = r->time_ns;
	m->link_type = r->link_type;
	m->origin = r->origin;
	m->flags = r->flags;
	m->chunk = r->own ? r->own : p->chunk;
	if (r->own)
		chunk_join(m->pool, r->own);
	else
		chunk_ref(p->chunk, 1);
}

unsigned parcel_take(struct parcel *p, enum pt_canal *canal, struct pt_msg **messages, unsigned max)
{
	unsigned count = p->count < max ? p->count : max, taken = 0;
	if (!count)
		return 0;
	*canal = (enum pt_canal)next_record(p)->canal;
	for (struct record *r = next_record(p); taken < count && r->canal == *canal;
	     r = next_record(p)) {
		msg_blanks(chunk_pool(p->chunk), &messages[taken], 1);
		fill(p, r, messages[taken++]);
		skip(p, r);
	}
	return taken;
}

void parcel_free(struct parcel *p)
{
	if (!p)
		return;
	forget_origin(p);
	for (; p->count; skip(p, next_record(p))) {
		pt_origin_unref(next_record(p)->origin);
		chunk_unref(next_record(p)->own);
	}
	chunk_unref(p->chunk);
}
