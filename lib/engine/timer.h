/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's timers: nanoseconds, a heap, one timerfd. */
#ifndef ENGINE_TIMER_H
#define ENGINE_TIMER_H

#include <pipetool/block.h>

struct timers {
	struct pt_timer **heap; /* heap[1] is due first */
	size_t count, room;
};

void timers_fini(struct timers *);
void timers_set(struct timers *, struct pt_timer *, uint64_t due_ns); /* arms, or moves */
void timers_stop(struct timers *, struct pt_timer *);                 /* unarmed: nothing */
uint64_t timers_next(const struct timers *); /* when the first is due; UINT64_MAX: none */
struct pt_timer *timers_due(struct timers *, uint64_t now_ns); /* disarms and returns it, or NULL */

#endif
