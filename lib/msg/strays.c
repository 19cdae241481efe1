/* SPDX-License-Identifier: BSD-2-Clause */
/* A heap of messages, and its records. */
#include "msg/strays.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 64

static size_t cost(const struct pt_msg *m)
{
	return m->length + sizeof *m;
}

static bool is_before(const struct stray *a, const struct stray *b)
{
	return a->time_ns < b->time_ns || (a->time_ns == b->time_ns && a->number < b->number);
}

bool strays_make_room(struct strays *s)
{
	if (s->count < s->room)
		return true;
	size_t room = s->room ? 2 * s->room : ROOM;
	struct stray *heap = realloc(s->heap, room * sizeof *heap);
	if (!heap)
		return false;
	s->heap = heap;
	s->room = room;
	return true;
}

void strays_add(struct strays *s, struct pt_msg *m, bool high)
{
	struct stray stray = {m->time_ns, s->number++, m, high};
	size_t at = s->count++;
	for (; at && is_before(&stray, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
		s->heap[at] = s->heap[(at - 1) / 2];
	s->heap[at] = stray;
	s->bytes += cost(m);
}

struct stray strays_take(struct strays *s)
{
	struct stray first = s->heap[0], last = s->heap[--s->count];
	size_t at = 0;
	for (size_t child = 1; child < s->count; child = 2 * at + 1) {
		if (child + 1 < s->count && is_before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!is_before(&s->heap[child], &last))
			break;
		s->heap[at] = s->heap[child];
		at = child;
	}
	s->heap[at] = last;
	s->bytes -= cost(first.m);
	return first;
}

void strays_fini(struct strays *s)
{
	while (s->count)
		pt_msg_unref(s->heap[--s->count].m);
	free(s->heap);
	*s = (struct strays){0};
}

/* ---- records ---- */

enum { HIGH = 1, TEXT = 2, MARK = 4 };

struct record {
	int64_t time_ns;
	uint32_t length, wire_length;
	uint16_t link_type;
	uint8_t flags, iface_length;
};

static void write_record(struct buf *out, const struct stray *stray, bool mark)
{
	const struct pt_msg *m = stray->m;
	const char *iface = pt_msg_iface(m);
	unsigned flags =
		(stray->high ? HIGH : 0) | (pt_msg_is_text(m) ? TEXT : 0) | (mark ? MARK : 0);
	struct record r = {m->time_ns, m->length, m->wire_length, m->link_type, (uint8_t)flags, 0};
	r.iface_length = iface ? (uint8_t)strnlen(iface, UINT8_MAX) : 0;
	buf_add(out, &r, sizeof r);
	buf_add(out, iface ? iface : "", r.iface_length);
	buf_add(out, m->bytes, m->length);
}

static int compare(const void *a, const void *b)
{
	return is_before(a, b) ? -1 : 1;
}

/* In the order of the heap once it is sorted, so that they are numbered as they were. */
void strays_write(struct strays *s, struct buf *out, bool mark)
{
	if (s->count)
		qsort(s->heap, s->count, sizeof *s->heap, compare); /* which is a heap, too */
	for (size_t i = 0; i < s->count; i++)
		write_record(out, &s->heap[i], mark);
}

static struct pt_msg *message_of(struct pt_pool *pool, const struct record *r, const uint8_t *at)
{
	char iface[UINT8_MAX + 1] = "";
	struct pt_msg *m = pt_msg_packet(pool, at + r->iface_length, r->length, r->wire_length,
	                                 r->link_type, r->time_ns);
	memcpy(iface, at, r->iface_length);
	struct pt_origin *origin = m && *iface ? pt_origin_new(iface) : NULL;
	if (origin)
		pt_msg_set_origin(m, origin);
	if (m)
		pt_msg_set_text(m, r->flags & TEXT);
	pt_origin_unref(origin);
	return m;
}

bool stray_read(struct pt_pool *pool, const uint8_t **at, size_t *left, struct stray *stray,
                bool *mark)
{
	struct record r;
	if (*left < sizeof r)
		return false;
	memcpy(&r, *at, sizeof r);
	size_t length = sizeof r + r.iface_length + r.length;
	if (*left < length)
		return false;
	*stray = (struct stray){.m = message_of(pool, &r, *at + sizeof r), .high = r.flags & HIGH};
	*mark = r.flags & MARK;
	*at += length;
	*left -= length;
	return true;
}
