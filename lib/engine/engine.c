/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread, its loop, and what follows from what has happened. */
#include "engine/engine.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/lent.h"
#include "base/thread.h"
#include "engine/change.h"
#include "engine/carry.h"
#include "engine/request.h"
#include "engine/revive.h"
#include "engine/sample.h"
#include "engine/tap.h"
#include "engine/trace.h"
#include "msg/pool.h"
#include "type/param.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Reserved, not used: deep graphs recurse, twice where a trigger comes at the end of one. */
#define STACK_LEAST    ((size_t)32 * 1024 * 1024)
#define STACK_BLOCK    ((size_t)8 * 1024)
#define STACK_OF_TESTS ((size_t)8 * 1024 * 1024)
#define DEFAULT_MEMORY (256u * 1024 * 1024)
#define DEFAULT_BLOCKS 4096

/* ---- time ---- */

uint64_t engine_now(const struct pt_engine *e)
{
	return e->fake_now_ns ? e->fake_now_ns : clock_ns();
}

static void arm(struct pt_engine *e)
{
	uint64_t next = timers_next(&e->timers);
	if (next == e->timer_armed_ns || e->fake_now_ns)
		return;
	e->timer_armed_ns = next;
	struct itimerspec when = {0};
	if (next != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(next / 1000000000);
		when.it_value.tv_nsec = (long)(next % 1000000000) + (next == 0);
	}
	int rc = timerfd_settime(e->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
	assert(rc == 0);
}

static void on_timer(uv_poll_t *poll, int status, int events)
{
	struct pt_engine *e = poll->data;
	uint64_t expirations;
	ssize_t got = read(e->timer_fd, &expirations, sizeof expirations);
	(void)got; /* EAGAIN: it was moved meanwhile */
	e->timer_armed_ns = UINT64_MAX;
}

static void run_timers(struct pt_engine *e)
{
	if (!e->timers.count)
		return;
	uint64_t now = engine_now(e);
	for (struct pt_timer *t; (t = timers_due(&e->timers, now));) {
		engine_runs(e, t->block);
		if (t->then)
			t->then(t->block);
	}
}

/* ---- what follows ---- */

/* Takes the list, which grows at its beginning, and goes through it as it came. */
static void run_woken(struct pt_engine *e)
{
	struct pt_block *woken = atomic_exchange(&e->woken, NULL), *first = NULL;
	for (struct pt_block *next; woken; woken = next) {
		next = woken->next_woken;
		woken->next_woken = first;
		first = woken;
	}
	for (struct pt_block *b = first, *next; b; b = next) {
		next = b->next_woken;
		atomic_store(&b->woken, false);
		engine_runs(e, b);
		if (b->started && b->type->woken)
			b->type->woken(b);
	}
}

void engine_forget(struct pt_block *b)
{
	if (atomic_load(&b->woken)) {
		run_woken(b->engine);
		engine_runs(b->engine,
		            NULL); /* it may be this one, which a sample would count into */
	}
	if (b->available)
		TAILQ_REMOVE(&b->engine->available, b, available_links);
	b->available = false;
	carry_no_longer_stale(b);
	cut_forget(b);
}

void engine_publish(struct pt_engine *e)
{
	const uint64_t now[] = {e->state,         e->revision,
	                        e->graph->count,  e->graph->link_count,
	                        e->flow.messages, e->flow.counts[FLOW_FAILED]};
	for (size_t i = 0; i < sizeof now / sizeof *now; i++)
		atomic_store_explicit(&e->glance[i], now[i], memory_order_relaxed);
}

static void close_handles(struct pt_engine *e)
{
	uv_handle_t *handles[] = {(uv_handle_t *)&e->settle, (uv_handle_t *)&e->work,
	                          (uv_handle_t *)&e->timer_poll};
	if (uv_is_closing(handles[0]))
		return;
	revive_forget(e);
	for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
		uv_close(handles[i], NULL);
	mailbox_close(&e->mailbox);
}

static void end(struct pt_engine *e);

/* It may still hold messages. */
static void suspend_stopped(struct pt_engine *e)
{
	e->suspending = false;
	for (unsigned i = 0; i < e->graph->count; i++)
		carry_tell_last(e->graph->blocks[i]->alive);
	end(e);
}

static void end(struct pt_engine *e)
{
	request_refuse_all(e);
	if (e->current)
		return;
	if (e->state != PT_STOPPED) {
		change_stop(e, NULL);
	} else if (e->suspending) {
		suspend_stopped(e);
	} else if (!e->jobs) {
		tap_end_all(e);
		trace_end_all(e);
		close_handles(e);
	}
}

static void on_work(uv_idle_t *idle)
{
	struct pt_engine *e = idle->data;
	if (e->resume.watches)
		resume_try(e);
	flow_work(e);
}

/* What has waited for the cut goes on in the loop's next turn. */
static void settle_cut(struct pt_engine *e)
{
	bool held = cut_holds(e);
	resume_settle(e);
	cut_settle(e);
	if (held && !cut_holds(e))
		mailbox_wake(&e->mailbox);
}

void engine_settle(struct pt_engine *e)
{
	run_timers(e);
	job_settle(e);
	run_woken(e);
	if (e->flow.stale)
		flow_update(e);
	if (e->flow.ends_stale) /* also where a stop has waited for just that, and is next */
		flow_end(e);
	if (e->ending) {
		end(e);
		if (uv_is_closing((uv_handle_t *)&e->settle))
			return;
	} else {
		request_settle(e);
	}
	if (e->flow.stale)
		flow_update(e);
	if (e->flow.ends_stale)
		flow_end(e);
	engine_runs(e, NULL);
	tap_settle(e);
	trace_settle(e);
	settle_cut(e);
	if (flow_has_work(e) && !cut_holds(e))
		uv_idle_start(&e->work, on_work);
	else
		uv_idle_stop(&e->work);
	arm(e);
	engine_publish(e);
}

static void on_settle(uv_prepare_t *settle)
{
	struct pt_engine *e = settle->data;
	engine_beat(e);
	engine_settle(e);
}

const char *engine_state_word(const struct pt_engine *e)
{
	static const char *const words[] = {"stopped", "running", "draining"};
	return words[e->state];
}

void engine_set_state(struct pt_engine *e, enum pt_engine_state state)
{
	e->state = state;
	engine_publish(e);
	if (e->hooks.state)
		e->hooks.state(e->hooks.arg, state);
}

/* ---- life ---- */

bool engine_stack_is_low(const struct pt_engine *e)
{
	const char *here = __builtin_frame_address(0);
	return e->stack_top - here > (ptrdiff_t)(e->stack_size / 2);
}

static void *run(void *arg)
{
	struct pt_engine *e = arg;
	e->stack_top = __builtin_frame_address(0);
	sample_begin(e);
	uv_run(&e->loop, UV_RUN_DEFAULT);
	sample_end(e);
	if (e->hooks.ended)
		e->hooks.ended(e->hooks.arg);
	return NULL;
}

/* Handles that take no descriptor: they do not fail. */
static void init_turns(struct pt_engine *e)
{
	int rc = uv_prepare_init(&e->loop, &e->settle);
	e->settle.data = e;
	rc |= uv_prepare_start(&e->settle, on_settle);
	rc |= uv_idle_init(&e->loop, &e->work);
	e->work.data = e;
	assert(rc == 0);
}

static int init_timer(struct pt_engine *e)
{
	e->timer_armed_ns = UINT64_MAX;
	e->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (e->timer_fd < 0)
		return -errno;
	int rc = uv_poll_init(&e->loop, &e->timer_poll, e->timer_fd);
	if (rc) {
		close(e->timer_fd);
		return rc;
	}
	e->timer_poll.data = e;
	return uv_poll_start(&e->timer_poll, UV_READABLE, on_timer);
}

static void read_limits(struct pt_engine *e, const struct pt_engine_limits *limits)
{
	if (limits)
		e->limits = *limits;
	if (e->limits.folders)
		e->limits.folders =
			(const char *const *)(e->folders = texts_copy(e->limits.folders));
	if (e->limits.programs)
		e->limits.programs =
			(const char *const *)(e->programs = texts_copy(e->limits.programs));
	if (!e->limits.memory)
		e->limits.memory = DEFAULT_MEMORY;
	if (!e->limits.blocks)
		e->limits.blocks = DEFAULT_BLOCKS;
	e->script_limits = (struct func_limits){e->limits.script_time_ns, e->limits.script_memory};
}

/* Three descriptors of the loop and one of the timer. */
static int new_loop(struct pt_engine *e)
{
	int rc = uv_loop_init(&e->loop);
	if (rc)
		return rc;
	uv_loop_configure(&e->loop, UV_METRICS_IDLE_TIME); /* for the pulse */
	rc = mailbox_init(&e->mailbox, &e->loop, 0);
	if (rc) {
		uv_loop_close(&e->loop);
		return rc;
	}
	rc = init_timer(e);
	if (rc) {
		mailbox_close(&e->mailbox);
		uv_run(&e->loop, UV_RUN_DEFAULT);
		mailbox_fini(&e->mailbox);
		uv_loop_close(&e->loop);
		return rc;
	}
	init_turns(e);
	return 0;
}

static size_t stack_size(const struct pt_engine *e)
{
	size_t deep = e->limits.blocks * STACK_BLOCK;
	if (!e->has_thread)
		return STACK_OF_TESTS;
	return deep > STACK_LEAST ? deep : STACK_LEAST;
}

static void free_names(struct pt_engine *e)
{
	texts_free(e->folders);
	texts_free(e->programs);
	lent_free(e->lent);
	free(e->name);
	free(e);
}

static int start_thread(struct pt_engine *e, struct pt_error *err)
{
	char *what = must_printf("the thread of engine '%s'", e->name);
	int rc = thread_start(what, e->stack_size, run, e, &e->thread, err);
	free(what);
	return rc;
}

int engine_new(const char *name, const struct pt_engine_hooks *hooks,
               const struct pt_engine_limits *limits, bool thread, struct pt_engine **out,
               struct pt_error *err)
{
	int rc = workers_begin(err);
	if (rc)
		return rc;
	struct pt_engine *e = must_calloc(1, sizeof *e);
	e->name = must_strdup(name);
	read_limits(e, limits);
	rc = new_loop(e);
	if (rc) {
		free_names(e);
		return pt_fail(err, rc == -EMFILE || rc == -ENFILE ? -PT_ELIMIT : rc, NULL,
		               "no loop for engine '%s': %s", name, uv_strerror(rc));
	}
	e->graph = graph_new();
	e->pool = pool_new(e->limits.memory);
	flow_init(&e->flow);
	TAILQ_INIT(&e->available);
	TAILQ_INIT(&e->carry_stale);
	cut_init(&e->cuts);
	TAILQ_INIT(&e->queue);
	TAILQ_INIT(&e->waiting);
	e->stack_top = __builtin_frame_address(0);
	e->has_thread = thread;
	e->stack_size = stack_size(e);
	if (hooks)
		e->hooks = *hooks;
	rc = thread ? start_thread(e, err) : 0;
	if (rc) {
		e->has_thread = false;
		e->hooks = (struct pt_engine_hooks){0};
		pt_engine_free(e);
		return rc;
	}
	*out = e;
	return 0;
}

int pt_engine_new(const char *name, const struct pt_engine_hooks *hooks,
                  const struct pt_engine_limits *limits, struct pt_engine **out,
                  struct pt_error *err)
{
	return engine_new(name, hooks, limits, true, out, err);
}

static void read_end(struct pt_letter *letter)
{
	struct pt_engine *e =
		(struct pt_engine *)((char *)letter - offsetof(struct pt_engine, end));
	e->ending = true;
}

static void read_suspend(struct pt_letter *letter)
{
	struct pt_engine *e =
		(struct pt_engine *)((char *)letter - offsetof(struct pt_engine, suspend));
	e->suspending = true;
}

void pt_engine_suspend(struct pt_engine *e)
{
	e->suspend.read = read_suspend;
	mailbox_post(&e->mailbox, &e->suspend);
}

static void free_graph(struct pt_engine *e)
{
	const struct param_env env = {.release = func_free};
	for (unsigned i = 0; i < e->graph->link_count; i++)
		free(e->graph->links[i].alive);
	for (unsigned i = 0; i < e->graph->count; i++) {
		flow_leave(e->graph->blocks[i]->alive);
		block_free(e->graph->blocks[i]->alive, &env);
	}
	graph_free(e->graph);
}

void pt_engine_end(struct pt_engine *e)
{
	if (e->told_to_end)
		return;
	e->told_to_end = true;
	atomic_store(&e->stop_asked_ns, clock_ns());
	e->end.read = read_end;
	mailbox_post(&e->mailbox, &e->end);
}

static void wait_for_end(struct pt_engine *e)
{
	if (e->has_thread)
		pthread_join(e->thread, NULL);
	else
		run(e);
}

void pt_engine_free(struct pt_engine *e)
{
	if (!e)
		return;
	pt_engine_end(e);
	wait_for_end(e);
	free_graph(e);
	e->hooks.carry = NULL;
	carry_forget(e);
	resume_fini(e);
	int rc = uv_loop_close(&e->loop);
	assert(rc == 0 && !e->mailbox.first);
	mailbox_fini(&e->mailbox);
	close(e->timer_fd);
	timers_fini(&e->timers);
	flow_fini(&e->flow);
	pool_free(e->pool);
	free_names(e);
}

void pt_engine_look(const struct pt_engine *e, struct pt_engine_glance *glance)
{
	uint64_t seen[6];
	for (size_t i = 0; i < 6; i++)
		seen[i] = atomic_load_explicit(&e->glance[i], memory_order_relaxed);
	*glance = (struct pt_engine_glance){
		(enum pt_engine_state)seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]};
}

uint64_t pt_engine_pulse(struct pt_engine *e)
{
	return atomic_load_explicit(&e->beats, memory_order_relaxed) +
	       uv_metrics_idle_time(&e->loop);
}
