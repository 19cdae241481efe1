/* SPDX-License-Identifier: BSD-2-Clause */
/* A binary heap of timers, each of which knows its place. */
#include "engine/timer.h"

#include "base/buf.h"
#include <stdlib.h>

void timers_fini(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){NULL, 0, 0};
}

static void put(struct timers *t, size_t place, struct pt_timer *timer)
{
	t->heap[place] = timer;
	timer->place = place;
}

static void up(struct timers *t, size_t place)
{
	struct pt_timer *timer = t->heap[place];
	for (; place > 1 && t->heap[place / 2]->due_ns > timer->due_ns; place /= 2)
		put(t, place, t->heap[place / 2]);
	put(t, place, timer);
}

static void down(struct timers *t, size_t place)
{
	struct pt_timer *timer = t->heap[place];
	for (size_t child; (child = place * 2) <= t->count; place = child) {
		if (child < t->count && t->heap[child + 1]->due_ns < t->heap[child]->due_ns)
			child++;
		if (t->heap[child]->due_ns >= timer->due_ns)
			break;
		put(t, place, t->heap[child]);
	}
	put(t, place, timer);
}

void timers_set(struct timers *t, struct pt_timer *timer, uint64_t due_ns)
{
	if (!timer->place) {
		if (t->count + 2 > t->room) {
			t->room = t->room ? t->room * 2 : 16;
			t->heap = must_realloc(t->heap, t->room, sizeof(struct pt_timer *));
		}
		put(t, ++t->count, timer);
	}
	timer->due_ns = due_ns;
	up(t, timer->place);
	down(t, timer->place);
}

void timers_stop(struct timers *t, struct pt_timer *timer)
{
	size_t place = timer->place;
	if (!place)
		return;
	timer->place = 0;
	struct pt_timer *last = t->heap[t->count--];
	if (last == timer)
		return;
	put(t, place, last);
	up(t, place);
	down(t, last->place);
}

uint64_t timers_next(const struct timers *t)
{
	return t->count ? t->heap[1]->due_ns : UINT64_MAX;
}

struct pt_timer *timers_due(struct timers *t, uint64_t now_ns)
{
	if (timers_next(t) > now_ns)
		return NULL;
	struct pt_timer *timer = t->heap[1];
	timers_stop(t, timer);
	return timer;
}
