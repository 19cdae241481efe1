/* SPDX-License-Identifier: BSD-2-Clause */
/* What <pipetool/block.h> lets a block call. */
#include "engine/block.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/deliver.h"
#include "engine/engine.h"
#include "engine/trace.h"
#include "msg/pool.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#define STOP_PATIENCE_NS UINT64_C(2000000000)
#define AWAIT_MS         50
#define AWAIT_NS         (AWAIT_MS * UINT64_C(1000000))

bool pt_comes_back(const struct pt_block *b)
{
	return b->engine->comes_back || b->comes_back;
}

void *pt_state(const struct pt_block *b)
{
	return b->state;
}

const char *pt_name(const struct pt_block *b)
{
	return b->name;
}

const char *pt_engine_of(const struct pt_block *b)
{
	return b->engine->name;
}

const char *pt_place_of(const struct pt_block *b)
{
	return b->engine->hooks.place ? b->engine->hooks.place : "";
}

const struct pt_type *pt_type_of(const struct pt_block *b)
{
	return b->type;
}

const struct func_limits *func_limits_of(const struct pt_block *b)
{
	return &b->engine->script_limits;
}

struct pt_pool *pt_pool(struct pt_block *b)
{
	return b->engine->pool;
}

void pt_made(struct pt_block *b, unsigned count)
{
	engine_runs(b->engine, b);
	b->count.made += count;
	if (b->engine->traces)
		trace_made(b, count);
}

void pt_drop(struct pt_block *b, struct pt_msg *m, const char *why)
{
	if (b->engine->traces)
		trace_gone(b, m, why, false);
	engine_let_go(b, m);
	block_count_drop(b, why, 1);
	pt_msg_unref(m);
}

void pt_filter_out(struct pt_block *b, struct pt_msg *m, const char *why)
{
	if (b->engine->traces)
		trace_gone(b, m, why, true);
	engine_let_go(b, m);
	block_count_gone(b, why, 1, true);
	pt_msg_unref(m);
}

void pt_done(struct pt_block *b, struct pt_msg *m)
{
	pt_done_many(b, &m, 1);
}

void pt_lost(struct pt_block *b, uint64_t count, const char *why)
{
	b->count.made += count;
	block_count_drop(b, why, count);
}

static void send_new(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	if (!m) {
		pt_lost(b, 1, "memory");
		return;
	}
	pt_made(b, 1);
	pt_send(b, canal, m);
}

void pt_send_bytes(struct pt_block *b, enum pt_canal canal, const void *data, size_t length)
{
	send_new(b, canal, pt_msg_new(pt_pool(b), data, length));
}

void pt_send_given(struct pt_block *b, enum pt_canal canal, const struct pt_given *given)
{
	send_new(b, canal, pt_msg_given(pt_pool(b), given));
}

void pt_undone(struct pt_block *b, uint64_t count, const char *why)
{
	atomic_store(&b->undone_why, why);
	atomic_fetch_add(&b->undone, count);
}

void pt_done_many(struct pt_block *b, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; b->engine->traces && i < count; i++)
		trace_done(b, messages[i]);
	engine_let_go_many(b, messages, count);
	block_count_out(b, count);
	msg_unref_many(messages, count);
}

struct pt_msg *pt_hold(struct pt_block *b, struct pt_msg *m)
{
	if (m->flags & MSG_HELD)
		return m;
	const struct pt_msg was = {.flags = m->flags};
	m = msg_settle(m);
	if (!m) {
		if (b->engine->traces)
			trace_gone(b, &was, "memory", false);
		block_count_drop(b, "memory", 1);
		return NULL;
	}
	if (b->engine->traces)
		trace_hold(b, m);
	m->flags |= MSG_HELD;
	engine_held(b, b->count.held + 1);
	return m;
}

void pt_held_packed(struct pt_block *b, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; b->engine->traces && i < count; i++)
		trace_packed(b, messages[i]);
	engine_let_go_many(b, messages, count);
	engine_held(b, b->count.held + count);
	msg_unref_many(messages, count);
}

void pt_held_found(struct pt_block *b, uint64_t count)
{
	b->count.made += count;
	engine_held(b, b->count.held + count);
}

void pt_held_done(struct pt_block *b, uint64_t count)
{
	block_count_out(b, count);
	engine_held(b, b->count.held - count);
}

void pt_held_drop(struct pt_block *b, uint64_t count, const char *why)
{
	block_count_drop(b, why, count);
	engine_held(b, b->count.held - count);
}

static void drop_for(struct pt_block *b, struct pt_msg *m, int rc, struct pt_error *err)
{
	if (rc < 0)
		pt_report(b, rc, "%s", pt_error_text(err, error_words(rc)));
	pt_drop(b, m, rc < 0 ? "error" : rc == FUNC_OPAQUE ? "opaque" : "filtered");
	pt_error_clear(err);
}

unsigned pt_transform_many(struct pt_block *b, struct pt_func *f, struct pt_msg **messages,
                           unsigned count)
{
	struct pt_error err = PT_ERROR_INIT;
	unsigned left = 0;
	for (unsigned at = 0, last; at < count; at = last + 1) {
		int rc;
		last = at + func_transform_many(f, messages + at, count - at, &rc, &err) - 1;
		for (; at < last; at++)
			messages[left++] = messages[at];
		if (rc)
			drop_for(b, messages[last], rc, &err);
		else
			messages[left++] = messages[last];
	}
	return left;
}

struct pt_msg *pt_transform(struct pt_block *b, struct pt_func *f, struct pt_msg *m)
{
	return pt_transform_many(b, f, &m, 1) ? m : NULL;
}

int pt_test(struct pt_block *b, struct pt_func *f, const struct pt_msg *m)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_test(f, m, &err);
	if (rc < 0)
		pt_report(b, rc, "%s", pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	return rc;
}

static void filter_out_many(struct pt_block *b, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; b->engine->traces && i < count; i++)
		trace_gone(b, messages[i], "filtered", true);
	engine_let_go_many(b, messages, count);
	block_count_drop(b, "filtered", count);
	msg_unref_many(messages, count);
}

unsigned pt_sift(struct pt_block *b, struct pt_func *f, struct pt_msg **messages, unsigned count)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pt_msg *others[VECTOR_MAX];
	unsigned left = 0, out = 0;
	for (unsigned at = 0; at < count; at++) {
		uint64_t passed;
		int rc;
		unsigned end =
			at + func_test_many(f, messages + at, count - at, &passed, &rc, &err);
		if (passed == UINT64_MAX >> (VECTOR_MAX - count))
			return count;
		for (; at < end; at++, passed >>= 1)
			if (passed & 1)
				messages[left++] = messages[at];
			else
				others[out++] = messages[at];
		if (end < count)
			drop_for(b, messages[end], rc, &err);
	}
	filter_out_many(b, others, out);
	return left;
}

void pt_ready(struct pt_block *b, bool ready)
{
	b->ready = ready;
	flow_note(b);
}

void pt_goes_later(struct pt_block *b, bool later)
{
	b->later = later;
	flow_note(b);
}

void pt_exhausted(struct pt_block *b)
{
	b->exhausted = true;
	b->ready = false;
	flow_note(b);
	block_tell_state(b);
}

bool pt_in_turn(const struct pt_block *b)
{
	return b->in_turn;
}

void pt_busy(struct pt_block *b, bool busy)
{
	if (b->busy == busy)
		return;
	b->busy = busy;
	flow_note(b);
}

/* The daemon's watchdog is told that the thread is alive; an engine that is to stop has so long. */
bool pt_await(struct pt_block *b, struct pollfd *fds, unsigned count, uint64_t until_ns)
{
	struct pt_engine *e = b->engine;
	for (;;) {
		uint64_t asked = atomic_load(&e->stop_asked_ns), now = clock_ns();
		engine_beat(e);
		if (now >= until_ns || (asked && now > asked + STOP_PATIENCE_NS))
			return false;
		uint64_t left = until_ns - now;
		int rc = poll(fds, count, left < AWAIT_NS ? (int)(left / 1000000) + 1 : AWAIT_MS);
		if (rc > 0 || (rc < 0 && errno != EINTR))
			return rc > 0;
	}
}

void pt_enough(struct pt_block *b, bool enough)
{
	flow_set_enough(b, enough);
}

void pt_full(struct pt_block *b, bool full)
{
	flow_set_full(b, full);
}

bool pt_held_back(struct pt_block *b)
{
	if (b->engine->flow.stale)
		flow_update(b->engine);
	return b->paused;
}

void pt_available(struct pt_block *b)
{
	if (!b->available)
		TAILQ_INSERT_TAIL(&b->engine->available, b, available_links);
	b->available = true;
}

void pt_print(struct pt_block *b, enum pt_canal canal, const char *text, size_t length)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	deliver_gathered(b);
	if (hooks->output)
		hooks->output(hooks->arg, b->name, canal, text, length);
}

uint64_t pt_now(const struct pt_block *b)
{
	return engine_now(b->engine);
}

static void remember_timer(struct pt_block *b, struct pt_timer *timer)
{
	for (unsigned i = 0; i < b->timer_count; i++)
		if (b->timers[i] == timer)
			return;
	b->timers = must_realloc(b->timers, b->timer_count + 1, sizeof(struct pt_timer *));
	b->timers[b->timer_count++] = timer;
}

void pt_timer_at(struct pt_block *b, struct pt_timer *timer, uint64_t due_ns,
                 void (*then)(struct pt_block *))
{
	remember_timer(b, timer);
	timer->then = then;
	timer->block = b;
	timers_set(&b->engine->timers, timer, due_ns);
}

void pt_timer_stop(struct pt_block *b, struct pt_timer *timer)
{
	timers_stop(&b->engine->timers, timer);
}

struct uv_loop_s *pt_loop(struct pt_block *b)
{
	return &b->engine->loop;
}

void pt_adopt(struct pt_block *b, struct uv_handle_s *handle)
{
	handle->data = b;
	b->handles = must_realloc(b->handles, b->handle_count + 1, sizeof(struct uv_handle_s *));
	b->handles[b->handle_count++] = handle;
}

void pt_wake(struct pt_block *b)
{
	struct pt_engine *e = b->engine;
	if (atomic_exchange(&b->woken, true))
		return;
	struct pt_block *first = atomic_load(&e->woken);
	do
		b->next_woken = first;
	while (!atomic_compare_exchange_weak(&e->woken, &first, b));
	mailbox_wake(&e->mailbox);
}
