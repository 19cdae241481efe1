/* SPDX-License-Identifier: BSD-2-Clause */
/* A heap of readers. */
#include "capture/merge.h"

#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>

#define AHEAD 64

struct lane {
	struct capture_reader *reader;
	struct pt_msg *ahead[AHEAD];
	unsigned at, end;
};

/* Of the next packet of a lane. */
struct front {
	int64_t time_ns;
	unsigned n;
};

struct merge {
	struct lane *lanes;
	unsigned *hungry; /* those of which the next packet is not known; the last is read first */
	struct front *heap; /* of the others; the oldest first */
	unsigned hungry_count, heap_count, count;
};

struct merge *merge_new(unsigned readers)
{
	struct merge *m = must_calloc(1, sizeof *m);
	m->lanes = must_calloc(readers, sizeof *m->lanes);
	m->hungry = must_calloc(readers, sizeof *m->hungry);
	m->heap = must_calloc(readers, sizeof *m->heap);
	m->count = readers;
	return m;
}

void merge_release(struct merge *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct lane *l = &m->lanes[i];
		while (l->at < l->end)
			pt_msg_unref(l->ahead[l->at++]);
	}
	m->hungry_count = m->heap_count = 0;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	free(m->lanes);
	free(m->hungry);
	free(m->heap);
	free(m);
}

void merge_add(struct merge *m, unsigned n, struct capture_reader *reader)
{
	m->lanes[n] = (struct lane){.reader = reader};
	m->hungry[m->hungry_count++] = n;
}

static struct front front(const struct merge *m, unsigned n)
{
	return (struct front){m->lanes[n].ahead[m->lanes[n].at]->time_ns, n};
}

static inline bool is_before(struct front a, struct front b)
{
	return a.time_ns < b.time_ns || (a.time_ns == b.time_ns && a.n < b.n);
}

static void sink(struct merge *m, struct front f)
{
	struct front *heap = m->heap;
	unsigned place = 0, child = 1;
	for (; child < m->heap_count; child = 2 * place + 1) {
		child += child + 1 < m->heap_count && is_before(heap[child + 1], heap[child]);
		if (!is_before(heap[child], f))
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = f;
}

static void rise(struct merge *m, struct front f)
{
	unsigned place = m->heap_count++;
	while (place && is_before(f, m->heap[(place - 1) / 2])) {
		m->heap[place] = m->heap[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	m->heap[place] = f;
}

/* Of each reader that has not ended the next packet is known then. */
static int feed(struct merge *m, struct pt_pool *pool, unsigned *n, struct pt_error *err)
{
	while (m->hungry_count) {
		*n = m->hungry[m->hungry_count - 1];
		struct lane *l = &m->lanes[*n];
		int got = capture_reader_next(l->reader, pool, l->ahead, AHEAD, err);
		if (got == -EAGAIN || got == -ENOMEM)
			return got;
		m->hungry_count--;
		if (got < 0)
			return got;
		l->at = 0;
		l->end = (unsigned)got;
		if (got)
			rise(m, front(m, *n));
	}
	return 0;
}

static struct pt_msg *take(struct merge *m)
{
	unsigned n = m->heap[0].n;
	struct lane *l = &m->lanes[n];
	struct pt_msg *oldest = l->ahead[l->at++];
	if (l->at < l->end) {
		sink(m, front(m, n));
		return oldest;
	}
	m->hungry[m->hungry_count++] = n;
	if (--m->heap_count)
		sink(m, m->heap[m->heap_count]);
	return oldest;
}

int merge_next(struct merge *m, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
               unsigned *n, struct pt_error *err)
{
	unsigned count = 0;
	while (count < max) {
		if (m->hungry_count && count)
			break; /* a fault would come in the middle */
		int rc = feed(m, pool, n, err);
		if (rc)
			return rc;
		if (!m->heap_count)
			break;
		messages[count++] = take(m);
	}
	return (int)count;
}
