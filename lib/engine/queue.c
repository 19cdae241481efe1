/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded queues of held messages. */
#include <pipetool/queue.h>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/carry.h"
#include "engine/ring.h"
#include "msg/pool.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define FEED_MAX ((uint64_t)64 * 1024 * 1024) /* bytes that wait; the last request may go beyond */

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

uint64_t pt_queue_place(const struct pt_queue *q)
{
	return q->end - (q->bytes - q->count * sizeof *q->head);
}

static void shadow_oldest_gone(struct pt_block *b, struct pt_queue *q, const struct pt_msg *m)
{
	if (!q->shadow)
		return;
	if (b->engine->cuts.on && q->goes_back) {
		ring_take(q->shadow);
		cut_passed(b->engine, cost(m));
		pt_came_on(b);
	} else {
		ring_pop(q->shadow);
	}
}

static struct pt_msg *take_oldest(struct pt_block *b, struct pt_queue *q)
{
	struct pt_msg *m = unlink_oldest(q);
	shadow_oldest_gone(b, q, m);
	return m;
}

static void drop_oldest(struct pt_block *b, struct pt_queue *q, size_t room, uint64_t limit)
{
	while (q->head && q->bytes + room > limit)
		pt_drop(b, take_oldest(b, q), "overflow");
}

static void shadow_newest(struct pt_block *, struct pt_queue *);
static void shadow_all(struct pt_block *, struct pt_queue *, struct ring *);

static void link_newest(struct pt_queue *q, struct pt_msg *m, bool high)
{
	m->flags = (uint16_t)((m->flags & ~MSG_HIGH) | (high ? MSG_HIGH : 0));
	if (q->last)
		q->last->next = m;
	else
		q->head = m;
	q->last = m;
	q->count++;
	q->bytes += cost(m);
	q->end += m->length;
}

bool pt_queue_add(struct pt_block *b, struct pt_queue *q, enum pt_canal canal, struct pt_msg *m,
                  uint64_t limit, enum pt_overflow overflow)
{
	size_t room = cost(m);
	uint64_t most = overflow == PT_BLOCK ? limit + PT_OVERRUN : limit;
	if (overflow == PT_DROP_OLDEST && room <= most)
		drop_oldest(b, q, room, limit);
	if (room > most || q->bytes + room > most) {
		pt_drop(b, m, room > most ? "too-long" : "overflow");
		return false;
	}
	m = pt_hold(b, m);
	if (!m)
		return false;
	link_newest(q, m, canal == PT_HIGH);
	shadow_newest(b, q);
	if (overflow == PT_BLOCK && q->bytes >= limit)
		pt_full(b, true);
	return true;
}

/* ---- feeding ---- */

static uint64_t cost_of_all(struct pt_msg *const *messages, unsigned count)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < count; i++)
		sum += cost(messages[i]);
	return sum;
}

static int may_feed(const struct pt_block *b, const struct pt_queue *q, bool closed, uint64_t room,
                    struct pt_error *err)
{
	if (closed)
		return pt_fail(err, -PT_ESTATE, NULL,
		               "'%s' is closed; it opens again when the engine is started again",
		               b->name);
	if (q->bytes < FEED_MAX && q->bytes + room <= 2 * FEED_MAX)
		return 0;
	return pt_fail(err, -PT_ELIMIT, NULL, "%s in '%s'%s: %s",
	               q->bytes < FEED_MAX ? "no more than 128 MiB can wait" : "64 MiB wait",
	               b->name, q->bytes < FEED_MAX ? "" : " already",
	               !b->started ? "start the engine first"
	               : q->bytes  ? "a sink is full"
	                           : "send fewer messages at once");
}

int pt_queue_may_feed(struct pt_block *b, const struct pt_queue *q, bool closed,
                      struct pt_msg **messages, unsigned count, struct pt_error *err)
{
	int rc = may_feed(b, q, closed, cost_of_all(messages, count), err);
	if (rc)
		msg_unref_many(messages, count);
	return rc;
}

void pt_queue_feed(struct pt_block *b, struct pt_queue *q, enum pt_canal canal,
                   struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pt_queue_add(b, q, canal, messages[i], UINT64_MAX, PT_DROP_NEWEST);
}

enum pt_canal pt_queue_canal(const struct pt_msg *m)
{
	return m->flags & MSG_HIGH ? PT_HIGH : PT_LOW;
}

struct pt_msg *pt_queue_take(struct pt_block *b, struct pt_queue *q, enum pt_canal *canal,
                             uint64_t limit)
{
	if (!q->head)
		return NULL;
	struct pt_msg *m = take_oldest(b, q);
	*canal = pt_queue_canal(m);
	if (b->full && q->bytes <= limit / 2)
		pt_full(b, false);
	return m;
}

void pt_queue_give_back(struct pt_block *b, struct pt_queue *q, enum pt_canal canal,
                        struct pt_msg *m)
{
	m = pt_hold(b, m);
	if (!m)
		return;
	m->flags = (uint16_t)((m->flags & ~MSG_HIGH) | (canal == PT_HIGH ? MSG_HIGH : 0));
	m->next = q->head;
	q->head = m;
	if (!q->last)
		q->last = m;
	q->count++;
	q->bytes += cost(m);
	if (q->shadow)
		shadow_all(b, q, ring_new(q->room));
}

void pt_queue_changed(struct pt_block *b, const struct pt_queue *q, uint64_t limit,
                      enum pt_overflow overflow)
{
	pt_full(b, overflow == PT_BLOCK && q->bytes >= limit);
}

/* ---- carrying over ---- */

enum { CAME_HIGH = 1, IS_TEXT = 2, HAS_PLACE = 4 };

/* A record of the ring: this, the interface's name, the place (those of earlier versions have
   none), and the bytes. */
struct message {
	int64_t time_ns;
	uint32_t wire_length;
	uint16_t link_type;
	uint8_t flags, iface_length;
	char iface[UINT8_MAX + 1 + sizeof(uint64_t)];
};
#define MESSAGE_FIXED offsetof(struct message, iface)

static size_t place_at(const struct message *head)
{
	return (head->iface_length + 7u) & ~7u;
}

static uint32_t head_size(const struct message *head)
{
	return (uint32_t)(MESSAGE_FIXED + place_at(head) +
	                  (head->flags & HAS_PLACE ? sizeof(uint64_t) : 0));
}

static bool shadow_push(struct ring *shadow, const struct pt_msg *m, uint64_t place)
{
	struct message head = {
		.time_ns = m->time_ns, .wire_length = m->wire_length, .link_type = m->link_type};
	head.flags = HAS_PLACE;
	head.flags |= m->flags & MSG_HIGH ? CAME_HIGH : 0;
	head.flags |= pt_msg_is_text(m) ? IS_TEXT : 0;
	const char *iface = pt_msg_iface(m);
	head.iface_length = iface ? (uint8_t)strnlen(iface, UINT8_MAX) : 0;
	if (iface)
		memcpy(head.iface, iface, head.iface_length);
	memcpy(head.iface + place_at(&head), &place, sizeof place);
	return ring_push(shadow, &(const struct ring_record){RING_MESSAGE, &head, m->bytes,
	                                                     head_size(&head), m->length});
}

static void shadow_all(struct pt_block *b, struct pt_queue *q, struct ring *shadow)
{
	uint64_t place = pt_queue_place(q);
	for (const struct pt_msg *m = q->head; m && shadow; place += m->length, m = m->next)
		if (!shadow_push(shadow, m, place)) {
			struct ring *larger = ring_larger(shadow);
			ring_free(shadow);
			shadow_all(b, q, larger);
			return;
		}
	if (shadow || q->shadow) /* else there was none, and none could be had */
		pt_carry_changed(b);
	ring_free(q->shadow);
	q->shadow = shadow;
}

/* Early, so that it is known and stored when the first message comes. */
static void shadow_begin(struct pt_block *b, struct pt_queue *q)
{
	if (!q->shadow && b->engine->hooks.carry && carry_is_of(b->type))
		shadow_all(b, q, ring_new(q->room));
}

static void shadow_newest(struct pt_block *b, struct pt_queue *q)
{
	if (!q->shadow)
		shadow_begin(b, q);
	else if (!shadow_push(q->shadow, q->last, q->end - q->last->length))
		shadow_all(b, q, ring_larger(q->shadow));
	pt_came_on(b);
}

void pt_queue_set_room(struct pt_block *b, struct pt_queue *q, size_t room)
{
	q->room = room;
	struct ring *larger = q->shadow && ring_room(q->shadow) < room ? ring_new(room) : NULL;
	if (larger && ring_room(larger) > ring_room(q->shadow))
		shadow_all(b, q, larger);
	else
		ring_free(larger);
}

void pt_queue_begun(struct pt_queue *q, size_t bytes)
{
	if (q->shadow)
		ring_skip(q->shadow, bytes);
}

void pt_queue_carry(struct pt_block *b, struct pt_queue *q, struct pt_carry *carry)
{
	pt_queue_carried(b, q);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR || !q->shadow)
		return;
	uint64_t cut = q->goes_back ? carry_cut(carry) : 0;
	const struct ring_mark now = ring_note(q->shadow, cut, b->engine->cuts.committed);
	pt_carry_fd(carry, CARRY_QUEUE, ring_fd(q->shadow));
	if (cut)
		pt_carry_bytes(carry, CARRY_QUEUE, &now, sizeof now);
	if (pt_carry_to(carry) != PT_AT_END)
		return;
	ring_free(q->shadow);
	q->shadow = NULL;
	pt_queue_drop(b, q, "left");
}

struct refill {
	struct pt_block *block;
	struct pt_queue queue;
	struct pt_origin *origin; /* the last one */
	char iface[UINT8_MAX + 1];
	bool whole; /* all records are there, with their places */
};

static struct pt_origin *origin_of(struct refill *r, const struct message *head)
{
	if (!head->iface_length)
		return NULL;
	if (!r->origin || strcmp(r->iface, head->iface) != 0) {
		pt_origin_unref(r->origin);
		r->origin = pt_origin_new(head->iface);
		strcpy(r->iface, head->iface);
	}
	return r->origin;
}

/* How much of the record it takes; 0: it is none. */
static uint32_t read_head(struct message *head, uint64_t *place, const uint8_t *bytes,
                          uint32_t length)
{
	if (length < MESSAGE_FIXED)
		return 0;
	memcpy(head, bytes, MESSAGE_FIXED);
	uint32_t size = head_size(head);
	if (length < size)
		return 0;
	memcpy(head->iface, bytes + MESSAGE_FIXED, head->iface_length);
	head->iface[head->iface_length] = 0;
	if (head->flags & HAS_PLACE)
		memcpy(place, bytes + size - sizeof *place, sizeof *place);
	return size;
}

static struct pt_msg *message_of(struct pt_pool *pool, const struct message *head,
                                 const uint8_t *bytes, uint32_t length)
{
	bool plain = head->link_type == PT_NO_LINK_TYPE;
	return pt_msg_packet(pool, bytes, length, plain ? length : head->wire_length,
	                     head->link_type, head->time_ns);
}

static void refill(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	struct refill *r = arg;
	struct message head = {0};
	uint64_t place = r->queue.end;
	uint32_t size = read_head(&head, &place, bytes, length);
	if (!size)
		return;
	bytes += size;
	length -= size;
	gone = gone < length ? gone : 0;
	if (!r->queue.count)
		r->queue.end = place + gone;
	struct pt_msg *m = message_of(pt_pool(r->block), &head, bytes + gone, length - gone);
	if (m) {
		pt_made(r->block, 1);
		pt_msg_set_origin(m, origin_of(r, &head));
		pt_msg_set_text(m, head.flags & IS_TEXT);
		m = pt_hold(r->block, m);
	} else {
		pt_lost(r->block, 1, "memory");
	}
	if (m)
		link_newest(&r->queue, m, head.flags & CAME_HIGH);
	r->whole &= m && head.flags & HAS_PLACE;
}

static void tell_lost(struct pt_block *b, uint64_t lost)
{
	if (!lost)
		return;
	pt_lost(b, lost, "restart");
	pt_report(b, -EIO,
	          "the memory that was kept over the restart is damaged: %" PRIu64
	          " of the messages that waited here are lost",
	          lost);
}

/* What came meanwhile goes behind it. */
static void take_carried(struct pt_block *b, struct pt_queue *q, struct ring *carried)
{
	struct refill r = {
		.block = b, .queue = {.goes_back = q->goes_back, .room = q->room}, .whole = true};
	tell_lost(b, ring_each(carried, RING_MESSAGE, refill, &r));
	pt_origin_unref(r.origin);
	r.queue.shadow = carried;
	pt_waited(b, r.queue.count);
	if (!r.whole)
		shadow_all(b, &r.queue, ring_new(q->room));
	for (struct pt_msg *m; q->head;) {
		m = unlink_oldest(q);
		link_newest(&r.queue, m, m->flags & MSG_HIGH);
		shadow_newest(b, &r.queue);
	}
	ring_free(q->shadow);
	*q = r.queue;
	pt_carry_changed(b);
}

/* As it was at the last checkpoint, if there was one. */
static struct ring *open_carried(struct pt_block *b, int fd)
{
	size_t length;
	struct ring *carried = ring_open(fd);
	const void *mark = pt_carried_bytes(b, CARRY_QUEUE, &length);
	if (!carried || !mark)
		return carried;
	if (length == sizeof(struct ring_mark) && ring_go_back(carried, mark))
		return carried;
	ring_free(carried);
	return NULL;
}

void pt_queue_carried(struct pt_block *b, struct pt_queue *q)
{
	int fd = -1;
	if (b->carried && pt_carried_fd(b, CARRY_QUEUE, &fd) && fd >= 0) {
		struct ring *carried = open_carried(b, fd);
		if (carried)
			take_carried(b, q, carried);
		else
			tell_lost(b, 1);
	}
	shadow_begin(b, q);
}

void pt_queue_drop(struct pt_block *b, struct pt_queue *q, const char *why)
{
	while (q->head)
		pt_drop(b, take_oldest(b, q), why);
	pt_full(b, false);
}

void pt_queue_clear(struct pt_queue *q)
{
	ring_free(q->shadow);
	q->shadow = NULL;
	while (q->head)
		pt_msg_unref(unlink_oldest(q));
}
