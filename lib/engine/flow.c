/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns of the sources, and who is held back by a full sink. */
#include "engine/engine.h"

#include "base/buf.h"
#include "graph/ways.h"
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

/* Every sink that something leads to has failed, and will not be tried again; a source may be a
   sink, too, as a pipe is. */
static bool nobody_takes(const struct pt_engine *e)
{
	bool some = false;
	for (unsigned i = 0; i < e->graph->link_count; i++) {
		const struct graph_link *l = &e->graph->links[i];
		if (l->canal == PT_TRIGGER || l->to->type->role == PT_DRAIN)
			continue;
		if (!l->to->alive->failed || l->to->alive->retry_s > 0)
			return false;
		some = true;
	}
	return some;
}

bool flow_is_exhausted(const struct pt_engine *e)
{
	if (nobody_takes(e))
		return true;
	for (unsigned i = 0; i < e->graph->count; i++) {
		const struct pt_block *b = e->graph->blocks[i]->alive;
		if (block_is_source(b) ? !b->exhausted : b->ready)
			return false;
	}
	return true;
}

/* ---- to whom no more will come ---- */

enum coming { COMES, MAY_COME, NO_MORE };

/* What a drain still has goes on by itself, or when somebody triggers it. */
static enum coming from_block(const struct pt_block *b)
{
	if (block_is_source(b))
		return b->started && b->exhausted ? NO_MORE : COMES;
	return b->ready || b->count.held ? MAY_COME : NO_MORE;
}

/* Back over links of any kind; what comes into a source does not go on in it. */
static enum coming find_coming(const struct graph *g, const struct ways *in, unsigned block)
{
	bool *seen = must_calloc(g->count, sizeof *seen);
	unsigned *to_do = must_calloc(g->count + 1, sizeof *to_do), count = 1, sources = 0;
	enum coming coming = NO_MORE;
	to_do[0] = block;
	while (count && coming != COMES) {
		unsigned base = to_do[--count] * 3;
		for (unsigned i = in->first[base]; i < in->first[base + 3]; i++) {
			const struct graph_block *from = g->links[in->links[i]].from;
			if (seen[from->index])
				continue;
			seen[from->index] = true;
			enum coming one = from_block(from->alive);
			coming = one < coming ? one : coming;
			sources += block_is_source(from->alive);
			if (!block_is_source(from->alive))
				to_do[count++] = from->index;
		}
	}
	free(to_do);
	free(seen);
	return sources ? coming : COMES;
}

static bool wants_end(const struct pt_block *b)
{
	return b->type->no_more && b->started && !b->away && !b->told_no_more;
}

void flow_end(struct pt_engine *e)
{
	const struct graph *g = e->graph;
	struct ways in = {NULL, NULL};
	e->ends_stale = false;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		if (!wants_end(b))
			continue;
		if (!in.first)
			in = ways_in(g);
		enum coming coming = find_coming(g, &in, i);
		e->ends_stale |= coming == MAY_COME;
		b->told_no_more = coming == NO_MORE;
		if (b->told_no_more)
			b->type->no_more(b);
	}
	if (in.first)
		ways_free(&in);
}

/* ---- who is held back ---- */

/* An exit is a block's index * 3 + canal, and held when something that leaves by it comes to a full
   block at once: through the routes of the blocks between, each exit for itself, and also by way of
   a trigger. */
struct holding {
	const struct graph *graph;
	struct ways ways; /* in */
	bool *held;       /* of each exit */
	unsigned *to_do,
		count; /* exits that are held, and whose block was not looked at for them */
};

static bool some_block_is_full(const struct graph *g)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->blocks[i]->alive->full)
			return true;
	return false;
}

static void hold(struct holding *h, const struct graph_link *l)
{
	unsigned exit = ways_port(l->from, l->canal);
	if (!h->held[exit])
		h->to_do[h->count++] = exit;
	h->held[exit] = true;
}

static void hold_before(struct holding *h, unsigned exit)
{
	unsigned base = exit - exit % 3;
	for (unsigned i = h->ways.first[base]; i < h->ways.first[base + 3]; i++) {
		const struct graph_link *l = &h->graph->links[h->ways.links[i]];
		if (l->to->type->routes & PT_ROUTE(l->canal, exit % 3))
			hold(h, l);
	}
}

static void find_held(struct holding *h)
{
	const struct graph *g = h->graph;
	h->ways = ways_in(g);
	h->to_do = must_calloc(g->count * 3, sizeof *h->to_do);
	for (unsigned i = 0; i < g->link_count; i++)
		if (g->links[i].canal != PT_TRIGGER && g->links[i].to->alive->full)
			hold(h, &g->links[i]);
	while (h->count)
		hold_before(h, h->to_do[--h->count]);
	free(h->to_do);
	ways_free(&h->ways);
}

/* What a block makes by itself leaves as data; its own triggers are no reason to wait. */
static bool is_held(const struct holding *h, unsigned block)
{
	return h->held[block * 3 + PT_LOW] || h->held[block * 3 + PT_HIGH];
}

void flow_update(struct pt_engine *e)
{
	const struct graph *g = e->graph;
	struct holding h = {.graph = g, .held = must_calloc(g->count * 3, sizeof *h.held)};
	if (some_block_is_full(g))
		find_held(&h);
	e->flow_stale = false;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		bool paused = is_held(&h, i);
		if (b->paused == paused || !b->started)
			continue;
		b->paused = paused;
		if (b->type->pause)
			b->type->pause(b, b->paused);
	}
	free(h.held);
}
