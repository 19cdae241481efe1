/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine from inside: thread, loop, turns of the sources, and the graph that is alive. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/mailbox.h"
#include "base/workers.h"
#include "engine/block.h"
#include "engine/cut.h"
#include "engine/flow.h"
#include "engine/resume.h"
#include "graph/graph.h"
#include "msg/pool.h"
#include "engine/timer.h"
#include "script/func.h"
#include <pipetool/engine.h>
#include <stdatomic.h>
#include <time.h>
#include <uv.h>

struct change;

struct pt_engine {
	char *name;
	struct pt_engine_hooks hooks;
	struct pt_engine_limits limits;
	struct func_limits script_limits;
	char **folders, **programs; /* what the limits point to */
	struct lent *lent;          /* folders that came with requests */

	pthread_t thread;
	bool has_thread;  /* false in unit tests, where the caller is the engine's thread */
	bool told_to_end; /* by pt_engine_end */
	const char *stack_top;
	size_t stack_size;
	uv_loop_t loop;
	uv_prepare_t settle; /* before the loop waits: what follows from what has happened */
	uv_idle_t work;      /* active while a source may run */
	struct mailbox mailbox;

	struct graph *graph; /* as it is now; each block's `alive` is set */
	struct pt_pool *pool;
	struct tap *taps;
	enum pt_engine_state state;
	uint64_t since_ns; /* when it was started */
	uint64_t revision;
	uint8_t secret[32]; /* of this start */

	struct timers timers;
	int timer_fd;
	uv_poll_t timer_poll;
	uint64_t timer_armed_ns; /* what timer_fd is set to; UINT64_MAX: nothing */
	uint64_t fake_now_ns;    /* tests: the time; 0: the real one */

	/* Changes, starts and stops, one at a time; the rest of the requests that must wait for
	   them. */
	struct job *current;
	struct request_list queue;
	struct request_list waiting; /* recv, send and stop with wait: the oldest first */
	uint64_t round;              /* see through.h */
	unsigned trigger_nesting;    /* triggers that are not over */
	unsigned triggers_back; /* since there was none: how often one has come back to its block */
	struct flow flow;
	struct blocks available;   /* from which something may be received */
	struct blocks carry_stale; /* whose carry is to be told */
	struct cuts cuts;
	struct resume resume;
	struct pt_block *_Atomic woken;
	struct pt_letter suspend, end; /* to itself */
	bool ending;
	bool comes_back;          /* it is being started by the daemon itself: see pt_comes_back */
	bool revival_due;         /* some failed block's time has come */
	struct net_watch *watch;  /* while one waits */
	bool suspending;          /* at its end the next daemon is to go on */
	struct carried *carried;  /* by an earlier daemon's blocks: see carry.h */
	unsigned jobs;            /* that are not done */
	struct job *tried;        /* that may be refused, until it is done; or NULL */
	struct pt_timer patience; /* for a worker to take it up */

	_Atomic uint64_t glance[6];    /* state revision blocks links messages failed */
	struct pt_block *_Atomic runs; /* see engine_runs */
	uint64_t sampled_ns;           /* of the thread's CPU clock: see sample.h */
	timer_t sampler;
	bool samples;

	struct trace *traces;           /* see trace.h */
	_Atomic uint64_t stop_asked_ns; /* 0: not since it was started */
	_Atomic uint64_t beats;         /* turns of the loop, and deliveries: for the pulse */
};

/* Sets everything up but the thread; `thread` false is for tests. */
int engine_new(const char *name, const struct pt_engine_hooks *, const struct pt_engine_limits *,
               bool thread, struct pt_engine **, struct pt_error *);

uint64_t engine_now(const struct pt_engine *);

/* The thread has come on. Only it writes: no need for more than a store. */
static inline void engine_beat(struct pt_engine *e)
{
	uint64_t beats = atomic_load_explicit(&e->beats, memory_order_relaxed);
	atomic_store_explicit(&e->beats, beats + 1, memory_order_relaxed);
}

/* The block's code runs now, or goes on; NULL: nobody's that is known. For samples. */
static inline void engine_runs(struct pt_engine *e, struct pt_block *b)
{
	atomic_store_explicit(&e->runs, b, memory_order_relaxed);
}

/* One that is told that no more will come may be waited for until it holds nothing. */
static inline void engine_held(struct pt_block *b, uint64_t held)
{
	bool changes = !held != !b->count.held;
	b->count.held = held;
	if (changes && b->told_no_more)
		flow_note(b);
}

/* The block lets go of what it may have held. */
static inline void engine_let_go(struct pt_block *b, struct pt_msg *m)
{
	if (!(m->flags & MSG_HELD))
		return;
	m->flags &= (uint16_t)~MSG_HELD;
	if (b->engine->traces)
		m->flags |= MSG_LET_GO;
	engine_held(b, b->count.held - 1);
}

/* One that holds nothing has none that are marked so. */
static inline void engine_let_go_many(struct pt_block *b, struct pt_msg *const *messages,
                                      unsigned count)
{
	for (unsigned i = 0; b->count.held && i < count; i++)
		engine_let_go(b, messages[i]);
}

bool engine_stack_is_low(const struct pt_engine *); /* too low for another trigger */
void engine_set_state(struct pt_engine *, enum pt_engine_state);
const char *engine_state_word(const struct pt_engine *); /* "stopped" "running" "draining" */

/* What follows from what has happened: due timers, receivers, a drained engine, the next request.
   Runs by itself before the loop waits. */
void engine_settle(struct pt_engine *);
void engine_publish(struct pt_engine *); /* for pt_engine_look */
void engine_forget(struct pt_block *);   /* it ends: what was to be done about it is not */

/* ---- job.c: what may block, on a worker's thread ---- */
struct job {
	struct pt_letter letter;
	struct work worker;
	struct pt_engine *engine;
	bool refused;               /* no worker was free: `work` was not called */
	void (*work)(struct job *); /* on the worker's thread */
	void (*done)(struct job *); /* on the engine's */
};
/* What must be done. Never fails, makes no thread. */
void job_run(struct pt_engine *, struct job *, void (*work)(struct job *),
             void (*done)(struct job *));
/* What may be refused, one at a time. */
void job_try(struct pt_engine *, struct job *, void (*work)(struct job *),
             void (*done)(struct job *));
void job_settle(struct pt_engine *); /* refuses it, if it has waited too long */

#endif
