/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns of the sources, and who is held back by a full sink. */
#include "engine/engine.h"

#include "base/buf.h"
#include <stdlib.h>

#define TURN_NS  1000000 /* all sources together, before the loop looks at its handles again */
#define SLOW_NS  2000000 /* a vector that takes longer is halved the next time */
#define QUICK_NS 500000  /* one that takes less may grow again */

static bool may_run(const struct pt_block *b)
{
	return b->ready && b->started && !b->paused && !b->exhausted && b->type->produce;
}

bool flow_has_work(const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++)
		if (may_run(e->graph->blocks[i]->alive))
			return true;
	return false;
}

/* One vector; its size follows what the messages cost, so that nobody else waits for long. */
static uint64_t produce(struct pt_block *b, uint64_t before)
{
	b->type->produce(b, b->batch);
	uint64_t now = pt_now(b), took = now - before;
	if (took > SLOW_NS && b->batch > 1)
		b->batch /= 2;
	else if (took < QUICK_NS && b->batch < VECTOR_MAX)
		b->batch *= 2;
	return now;
}

void flow_work(struct pt_engine *e)
{
	unsigned runnable = 0;
	for (unsigned i = 0; i < e->graph->count; i++)
		runnable += may_run(e->graph->blocks[i]->alive);
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		uint64_t now = engine_now(e), end = now + TURN_NS / (runnable ? runnable : 1);
		while (may_run(b) && now < end) {
			now = produce(b, now);
			if (e->flow_stale)
				flow_update(e);
			if (e->fake_now_ns)
				break;
		}
	}
}

bool flow_is_exhausted(const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		const struct pt_block *b = e->graph->blocks[i]->alive;
		if (block_is_source(b) ? !b->exhausted : b->ready)
			return false;
	}
	return true;
}

/* Whether what comes in by this link may leave the block at once, as data. */
static bool passes_on(const struct graph_link *l)
{
	return l->to->type->routes & (PT_ROUTE(l->canal, PT_LOW) | PT_ROUTE(l->canal, PT_HIGH));
}

/* Marks every block that sends to a full one, against the links, through what passes on. */
static void mark_upstream(const struct pt_engine *e, bool *reaches)
{
	const struct graph *g = e->graph;
	for (bool more = true; more;) {
		more = false;
		for (unsigned i = g->link_count; i-- > 0;) {
			const struct graph_link *l = &g->links[i];
			if (l->canal == PT_TRIGGER || reaches[l->from->index])
				continue;
			if (l->to->alive->full || (reaches[l->to->index] && passes_on(l)))
				more = reaches[l->from->index] = true;
		}
	}
}

void flow_update(struct pt_engine *e)
{
	const struct graph *g = e->graph;
	bool *marked = must_calloc(g->count, sizeof *marked);
	mark_upstream(e, marked);
	e->flow_stale = false;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		if (b->paused == marked[i] || !b->started)
			continue;
		b->paused = marked[i];
		if (b->type->pause)
			b->type->pause(b, b->paused);
	}
	free(marked);
}
