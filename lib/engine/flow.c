/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of what may produce, is full, or is held back, and sums over all blocks. */
#include "engine/flow.h"

#include "engine/engine.h"

#define TURN_NS  1000000 /* all sources together, before the loop looks at its handles again */
#define SLOW_NS  2000000 /* a vector that takes longer is halved the next time */
#define QUICK_NS 500000  /* one that takes less may grow again */

/* ---- what counts of a block ---- */

static bool may_run(const struct pt_block *b)
{
	return b->ready && b->started && !b->paused && b->type->produce &&
	       (!b->exhausted || b->type->elsewhere);
}

/* A pipe whose exits lead nowhere has done its part with the last that came into it. */
static bool is_way_out(const struct pt_block *b)
{
	return block_is_source(b) && !b->type->elsewhere && b->entries && b->entries->data &&
	       !b->exits[PT_LOW] && !b->exits[PT_HIGH] && !b->exits[PT_TRIGGER];
}

static unsigned standing_of(const struct pt_block *b)
{
	bool undone = block_is_source(b) ? !b->exhausted || b->busy : b->ready || b->later;
	if (b->told_no_more && is_way_out(b))
		undone = b->count.held || b->busy;
	bool taking = b->type->role != PT_DRAIN && b->entries && b->entries->data;
	bool waiting = b->failed && b->retry_s > 0;
	return (unsigned)b->failed << FLOW_FAILED | (unsigned)waiting << FLOW_WAITING |
	       (unsigned)undone << FLOW_UNDONE | (unsigned)taking << FLOW_TAKING |
	       (unsigned)(taking && b->failed && b->exhausted && !waiting) << FLOW_LOST;
}

static void count(struct flow *f, unsigned was, unsigned is)
{
	for (unsigned i = 0; (was ^ is) >> i; i++)
		f->counts[i] += (is >> i & 1) - (was >> i & 1);
}

/* Who is behind the block whose turn it is may come in the same round. */
static uint64_t next_turn(const struct flow *f, const struct pt_block *b)
{
	return (uint64_t)(b->place <= f->at) << 32 | b->place;
}

static void note_ending(struct flow *f, struct pt_block *b, bool ending)
{
	if (ending == b->ending)
		return;
	b->ending = ending;
	if (ending)
		TAILQ_INSERT_TAIL(&f->ending, b, ending_links);
	else
		TAILQ_REMOVE(&f->ending, b, ending_links);
	f->ends_stale |= ending;
}

void flow_note(struct pt_block *b)
{
	struct flow *f = &b->engine->flow;
	unsigned was = b->standing;
	if (!b->listed)
		return;
	b->standing = standing_of(b);
	f->ends_stale |= b->standing != was;
	count(f, was, b->standing);
	note_ending(f, b, (b->type->no_more || is_way_out(b)) && b->started && !b->told_no_more);
	b->turn.block = b;
	if (!may_run(b))
		timers_stop(&f->turns, &b->turn);
	else if (!b->turn.place)
		timers_set(&f->turns, &b->turn, next_turn(f, b));
}

/* True: the list of those that are so has to follow. */
static bool becomes(struct pt_block *b, bool *is, bool so)
{
	if (*is == so)
		return false;
	*is = so;
	b->engine->flow.stale = true;
	return b->listed;
}

void flow_set_full(struct pt_block *b, bool full)
{
	if (!becomes(b, &b->full, full))
		return;
	if (full)
		TAILQ_INSERT_TAIL(&b->engine->flow.full, b, full_links);
	else
		TAILQ_REMOVE(&b->engine->flow.full, b, full_links);
}

void flow_set_enough(struct pt_block *b, bool enough)
{
	if (!becomes(b, &b->enough, enough))
		return;
	if (enough)
		TAILQ_INSERT_TAIL(&b->engine->flow.enough, b, enough_links);
	else
		TAILQ_REMOVE(&b->engine->flow.enough, b, enough_links);
}

/* What a search has still to look at. */
static void add_to_do(struct flow *f, struct pt_block *b)
{
	b->next_to_do = f->to_do;
	f->to_do = b;
}

static struct pt_block *next_to_do(struct flow *f)
{
	struct pt_block *b = f->to_do;
	f->to_do = b ? b->next_to_do : NULL;
	return b;
}

/* ---- coming and going ---- */

void flow_enter(struct pt_block *b)
{
	struct flow *f = &b->engine->flow;
	b->listed = true;
	if (b->full)
		TAILQ_INSERT_TAIL(&f->full, b, full_links);
	if (b->enough)
		TAILQ_INSERT_TAIL(&f->enough, b, enough_links);
	if (block_is_source(b))
		b->total = &f->messages;
	f->messages += b->total ? b->count.out : 0;
	f->stale = true;
	flow_note(b);
}

void flow_leave(struct pt_block *b)
{
	struct flow *f = &b->engine->flow;
	flow_set_full(b, false);
	flow_set_enough(b, false);
	if (b->held)
		TAILQ_REMOVE(&f->held, b, held_links);
	b->held = 0;
	note_ending(f, b, false);
	timers_stop(&f->changing, &b->change);
	timers_stop(&f->turns, &b->turn);
	f->messages -= b->total ? b->count.out : 0;
	b->total = NULL;
	count(f, b->standing, 0);
	b->listed = false;
	f->stale = f->ends_stale = true;
}

void flow_move(struct pt_block *b, uint32_t place)
{
	struct flow *f = &b->engine->flow;
	b->place = place;
	if (b->turn.place)
		timers_set(&f->turns, &b->turn, next_turn(f, b));
}

void flow_init(struct flow *f)
{
	TAILQ_INIT(&f->full);
	TAILQ_INIT(&f->held);
	TAILQ_INIT(&f->ending);
	TAILQ_INIT(&f->enough);
}

void flow_fini(struct flow *f)
{
	timers_fini(&f->turns);
	timers_fini(&f->changing);
}

/* ---- turns ---- */

bool flow_has_work(const struct pt_engine *e)
{
	return e->flow.turns.count;
}

/* One vector; its size follows what the messages cost, so that nobody else waits for long. */
static uint64_t produce(struct pt_block *b, uint64_t before)
{
	engine_runs(b->engine, b);
	b->type->produce(b, b->batch);
	uint64_t now = pt_now(b), took = now - before;
	if (took > SLOW_NS && b->batch > 1)
		b->batch /= 2;
	else if (took < QUICK_NS && b->batch < VECTOR_MAX)
		b->batch *= 2;
	return now;
}

static struct pt_block *whose_turn(struct flow *f)
{
	const struct pt_timer *turn = timers_due(&f->turns, UINT32_MAX);
	return turn ? turn->block : NULL;
}

/* What is left was for the next round, and is in the same order in it. */
static void end_round(struct flow *f)
{
	f->at = 0;
	for (size_t i = 1; i <= f->turns.count; i++)
		f->turns.heap[i]->due_ns = f->turns.heap[i]->block->place;
}

void flow_work(struct pt_engine *e)
{
	struct flow *f = &e->flow;
	uint64_t each_ns = TURN_NS / (f->turns.count ? f->turns.count : 1);
	for (struct pt_block *b; (b = whose_turn(f));) {
		uint64_t now = engine_now(e), end = now + each_ns;
		f->at = b->place;
		while (may_run(b) && now < end) {
			now = produce(b, now);
			if (f->stale)
				flow_update(e);
			if (e->fake_now_ns || e->resume.careful)
				break;
		}
		flow_note(b);
	}
	end_round(f);
}

/* Also where every sink that something leads to has failed, and will not be tried again; a source
   may be a sink, too, as a pipe is. */
bool flow_is_exhausted(const struct pt_engine *e)
{
	const unsigned *counts = e->flow.counts;
	bool nobody_takes = counts[FLOW_TAKING] && counts[FLOW_LOST] == counts[FLOW_TAKING];
	return nobody_takes || !counts[FLOW_UNDONE];
}

/* ---- to whom no more will come ---- */

enum coming { COMES, MAY_COME, NO_MORE };

/* What a drain still has goes on by itself, or when somebody triggers it. */
static enum coming from_block(const struct pt_block *b)
{
	if (block_is_source(b))
		return !b->started || !b->exhausted ? COMES : b->busy ? MAY_COME : NO_MORE;
	return b->ready || b->count.held ? MAY_COME : NO_MORE;
}

/* What comes into a source does not go on in it. */
static bool passes_on(const struct pt_block *b)
{
	return !block_is_source(b) || b->type->elsewhere;
}

/* Back over links of any kind. */
static enum coming find_coming(struct flow *f, const struct pt_block *b)
{
	enum coming coming = NO_MORE;
	bool sources = false;
	f->looks++;
	for (; b && coming != COMES; b = next_to_do(f)) {
		for (unsigned i = 0; b->entries && i < b->entries->count; i++) {
			struct pt_block *from = b->entries->links[i]->from;
			if (from->looked_at == f->looks)
				continue;
			from->looked_at = f->looks;
			enum coming one = from_block(from);
			coming = one < coming ? one : coming;
			sources |= block_is_source(from);
			if (passes_on(from))
				add_to_do(f, from);
		}
	}
	f->to_do = NULL;
	return sources ? coming : COMES;
}

void flow_end(struct pt_engine *e)
{
	struct flow *f = &e->flow;
	bool told = false;
	f->ends_stale = false;
	for (struct pt_block *b = TAILQ_FIRST(&f->ending), *next; b; b = next) {
		next = TAILQ_NEXT(b, ending_links);
		enum coming coming = find_coming(f, b);
		f->ends_stale |= coming == MAY_COME;
		if (coming != NO_MORE)
			continue;
		b->told_no_more = told = true;
		flow_note(b);
		if (b->type->no_more)
			b->type->no_more(b);
	}
	if (told) /* what follows from it, for those looked at before as well: another turn */
		mailbox_wake(&e->mailbox);
}

/* ---- who is to be told of it ---- */

static void note_change(struct flow *f, struct pt_block *b)
{
	b->change.block = b;
	if (!b->change.place)
		timers_set(&f->changing, &b->change, b->place);
}

/* ---- of whom no more is wanted ---- */

/* A trigger may make a block begin anew. */
static bool is_wanted(const struct flow *f, const struct pt_block *b)
{
	for (unsigned exit = 0; exit < 3; exit++) {
		const struct wires *wires = b->exits[exit];
		if (wires && exit == PT_TRIGGER)
			return true;
		for (unsigned i = 0; wires && i < wires->count; i++)
			if (wires->links[i]->to->looked_at != f->looks)
				return true;
	}
	return false;
}

/* It is told behind the search, for it may send then, and this may come again. */
static void note_unwanted(struct flow *f, struct pt_block *b)
{
	b->unwanted = UNWANTED;
	note_change(f, b);
}

/* One that is no sink, too, is closed. */
static void end_unwanted(struct pt_block *b)
{
	b->unwanted = BEING_CLOSED;
	if (b->started && !b->exhausted) {
		if (b->type->finish && !b->entries)
			b->type->finish(b);
		pt_exhausted(b);
	}
	b->unwanted = WANTED;
}

static void look_before(struct flow *f, const struct pt_block *b)
{
	for (unsigned i = 0; b->entries && i < b->entries->count; i++) {
		struct pt_block *from = b->entries->links[i]->from;
		if (from->looked_at == f->looks || is_wanted(f, from))
			continue;
		from->looked_at = f->looks;
		if (passes_on(from))
			add_to_do(f, from);
		if (block_is_source(from) && from->started && !from->exhausted &&
		    from->unwanted == WANTED)
			note_unwanted(f, from);
	}
}

static void find_unwanted(struct flow *f)
{
	struct pt_block *b;
	f->looks++;
	TAILQ_FOREACH (b, &f->enough, enough_links) {
		b->looked_at = f->looks;
		add_to_do(f, b);
	}
	while ((b = next_to_do(f)))
		look_before(f, b);
}

/* ---- who is held back ---- */

enum { DATA_EXITS = 1 << PT_LOW | 1 << PT_HIGH };

/* An exit is held when something that leaves by it comes to a full block at once: through the
   routes of the blocks between, each exit for itself, and also by way of a trigger. */
static void hold(struct flow *f, const struct link *l)
{
	struct pt_block *b = l->from;
	unsigned exit = 1u << l->canal;
	if (b->held & exit)
		return;
	if (!b->held)
		TAILQ_INSERT_TAIL(&f->held, b, held_links);
	b->held |= exit;
	if (!b->held_to_do)
		add_to_do(f, b);
	b->held_to_do |= exit;
}

static void hold_before(struct flow *f, const struct pt_block *b, unsigned exits)
{
	for (unsigned i = 0; b->entries && i < b->entries->count; i++) {
		const struct link *l = b->entries->links[i];
		if (b->type->routes >> l->canal * 3 & exits)
			hold(f, l);
	}
}

static void find_held(struct flow *f)
{
	struct pt_block *b;
	TAILQ_FOREACH (b, &f->full, full_links)
		for (unsigned i = 0; b->entries && i < b->entries->count; i++)
			if (b->entries->links[i]->canal != PT_TRIGGER)
				hold(f, b->entries->links[i]);
	while ((b = next_to_do(f))) {
		unsigned exits = b->held_to_do;
		b->held_to_do = 0;
		hold_before(f, b, exits);
	}
}

/* What a block makes by itself leaves as data; its own triggers are no reason to wait. */
static bool is_held(const struct pt_block *b)
{
	return b->held & DATA_EXITS;
}

/* ---- by whom ---- */

/* Forward, the way that `hold` has come back. An exit that has been gone through is marked in
   held_to_do, and the block stands in a list of its own. */
struct obstacles {
	struct pt_block *seen;
	uint64_t look;
	void (*found)(void *, const struct pt_block *);
	void *arg;
};

static void leave_by(struct obstacles *o, struct pt_block *b, unsigned exits)
{
	exits &= b->held & ~b->held_to_do;
	if (!exits)
		return;
	if (!b->held_to_do) {
		b->next_to_do = o->seen;
		o->seen = b;
	}
	b->held_to_do |= exits;
	for (unsigned exit = 0; exit <= PT_TRIGGER; exit++)
		for (unsigned i = 0; exits >> exit & 1 && i < b->exits[exit]->count; i++) {
			const struct link *l = b->exits[exit]->links[i];
			struct pt_block *to = l->to;
			enum pt_canal canal = l->canal;
			if (to->full && canal != PT_TRIGGER && to->looked_at != o->look) {
				to->looked_at = o->look;
				o->found(o->arg, to);
			}
			leave_by(o, to, to->type->routes >> canal * 3 & 7);
		}
}

void flow_each_obstacle(struct pt_block *source, void (*found)(void *, const struct pt_block *),
                        void *arg)
{
	struct flow *f = &source->engine->flow;
	if (f->stale)
		flow_update(source->engine);
	if (!source->paused || source->exhausted)
		return;
	struct obstacles o = {.look = ++f->looks, .found = found, .arg = arg};
	leave_by(&o, source, DATA_EXITS);
	for (struct pt_block *b; (b = o.seen);) {
		o.seen = b->next_to_do;
		b->held_to_do = 0;
	}
}

/* Whoever is told may send, and so all this may come again before it is over. */
static void tell_changing(struct flow *f)
{
	for (const struct pt_timer *t; (t = timers_due(&f->changing, UINT64_MAX - 1));) {
		struct pt_block *b = t->block;
		if (b->unwanted == UNWANTED)
			end_unwanted(b);
		if (b->paused == is_held(b) || !b->started)
			continue;
		b->paused = !b->paused;
		flow_note(b);
		if (b->type->pause)
			b->type->pause(b, b->paused);
	}
}

void flow_update(struct pt_engine *e)
{
	struct flow *f = &e->flow;
	f->stale = false;
	for (struct pt_block *b; (b = TAILQ_FIRST(&f->held));) {
		TAILQ_REMOVE(&f->held, b, held_links);
		b->held = 0;
		if (b->paused)
			note_change(f, b);
	}
	if (!TAILQ_EMPTY(&f->enough))
		find_unwanted(f);
	find_held(f);
	struct pt_block *b;
	TAILQ_FOREACH (b, &f->held, held_links)
		if (is_held(b) && !b->paused)
			note_change(f, b);
	tell_changing(f);
}
