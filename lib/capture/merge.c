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

struct merge {
	struct lane *lanes;
	unsigned *hungry; /* those of which the next packet is not known; the last is read first */
	unsigned *heap;   /* the others; the oldest first */
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

static const struct pt_msg *first(const struct merge *m, unsigned n)
{
	return m->lanes[n].ahead[m->lanes[n].at];
}

static bool is_before(const struct merge *m, unsigned a, unsigned b)
{
	int64_t x = first(m, a)->time_ns, y = first(m, b)->time_ns;
	return x < y || (x == y && a < b);
}

static void sink(struct merge *m, unsigned place)
{
	unsigned n = m->heap[place];
	for (;;) {
		unsigned child = 2 * place + 1;
		if (child >= m->heap_count)
			break;
		if (child + 1 < m->heap_count && is_before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (!is_before(m, m->heap[child], n))
			break;
		m->heap[place] = m->heap[child];
		place = child;
	}
	m->heap[place] = n;
}

static void rise(struct merge *m, unsigned n)
{
	unsigned place = m->heap_count++;
	while (place && is_before(m, n, m->heap[(place - 1) / 2])) {
		m->heap[place] = m->heap[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	m->heap[place] = n;
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
			rise(m, *n);
	}
	return 0;
}

static struct pt_msg *take(struct merge *m)
{
	unsigned n = m->heap[0];
	struct lane *l = &m->lanes[n];
	struct pt_msg *oldest = l->ahead[l->at++];
	if (l->at == l->end) {
		m->hungry[m->hungry_count++] = n;
		m->heap[0] = m->heap[--m->heap_count];
	}
	if (m->heap_count)
		sink(m, 0);
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
