/* SPDX-License-Identifier: BSD-2-Clause */
/* The data path. Nothing here locks or asks the system, nor allocates, but for room that is made
   once. */
#include "engine/deliver.h"

#include "base/memory.h"
#include "engine/engine.h"
#include "engine/tap.h"
#include "engine/trace.h"
#include "msg/pool.h"
#include <assert.h>
#include <string.h>

signed char deliver_passes(const struct pt_type *type, enum pt_canal entry)
{
	if (type->push || type->push_many)
		return -1;
	for (int exit = 0; exit <= PT_HIGH; exit++)
		if (type->routes & PT_ROUTE(entry, exit))
			return (signed char)exit;
	return -1;
}

static void link_count(struct link *link, unsigned count, uint64_t bytes)
{
	link->messages += count;
	link->bytes += bytes;
}

/* Every message over all links, before the next one. */
static void fan_out_split(const struct wires *wires, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		m->refs += wires->count - 1;
		for (unsigned l = 0; l < wires->count; l++) {
			struct link *link = wires->links[l];
			struct pt_msg *copy = m;
			link_count(link, 1, m->length);
			deliver(link->to, link->canal, &copy, 1, m->length);
		}
	}
}

static void fan_out(const struct wires *wires, struct pt_msg **messages, unsigned count,
                    uint64_t bytes)
{
	struct pt_msg *copy[VECTOR_MAX];
	unsigned last = wires->count - 1;
	msg_ref_many(messages, count, last);
	for (unsigned l = 0; l < last; l++) {
		struct link *link = wires->links[l];
		memcpy(copy, messages, count * sizeof *copy);
		link_count(link, count, bytes);
		deliver(link->to, link->canal, copy, count, bytes);
	}
	link_count(wires->links[last], count, bytes);
	deliver(wires->links[last]->to, wires->links[last]->canal, messages, count, bytes);
}

static void unlinked(struct pt_block *b, struct pt_msg **messages, unsigned count)
{
	block_count_drop(b, "unlinked", count);
	msg_unref_many(messages, count);
}

static void go_out(struct pt_block *b, enum pt_canal exit, struct pt_msg **messages, unsigned count,
                   uint64_t bytes)
{
	const struct wires *wires = b->exits[exit];
	if (b->taps)
		tap_see(b->taps, exit, messages, count);
	if (!wires) {
		unlinked(b, messages, count);
		return;
	}
	block_count_out(b, count);
	b->count.sent[exit] += count;
	if (wires->count == 1) {
		struct link *link = wires->links[0];
		link_count(link, count, bytes);
		deliver(link->to, link->canal, messages, count, bytes);
	} else if (wires->split && count > 1) {
		fan_out_split(wires, messages, count);
	} else {
		fan_out(wires, messages, count, bytes);
	}
	engine_runs(b->engine, b);
}

static bool goes_apart(struct pt_block *b, enum pt_canal exit, struct pt_msg *const *messages,
                       unsigned count)
{
	return count > 1 && ((b->single && b->exits[exit]) ||
	                     (b->engine->traces && trace_parts(b, messages, count)));
}

/* A vector leaves a block. */
static void leave(struct pt_block *b, enum pt_canal exit, struct pt_msg **messages, unsigned count,
                  uint64_t bytes)
{
	struct pt_engine *e = b->engine;
	if (goes_apart(b, exit, messages, count)) {
		for (unsigned i = 0; i < count; i++)
			leave(b, exit, &messages[i], 1, messages[i]->length);
	} else if (e->traces) {
		trace_leave(b, exit, messages, count);
		go_out(b, exit, messages, count, bytes);
		trace_back(e);
	} else {
		go_out(b, exit, messages, count, bytes);
	}
}

static void send_many(struct pt_block *, enum pt_canal, struct pt_msg **, unsigned count);

/* What act has returned until now. */
static void deliver_acted(struct pt_block *b)
{
	unsigned count = b->acted_count;
	if (!count)
		return;
	b->acted_count = 0;
	if (b->acted_exit < 0)
		pt_done_many(b, b->acted, count);
	else
		send_many(b, (enum pt_canal)b->acted_exit, b->acted, count);
}

void deliver_gathered(struct pt_block *b)
{
	deliver_acted(b);
	unsigned count = b->gathered_count;
	if (!count)
		return;
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += b->gathered[i]->length;
	b->gathered_count = 0;
	leave(b, b->gathered_canal, b->gathered, count, bytes);
}

/* What comes back meanwhile, by a trigger, has an array of its own. */
static void act_each(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                     unsigned count)
{
	struct pt_msg **before = b->acted;
	signed char exit_before = b->acted_exit;
	b->acted = messages;
	b->acted_exit = b->passes[canal];
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = b->type->act(b, canal, messages[i]);
		if (m)
			messages[b->acted_count++] = m;
	}
	deliver_acted(b);
	b->acted = before;
	b->acted_exit = exit_before;
}

static void push_each(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	b->gathering = count > 1;
	for (unsigned i = 0; i < count; i++)
		b->type->push(b, canal, messages[i]);
	b->gathering = false;
	deliver_gathered(b);
}

/* What comes on a way against the order in which blocks start and stop: a cycle. */
static void refuse(struct pt_block *b, struct pt_msg **messages, unsigned count)
{
	const char *why = b->failed ? "unsent" : "stopped";
	for (unsigned i = 0; b->engine->traces && i < count; i++)
		trace_gone(b, messages[i], why, false);
	block_count_drop(b, why, count);
	msg_unref_many(messages, count);
}

static void one_by_one(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                       unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		deliver(b, canal, &messages[i], 1, messages[i]->length);
}

static void come_in(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                    unsigned count)
{
	b->count.entered += count;
	if (b->entry_taps)
		tap_see(b->entry_taps, canal, messages, count);
}

/* What the type does with it; false: it only passes on. */
static bool handle(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                   unsigned count)
{
	if (!b->type->push_many && !b->type->push && !b->type->act) {
		if (b->passes[canal] >= 0)
			return false;
		pt_done_many(b, messages, count);
		return true;
	}
	engine_runs(b->engine, b);
	if (!b->started)
		refuse(b, messages, count);
	else if (b->type->push_many)
		b->type->push_many(b, canal, messages, count);
	else if (b->type->act)
		act_each(b, canal, messages, count);
	else
		push_each(b, canal, messages, count);
	return true;
}

static void deliver_traced(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                           unsigned count, uint64_t bytes)
{
	trace_arrive(b, canal, messages, count);
	come_in(b, canal, messages, count);
	if (!handle(b, canal, messages, count))
		leave(b, (enum pt_canal)b->passes[canal], messages, count, bytes);
	trace_back(b->engine);
}

void deliver(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages, unsigned count,
             uint64_t bytes)
{
	engine_beat(b->engine);
	/* Blocks that only pass on, one link each, are a loop and not a recursion. */
	for (;;) {
		if (b->single && count > 1) {
			one_by_one(b, canal, messages, count);
			return;
		}
		if (b->engine->traces) {
			deliver_traced(b, canal, messages, count, bytes);
			return;
		}
		come_in(b, canal, messages, count);
		if (handle(b, canal, messages, count))
			return;
		enum pt_canal exit = (enum pt_canal)b->passes[canal];
		const struct wires *wires = b->exits[exit];
		if (!wires || wires->count > 1) {
			leave(b, exit, messages, count, bytes);
			return;
		}
		if (b->taps)
			tap_see(b->taps, exit, messages, count);
		block_count_out(b, count);
		b->count.sent[exit] += count;
		link_count(wires->links[0], count, bytes);
		canal = wires->links[0]->canal;
		b = wires->links[0]->to;
	}
}

/* ---- what blocks call ---- */

void pt_send(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	engine_let_go(b, m);
	if (!b->gathering) {
		deliver_acted(b);
		leave(b, canal, &m, 1, m->length);
		return;
	}
	if (b->gathered_count == VECTOR_MAX || (b->gathered_count && b->gathered_canal != canal))
		deliver_gathered(b);
	b->gathered_canal = canal;
	if (!b->gathered)
		b->gathered = must_calloc(VECTOR_MAX, sizeof *b->gathered);
	b->gathered[b->gathered_count++] = m;
}

static void send_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	while (count) {
		unsigned n = count < VECTOR_MAX ? count : VECTOR_MAX;
		uint64_t bytes = 0;
		engine_let_go_many(b, messages, n);
		for (unsigned i = 0; i < n; i++)
			bytes += messages[i]->length;
		leave(b, canal, messages, n, bytes);
		messages += n;
		count -= n;
	}
}

void pt_send_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages, unsigned count)
{
	deliver_gathered(b);
	send_many(b, canal, messages, count);
}

static void trigger_over(const struct link *l)
{
	struct pt_engine *e = l->from->engine;
	if (e->traces)
		trace_trigger(l->from, l->to);
	deliver_trigger(l->to);
	if (e->traces)
		trace_back(e);
}

void pt_trigger(struct pt_block *b)
{
	deliver_gathered(b);
	const struct wires *wires = b->exits[PT_TRIGGER];
	b->count.sent[PT_TRIGGER]++;
	for (unsigned i = 0; wires && i < wires->count; i++) {
		wires->links[i]->messages++;
		trigger_over(wires->links[i]);
		engine_runs(b->engine, b);
	}
}

/* Depth alone is no bound: where two ways lead back, each round doubles what comes. */
static bool trigger_may_come(struct pt_block *b)
{
	struct pt_engine *e = b->engine;
	if (!e->trigger_nesting)
		e->triggers_back = 0;
	if (b->trigger_depth == TRIGGER_DEEP) {
		pt_report(b, -ELOOP, "a trigger came back more than %d deep and was dropped",
		          TRIGGER_DEEP);
		return false;
	}
	if (engine_stack_is_low(e)) {
		pt_report(b, -ELOOP, "a trigger came through too many blocks and was dropped");
		return false;
	}
	if (b->trigger_depth && e->triggers_back == TRIGGER_MOST) {
		pt_report(b, -ELOOP,
		          "one trigger came back more than %d times, and this one was dropped",
		          TRIGGER_MOST);
		return false;
	}
	e->triggers_back += b->trigger_depth > 0;
	return true;
}

void deliver_trigger(struct pt_block *b)
{
	engine_beat(b->engine);
	b->count.triggers++;
	if (!b->started || !trigger_may_come(b)) {
		b->count.triggers_too_deep++;
		if (b->engine->traces)
			trace_trigger_lost(b, b->started ? "too-deep" : "stopped");
		return;
	}
	b->trigger_depth++;
	b->engine->trigger_nesting++;
	engine_runs(b->engine, b);
	if (b->type->trigger)
		b->type->trigger(b);
	b->engine->trigger_nesting--;
	b->trigger_depth--;
}
