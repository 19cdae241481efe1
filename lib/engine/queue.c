/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded queues of kept messages. */
#include <pipetool/queue.h>

#include "base/buf.h"
#include "engine/block.h"
#include "engine/estate.h"
#include "msg/pool.h"
#include <string.h>

const char *const pt_overflow_words[] = {"drop-oldest", "drop-newest", "block", NULL};

static size_t cost(const struct pt_msg *m)
{
	return m->length + sizeof *m;
}

static struct pt_msg *unlink_oldest(struct pt_queue *q)
{
	struct pt_msg *m = q->head;
	q->head = m->next;
	if (!q->head)
		q->last = NULL;
	m->next = NULL;
	q->count--;
	q->bytes -= cost(m);
	return m;
}

static void drop_oldest(struct pt_block *b, struct pt_queue *q, size_t room, uint64_t limit)
{
	while (q->head && q->bytes + room > limit)
		pt_drop(b, unlink_oldest(q), "overflow");
}

void pt_queue_add(struct pt_block *b, struct pt_queue *q, enum pt_canal canal, struct pt_msg *m,
                  uint64_t limit, enum pt_overflow overflow)
{
	size_t room = cost(m);
	if (overflow == PT_DROP_OLDEST)
		drop_oldest(b, q, room, limit);
	uint64_t most = overflow == PT_BLOCK ? limit * 2 : limit;
	if (q->bytes + room > most) {
		pt_drop(b, m, "overflow");
		return;
	}
	m = pt_keep(b, m);
	if (!m)
		return;
	m->flags = (uint16_t)((m->flags & ~MSG_HIGH) | (canal == PT_HIGH ? MSG_HIGH : 0));
	if (q->last)
		q->last->next = m;
	else
		q->head = m;
	q->last = m;
	q->count++;
	q->bytes += room;
	if (overflow == PT_BLOCK && q->bytes >= limit)
		pt_full(b, true);
}

struct pt_msg *pt_queue_take(struct pt_block *b, struct pt_queue *q, enum pt_canal *canal,
                             uint64_t limit)
{
	if (!q->head)
		return NULL;
	struct pt_msg *m = unlink_oldest(q);
	*canal = m->flags & MSG_HIGH ? PT_HIGH : PT_LOW;
	if (b->full && q->bytes <= limit / 2)
		pt_full(b, false);
	return m;
}

/* ---- handing over ---- */

#define KEY "waits"

struct record {
	uint64_t time_ns;
	uint32_t length, wire_length;
	uint16_t link_type, high;
	uint32_t unused;
};

void pt_queue_leave(struct pt_block *b, struct pt_queue *q, struct pt_estate *estate, size_t skip)
{
	struct buf bytes = BUF_INIT;
	pt_queue_left(b, q);
	if (pt_leaving(estate) != PT_AT_END || !q->head)
		return;
	for (const struct pt_msg *m = q->head; m; m = m->next, skip = 0) {
		const struct record record = {
			.time_ns = m->time_ns,
			.length = m->length - (uint32_t)skip,
			.wire_length = m->wire_length,
			.link_type = m->link_type,
			.high = m->flags & MSG_HIGH ? 1 : 0,
		};
		buf_add(&bytes, &record, sizeof record);
		buf_add(&bytes, m->bytes + skip, record.length);
	}
	pt_leave_bytes(estate, KEY, bytes.data, bytes.length);
	buf_free(&bytes);
	pt_queue_drop(b, q, "left");
}

/* Copied, since a record may lie anywhere. */
static const uint8_t *read_record(struct pt_block *b, struct pt_queue *q, const uint8_t *at,
                                  const uint8_t *end)
{
	struct record r;
	if ((size_t)(end - at) < sizeof r)
		return end;
	memcpy(&r, at, sizeof r);
	at += sizeof r;
	if ((size_t)(end - at) < r.length)
		return end;
	struct pt_msg *m = r.link_type == PT_NO_LINK_TYPE
	                           ? pt_msg_new(pt_pool(b), at, r.length)
	                           : pt_msg_packet(pt_pool(b), at, r.length, r.wire_length,
	                                           r.link_type, r.time_ns);
	if (m) {
		pt_made(b, 1);
		pt_queue_add(b, q, r.high ? PT_HIGH : PT_LOW, m, UINT64_MAX, PT_DROP_NEWEST);
	} else {
		pt_lost(b, 1, "memory");
	}
	return at + r.length;
}

void pt_queue_left(struct pt_block *b, struct pt_queue *q)
{
	size_t length;
	const uint8_t *at = pt_left_bytes(b, KEY, &length);
	if (!at)
		return;
	for (const uint8_t *end = at + length; at < end;)
		at = read_record(b, q, at, end);
	estate_forget_bytes(b, KEY);
}

void pt_queue_drop(struct pt_block *b, struct pt_queue *q, const char *why)
{
	while (q->head)
		pt_drop(b, unlink_oldest(q), why);
	pt_full(b, false);
}

void pt_queue_clear(struct pt_queue *q)
{
	while (q->head)
		pt_msg_unref(unlink_oldest(q));
}
