/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded queues of kept messages. */
#include <pipetool/queue.h>

#include "engine/block.h"
#include "msg/pool.h"

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
