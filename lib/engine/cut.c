/* SPDX-License-Identifier: BSD-2-Clause */
/* A cut is begun, settles, and is committed. */
#include "engine/cut.h"

#include "base/moment.h"
#include "engine/carry.h"
#include "engine/counts.h"
#include "engine/engine.h"
#include "engine/request.h"

#define EVERY_NS 100000000u         /* where something flows */
#define AGAIN_NS 1000000u           /* where it could not be committed yet */
#define HOLD_NS  1000000000u        /* so long sources wait for the first one */
#define SOON_NS  10000000u          /* after what blocks say themselves */
#define SHARE    10                 /* of the engine's time, that it takes to tell */
#define MOST     (8 * 1024 * 1024u) /* bytes that queues let go of in between */

void cut_init(struct cuts *c)
{
	TAILQ_INIT(&c->settling);
	TAILQ_INIT(&c->told);
	TAILQ_INIT(&c->asked);
	TAILQ_INIT(&c->answers);
}

/* ---- when ---- */

/* However much blocks carry, it is not told more often than takes a tenth of the engine's time. */
static void be_due(struct pt_engine *e, uint64_t after_ns)
{
	struct cuts *c = &e->cuts;
	uint64_t rest_ns = after_ns ? c->took_ns * SHARE : 0;
	uint64_t due_ns = c->begun_ns + (after_ns > rest_ns ? after_ns : rest_ns);
	if (c->armed && (!c->timer.place || c->timer.due_ns <= due_ns))
		return;
	c->armed = true;
	timers_set(&e->timers, &c->timer, due_ns);
}

static void be_due_now(struct pt_engine *e)
{
	e->cuts.armed = true;
	timers_stop(&e->timers, &e->cuts.timer);
}

static void note_changed(struct pt_block *b, uint64_t after_ns)
{
	struct pt_engine *e = b->engine;
	if (!b->carry_stale)
		TAILQ_INSERT_TAIL(&e->carry_stale, b, carry_links);
	b->carry_stale = true;
	if (e->cuts.on)
		be_due(e, after_ns);
}

/* Who has something to tell in one after the other, as of each vector, is in no hurry. */
void pt_carry_changed(struct pt_block *b)
{
	uint64_t next = b->engine->cuts.number + 1;
	bool again = b->changed_in && b->changed_in + 1 >= next;
	if (b->changed_in != next)
		b->hurries = !again;
	if (b->engine->cuts.on)
		b->changed_in = next;
	note_changed(b, b->hurries ? SOON_NS : EVERY_NS);
}

void pt_came_on(struct pt_block *b)
{
	if (b->engine->cuts.on && !b->carry_stale)
		note_changed(b, b->engine->resume.careful ? 0 : EVERY_NS);
}

void pt_brims(struct pt_block *b)
{
	note_changed(b, 0);
}

void cut_passed(struct pt_engine *e, size_t bytes)
{
	struct cuts *c = &e->cuts;
	if (c->on && (c->passed += bytes) > MOST)
		be_due_now(e);
}

/* ---- who ---- */

void cut_exact(struct pt_block *b, bool exact)
{
	if (b->exact != exact)
		b->engine->cuts.exact += exact ? 1 : -1u;
	b->exact = exact;
	if (!exact && b->keeps) {
		b->engine->cuts.keeps--;
		b->keeps = false;
	}
}

void pt_keeps(struct pt_block *b)
{
	if (!b->exact || b->keeps)
		return;
	b->engine->cuts.keeps++;
	b->keeps = true;
}

bool pt_may_wait(const struct pt_block *b)
{
	const struct cuts *c = &b->engine->cuts;
	if (c->final)
		return c->may_wait;
	return c->exact && c->exact == c->keeps && TAILQ_EMPTY(&c->asked) &&
	       TAILQ_EMPTY(&c->answers);
}

void pt_unsettled(struct pt_block *b)
{
	b->engine->cuts.unsettled |= pt_may_wait(b);
}

bool pt_is_stored(const struct pt_block *b)
{
	return b->engine->hooks.carry;
}

bool pt_exact(struct pt_block *b)
{
	cut_exact(b, pt_is_stored(b));
	return b->exact;
}

static void leave_lists(struct pt_block *b)
{
	struct cuts *c = &b->engine->cuts;
	if (b->cutting)
		TAILQ_REMOVE(b->cutting == CUT_SETTLING ? &c->settling : &c->told, b, cut_links);
	b->cutting = CUT_NONE;
}

static void enter(struct pt_block *b, enum cutting which)
{
	struct cuts *c = &b->engine->cuts;
	leave_lists(b);
	TAILQ_INSERT_TAIL(which == CUT_SETTLING ? &c->settling : &c->told, b, cut_links);
	b->cutting = which;
}

void cut_forget(struct pt_block *b)
{
	leave_lists(b);
}

static bool takes_part(const struct pt_block *b)
{
	return (b->started || !b->type->open) && !b->away;
}

/* ---- who waits for the first one ---- */

bool cut_holds(const struct pt_engine *e)
{
	return e->cuts.holds || (e->cuts.pending && e->resume.careful);
}

/* ---- a cut ---- */

static void tell(struct pt_block *b)
{
	leave_lists(b);
	if (!takes_part(b))
		return;
	carry_tell(b);
	if (b->type->committed)
		enter(b, CUT_TOLD);
}

static void answer_all(struct request_list *list)
{
	for (struct pt_request *r; (r = TAILQ_FIRST(list));) {
		TAILQ_REMOVE(list, r, entry);
		request_answer(r, 0, r->result, NULL);
	}
}

static bool is_committed(struct pt_engine *e, bool must)
{
	return !e->hooks.commit || e->hooks.commit(e->hooks.arg, e->cuts.number, must);
}

static void commit(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	if (!is_committed(e, false)) {
		timers_set(&e->timers, &c->again, engine_now(e) + AGAIN_NS);
		return;
	}
	c->committed_ns = moment_now();
	c->pending = false;
	resume_committed(e);
	c->holds = false;
	c->committed = c->number;
	for (struct pt_block *b; (b = TAILQ_FIRST(&c->told));) {
		leave_lists(b);
		if (b->started)
			b->type->committed(b);
	}
	answer_all(&c->answers);
}

static void look(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	for (struct pt_block *b = TAILQ_FIRST(&c->settling), *next; b; b = next) {
		next = TAILQ_NEXT(b, cut_links);
		if (!takes_part(b) || b->type->settle(b, false))
			tell(b);
	}
	if (TAILQ_EMPTY(&c->settling))
		commit(e);
}

static void note_place(struct pt_block *b)
{
	struct cut_at *at = &b->cut_at;
	if (at->cut <= b->engine->cuts.committed)
		at->before = at->now;
	at->cut = b->engine->cuts.number;
	at->now = b->count.sent[PT_LOW] + b->count.sent[PT_HIGH];
}

static void begin(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	c->number++;
	c->pending = true;
	c->armed = false;
	timers_stop(&e->timers, &c->timer);
	c->begun_ns = engine_now(e);
	c->passed = 0;
	TAILQ_CONCAT(&c->answers, &c->asked, entry);
	resume_cut_begins(e);
	counts_tell(e);
	for (struct pt_block *b; (b = TAILQ_FIRST(&e->carry_stale));) {
		carry_no_longer_stale(b);
		note_place(b);
		if (takes_part(b) && b->started && b->type->settle && !b->type->settle(b, true))
			enter(b, CUT_SETTLING);
		else
			tell(b);
	}
	c->took_ns = engine_now(e) - c->begun_ns;
	look(e);
}

bool pt_has_checkpoints(const struct pt_block *b)
{
	return b->engine->cuts.on;
}

bool pt_settled(struct pt_block *b, bool begin)
{
	const struct graph *g = b->engine->graph;
	bool settled = true;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *at = g->blocks[i]->alive;
		if (at->started && !at->away && at->type->settle)
			settled &= at->type->settle(at, begin);
	}
	return settled;
}

/* What was noted for it is noted again in the next one. */
static void give_up(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	struct blocks *lists[] = {&c->settling, &c->told};
	for (unsigned i = 0; i < 2; i++)
		for (struct pt_block *b; (b = TAILQ_FIRST(lists[i]));) {
			leave_lists(b);
			note_changed(b, 0);
		}
	TAILQ_CONCAT(&c->answers, &c->asked, entry);
	TAILQ_CONCAT(&c->asked, &c->answers, entry);
	c->pending = false;
}

void cut_resume(struct pt_engine *e, uint64_t cut)
{
	e->cuts.number = e->cuts.committed = cut;
}

/* ---- on and off ---- */

/* All that is told from now on is told otherwise. */
static void turn(struct pt_engine *e, bool on)
{
	struct cuts *c = &e->cuts;
	if (c->on)
		give_up(e);
	answer_all(&c->asked);
	c->on = on;
	c->armed = false;
	timers_stop(&e->timers, &c->timer);
	timers_stop(&e->timers, &c->again);
	for (unsigned i = 0; i < e->graph->count; i++)
		if (carry_is_of(e->graph->blocks[i]->alive->type))
			note_changed(e->graph->blocks[i]->alive, 0);
	if (!on) {
		counts_forget(e);
		c->holds = false;
		return;
	}
	c->holds = true;
	be_due_now(e);
	timers_set(&e->timers, &c->again, engine_now(e) + HOLD_NS);
	c->holds_until_ns = c->again.due_ns;
}

void cut_end(struct pt_engine *e)
{
	if (e->cuts.on)
		turn(e, false);
}

void cut_last(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	if (!c->on)
		return;
	give_up(e);
	answer_all(&c->asked);
	c->number++;
	c->may_wait = c->exact == c->keeps;
	c->unsettled = false;
	c->final = true;
}

void cut_tell_last(struct pt_engine *e)
{
	if (e->cuts.final)
		counts_tell(e);
}

void cut_commit_last(struct pt_engine *e)
{
	if (e->cuts.final && !e->cuts.unsettled)
		is_committed(e, true);
	e->cuts.final = e->cuts.on = false;
}

void cut_turn(struct pt_engine *e)
{
	if (e->cuts.on != (e->cuts.exact > 0))
		turn(e, !e->cuts.on);
}

void cut_now(struct pt_engine *e)
{
	cut_turn(e);
	if (e->cuts.on) {
		give_up(e);
		begin(e);
	} else {
		carry_tell_stale(e);
	}
}

void cut_settle(struct pt_engine *e)
{
	struct cuts *c = &e->cuts;
	if (e->ending || c->final)
		return;
	cut_turn(e);
	if (!c->on)
		carry_tell_stale(e);
	if (c->pending)
		look(e);
	if (c->holds && engine_now(e) >= c->holds_until_ns)
		c->holds = false;
	if (c->on && !c->pending && c->armed && !c->timer.place)
		begin(e);
}

void cut_answer(struct pt_request *r, json_t *result)
{
	struct pt_engine *e = r->engine;
	if (!e->cuts.on || e->ending) {
		request_answer(r, 0, result, NULL);
		return;
	}
	timers_stop(&e->timers, &r->deadline);
	r->result = result;
	TAILQ_INSERT_TAIL(&e->cuts.asked, r, entry);
	be_due_now(e);
}

/* ---- what is shown ---- */

static const char *why_none(const struct pt_block *b)
{
	if (!b->started)
		return "it does not run";
	if (!b->engine->hooks.carry)
		return "nothing of the engine is stored for the next daemon: it is not kept, or "
		       "there is no descriptor store";
	if (!b->exact)
		return "it cannot go back to where a checkpoint was";
	return "there is none yet";
}

void cut_show(const struct pt_block *b, json_t *row)
{
	const struct cuts *c = &b->engine->cuts;
	const struct cut_at *at = &b->cut_at;
	char time[MOMENT_MAX];
	if (!c->on || !b->exact || !at->cut || !c->committed_ns) {
		json_object_set_new(row, "checkpoint", json_null());
		json_object_set_new(row, "why", json_string(why_none(b)));
		return;
	}
	moment_print(c->committed_ns, time);
	json_object_set_new(
		row, "checkpoint",
		json_pack("{s:s, s:I}", "time", time, "at",
	                  (json_int_t)(at->cut <= c->committed ? at->now : at->before)));
}
