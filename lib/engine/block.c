/* SPDX-License-Identifier: BSD-2-Clause */
/* A block's life, and what <pipetool/block.h> lets it call. */
#include "engine/block.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/deliver.h"
#include "engine/engine.h"
#include "engine/carry.h"
#include "engine/trace.h"
#include "msg/pool.h"
#include "type/param.h"
#include "type/reason.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STOP_PATIENCE_NS UINT64_C(2000000000)
#define AWAIT_MS         50
#define AWAIT_NS         (AWAIT_MS * UINT64_C(1000000))

struct pt_block *block_new(struct pt_engine *e, const char *name, const struct pt_type *type,
                           json_t *params)
{
	struct pt_block *b = must_calloc(1, sizeof *b);
	b->engine = e;
	b->type = type;
	b->name = must_strdup(name);
	b->params = json_incref(params);
	b->state = must_calloc(1, type->size);
	b->batch = VECTOR_MAX;
	for (int canal = PT_LOW; canal <= PT_TRIGGER; canal++)
		b->passes[canal] = deliver_passes(type, (enum pt_canal)canal);
	return b;
}

bool pt_comes_back(const struct pt_block *b)
{
	return b->engine->comes_back || b->comes_back;
}

int block_init(struct pt_block *b, const struct param_env *env, struct pt_error *err)
{
	int rc = param_read(b->type->params, b->params, b->state, env, err);
	return rc || !b->type->init ? rc : b->type->init(b, err);
}

struct opening {
	const struct pt_block *block;
	struct pt_func *func;
};

static int open_for_function(void *arg, const char *path, struct pt_error *err)
{
	const struct opening *o = arg;
	const struct pt_file file = {(char *)(uintptr_t)path, func_handed(o->func)};
	return pt_open_file(o->block, NULL, &file, O_RDONLY | O_CLOEXEC, 0, err);
}

int block_open_functions(struct pt_block *b, void *state, struct pt_error *err)
{
	int rc = 0;
	for (const struct pt_param *row = b->type->params; row && row->name; row++) {
		if (row->kind != PT_KIND_TRANSFORM && row->kind != PT_KIND_PREDICATE)
			continue;
		struct pt_func *f = *(struct pt_func **)((uint8_t *)state + row->offset);
		struct opening opening = {b, f};
		const struct func_site site = {b->engine->secret, open_for_function, &opening};
		size_t before = err ? err->count : 0;
		int one = f ? func_open(f, &site, err) : 0;
		error_prefix(err, before, row->name);
		rc = rc ? rc : one;
	}
	return rc;
}

int block_open(struct pt_block *b, struct pt_error *err)
{
	b->opened = true;
	int rc = block_open_functions(b, b->state, err);
	if (!rc && b->type->open)
		rc = b->type->open(b, err);
	carry_close(b->carried);
	return rc;
}

int block_close(struct pt_block *b, struct pt_error *err)
{
	if (!b->opened)
		return 0;
	b->opened = false;
	return b->type->close ? b->type->close(b, err) : 0;
}

void block_free(struct pt_block *b, const struct param_env *env)
{
	if (!b)
		return;
	assert(!b->started && !b->opened && !b->handle_count && !b->listed);
	engine_forget(b);
	if (b->type->fini)
		b->type->fini(b);
	carry_clear(b);
	param_release(b->type->params, b->state, env);
	for (int canal = PT_LOW; canal <= PT_TRIGGER; canal++)
		free(b->exits[canal]);
	free(b->entries);
	json_decref(b->params);
	carry_free(b->carried);
	free(b->timers);
	free(b->gathered);
	free(b->handles);
	free(b->last_error);
	free(b->note);
	free(b->name);
	free(b->state);
	free(b);
}

bool block_is_source(const struct pt_block *b)
{
	return b->type->role == PT_SOURCE;
}

const char *block_state_word(const struct pt_block *b)
{
	if (b->failed)
		return "failed";
	if (!b->started)
		return "stopped";
	return b->exhausted ? "exhausted" : "running";
}

static void begin_functions(struct pt_block *b)
{
	for (const struct pt_param *row = b->type->params; row && row->name; row++)
		if (row->kind == PT_KIND_TRANSFORM || row->kind == PT_KIND_PREDICATE)
			func_begin(*(struct pt_func **)((char *)b->state + row->offset));
}

void block_start(struct pt_block *b)
{
	b->failed = b->exhausted = b->ready = b->later = b->paused = b->retry_due = false;
	b->busy = false;
	b->told_no_more = false;
	flow_set_full(b, false);
	flow_set_enough(b, false);
	free(b->note);
	b->note = NULL;
	b->batch = VECTOR_MAX;
	b->started = true;
	b->engine->flow.stale = true;
	flow_note(b);
	begin_functions(b);
	carry_start(b);
	if (b->type->start)
		b->type->start(b);
	b->goes_on = false;
	carry_tell_damage(b);
	carry_tell_unasked(b);
	carry_free(b->carried);
	b->carried = NULL;
	pt_carry_changed(b);
}

void block_reopen(struct pt_block *b)
{
	if (b->started && !b->away && b->type->reopen)
		b->type->reopen(b);
}

static void on_closed(uv_handle_t *handle)
{
	struct pt_block *b = handle->data;
	if (--b->handles_closing == 0 && b->handles_closed)
		b->handles_closed(b, b->handles_arg);
}

void block_stop(struct pt_block *b, void (*then)(struct pt_block *, void *arg), void *arg)
{
	if (b->started && b->type->stop)
		b->type->stop(b);
	b->started = b->ready = b->later = false;
	cut_exact(b, false);
	b->engine->flow.stale = true;
	flow_set_full(b, false);
	flow_note(b);
	for (unsigned i = 0; i < b->timer_count; i++)
		timers_stop(&b->engine->timers, b->timers[i]);
	b->timer_count = 0;
	b->handles_closed = then;
	b->handles_arg = arg;
	b->handles_closing = b->handle_count;
	for (unsigned i = 0; i < b->handle_count; i++)
		uv_close(b->handles[i], on_closed);
	bool none = b->handle_count == 0;
	b->handle_count = 0;
	if (none && then)
		then(b, arg);
}

void block_take_over(struct pt_block *fresh, struct pt_block *old,
                     void (*then)(struct pt_block *, void *arg), void *arg)
{
	bool told = old->type == fresh->type && fresh->type->take_over;
	size_t carried = carry_over(fresh, old);
	block_stop(old, then, arg);
	block_settle_counts(old);
	fresh->count = old->count;
	if (!told) {
		block_count_drop(fresh, "replaced", fresh->count.held - carried);
		fresh->count.held = carried;
	}
	free(fresh->last_error);
	fresh->last_error = old->last_error;
	old->last_error = NULL;
}

/* The last two places are for what has no place of its own. */
static struct gone *place_for(struct gone *places, const char *why, bool said)
{
	struct gone *l = places;
	for (; l < places + GONE_MAX - 2 && l->why; l++)
		if (l->said == said && !strcmp(l->why, why))
			return l;
	bool filtered = said || reason_is_filtered(why), crowded = l == places + GONE_MAX - 2;
	if (crowded)
		l += filtered;
	*l = (struct gone){crowded ? "other" : why, l->count, filtered, said};
	return l;
}

void block_count_gone(struct pt_block *b, const char *why, uint64_t count, bool said)
{
	if (count)
		place_for(b->count.gone, why, said)->count += count;
}

void block_count_drop(struct pt_block *b, const char *why, uint64_t count)
{
	block_count_gone(b, why, count, false);
}

uint64_t block_sum(const struct pt_block *b, bool filtered)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < GONE_MAX; i++)
		if (b->count.gone[i].filtered == filtered)
			sum += b->count.gone[i].count;
	return sum;
}

void block_settle_counts(struct pt_block *b)
{
	if (!atomic_load_explicit(&b->undone, memory_order_relaxed))
		return;
	uint64_t undone = atomic_exchange(&b->undone, 0);
	block_count_out(b, -undone);
	block_count_drop(b, atomic_load(&b->undone_why), undone);
}

/* ---- what blocks call ---- */

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
	for (unsigned i = 0; i < count; i++)
		engine_let_go(b, messages[i]);
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
	for (unsigned i = 0; i < count; i++)
		engine_let_go(b, messages[i]);
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

struct pt_msg *pt_transform(struct pt_block *b, struct pt_func *f, struct pt_msg *m)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = func_transform(f, &m, &err);
	if (rc == 0)
		return m;
	if (rc < 0)
		pt_report(b, rc, "%s", pt_error_text(&err, error_words(rc)));
	pt_drop(b, m, rc < 0 ? "error" : rc == FUNC_OPAQUE ? "opaque" : "filtered");
	pt_error_clear(&err);
	return NULL;
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
	for (unsigned i = 0; i < count; i++)
		engine_let_go(b, messages[i]);
	block_count_drop(b, "filtered", count);
	msg_unref_many(messages, count);
}

unsigned pt_sift(struct pt_block *b, struct pt_func *f, struct pt_msg **messages, unsigned count)
{
	struct pt_msg *others[VECTOR_MAX];
	unsigned left = 0, out = 0;
	uint64_t unsure, passed = func_test_many(f, messages, count, &unsure);
	if (passed == UINT64_MAX >> (VECTOR_MAX - count))
		return count;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		int passes = unsure >> i & 1 ? pt_test(b, f, m) : (int)(passed >> i & 1);
		if (passes > 0)
			messages[left++] = m;
		else if (passes < 0)
			pt_drop(b, m, "error");
		else
			others[out++] = m;
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
