/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, editing and keeping messages. */
#include "msg/pool.h"

#include <assert.h>
#include <errno.h>
#include <pipetool/param.h>
#include <string.h>

/* What a message may pin beyond its own bytes when it is kept. */
#define SETTLE_SLACK 512

struct pt_msg *pt_msg_room(struct pt_pool *pool, size_t length, uint8_t **bytes)
{
	if (length > UINT32_MAX)
		return NULL;
	uint8_t *at;
	struct pt_chunk *chunk = chunk_cut(pool, length, &at);
	if (!chunk)
		return NULL;
	struct pt_msg *m = msg_cut(pool, chunk, at, length);
	chunk_unref(chunk);
	*bytes = at;
	return m;
}

struct pt_msg *pt_msg_new(struct pt_pool *pool, const void *bytes, size_t length)
{
	uint8_t *room;
	struct pt_msg *m = pt_msg_room(pool, length, &room);
	if (m && length)
		memcpy(room, bytes, length);
	return m;
}

struct pt_msg *pt_msg_packet(struct pt_pool *pool, const void *bytes, size_t length,
                             size_t wire_length, uint16_t link_type, int64_t time_ns)
{
	struct pt_msg *m = pt_msg_new(pool, bytes, length);
	if (!m)
		return NULL;
	m->wire_length = (uint32_t)wire_length;
	m->link_type = link_type;
	m->time_ns = time_ns;
	return m;
}

struct pt_msg *pt_msg_given(struct pt_pool *pool, const struct pt_given *given)
{
	struct pt_msg *m = pt_msg_new(pool, given->bytes.data, given->bytes.length);
	if (!m)
		return NULL;
	m->time_ns = given->time_ns;
	pt_msg_set_text(m, given->is_text);
	if (given->is_packet) {
		m->link_type = given->link_type;
		if (given->wire_length > m->length)
			m->wire_length = given->wire_length;
	}
	return m;
}

struct pt_msg *pt_msg_slice(const struct pt_msg *m, size_t offset, size_t length)
{
	assert(offset <= m->length && length <= m->length - offset);
	chunk_share(m->chunk);
	struct pt_msg *slice = msg_cut(m->pool, m->chunk, m->bytes + offset, length);
	slice->time_ns = m->time_ns;
	pt_msg_set_origin(slice, m->origin);
	return slice;
}

bool pt_msg_is_text(const struct pt_msg *m)
{
	return m->flags & MSG_TEXT;
}

void pt_msg_set_text(struct pt_msg *m, bool is_text)
{
	m->flags = (uint16_t)((m->flags & ~MSG_TEXT) | (is_text ? MSG_TEXT : 0));
}

/* A descriptor of its own for the same packet, on other bytes. */
static void like(struct pt_msg *copy, const struct pt_msg *m)
{
	copy->wire_length = m->wire_length;
	copy->time_ns = m->time_ns;
	copy->link_type = m->link_type;
	copy->flags = m->flags;
	pt_msg_set_origin(copy, m->origin);
}

uint8_t *pt_msg_edit(struct pt_msg **mp)
{
	struct pt_msg *m = *mp;
	if (m->refs == 1 && !chunk_is_shared(m->chunk))
		return (uint8_t *)(uintptr_t)m->bytes;
	uint8_t *bytes;
	struct pt_msg *copy = pt_msg_room(m->pool, m->length, &bytes);
	if (!copy)
		return NULL;
	memcpy(bytes, m->bytes, m->length);
	like(copy, m);
	pt_msg_unref(m);
	*mp = copy;
	return bytes;
}

int pt_msg_own(struct pt_msg **mp)
{
	struct pt_msg *m = *mp;
	if (m->refs == 1)
		return 0;
	chunk_share(m->chunk);
	struct pt_msg *copy = msg_cut(m->pool, m->chunk, m->bytes, m->length);
	like(copy, m);
	pt_msg_unref(m);
	*mp = copy;
	return 0;
}

int pt_msg_truncate(struct pt_msg **mp, size_t length)
{
	if (length >= (*mp)->length)
		return 0;
	int rc = pt_msg_own(mp);
	if (rc)
		return rc;
	struct pt_msg *m = *mp;
	m->length = (uint32_t)length;
	if (!pt_msg_is_packet(m))
		m->wire_length = m->length;
	return 0;
}

struct pt_msg *msg_settle(struct pt_msg *m)
{
	if (m->refs == 1 && !chunk_is_shared(m->chunk) &&
	    (chunk_size(m->chunk) <= m->length + SETTLE_SLACK || chunk_is_together(m->chunk)))
		return m;
	struct pt_chunk *own = chunk_new(m->pool, m->length);
	if (!own) {
		pt_msg_unref(m);
		return NULL;
	}
	memcpy(chunk_bytes(own), m->bytes, m->length);
	struct pt_msg *copy = msg_cut(m->pool, own, chunk_bytes(own), m->length);
	chunk_unref(own);
	like(copy, m);
	pt_msg_unref(m);
	return copy;
}
