/* SPDX-License-Identifier: BSD-2-Clause */
/* Embed an engine: a named graph with a thread of its own. */
#ifndef PIPETOOL_ENGINE_H
#define PIPETOOL_ENGINE_H

#include <pipetool/block.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An engine is a thread with a libuv loop and a graph, and it alone touches its graph. Everything
 * is asked of it by requests, in JSON as the methods of the control protocol have it, carried out
 * in the order in which they came and answered from the engine's thread. Requests that wait
 * (receive, a clean stop, a change that opens files) do not hold up those behind them, except
 * that changes, starts and stops wait for one another.
 *
 * All functions here may be called from any thread.
 */
struct pt_engine;
struct json_t;

enum pt_engine_state { PT_STOPPED, PT_RUNNING, PT_DRAINING };

/* What the engine tells of by itself: called on its thread; may not block. NULL: not told. */
struct pt_engine_hooks {
	/* What its blocks printed, in order. `pending` bytes that the hook adds to and its receiver
	   takes off later keep the engine from running ahead: see pt_engine_printed. */
	void (*output)(void *arg, const char *block, enum pt_canal, const char *text,
	               size_t length);
	/* Something went wrong or happened in a block: error is 0 for mere news. */
	void (*report)(void *arg, const char *block, int error, const char *words);
	/* Its graph was changed: in the order of revisions, before the answer to the request that
	   did it, whose `arg` is `request`. {revision, plan, graph: {blocks, links}}, the hook's
	   own from then on, in any thread. */
	void (*changed)(void *arg, void *request, struct json_t *change);
	void (*state)(void *arg, enum pt_engine_state);
	void *arg;
	/* What a block carries over to the next daemon, should this one end now (takes it): told
	   when it is other than before. NULL: nothing any more. At the end, after pt_engine_suspend, it is
	   the last word. */
	void (*carry)(void *arg, const char *block, const char *type, struct pt_carry *);
	/* [worker thread] Blocks are about to be told closed: copies that `carry` was given should
	   be closed, too, when it returns. May block. */
	void (*carry_settle)(void *arg);
	/* The last thing that its thread does: pt_engine_free will not wait. */
	void (*ended)(void *arg);
};

struct pt_engine_limits {
	size_t memory;           /* bytes of messages held; 0: 256 MiB */
	unsigned blocks;         /* 0: 4096 */
	uint64_t script_time_ns; /* 0: 100 ms */
	size_t script_memory;    /* 0: 16 MiB */
	/* In which folders blocks may open files, and which programs they may run: lists that end
	   with NULL, as is each that stands for all. */
	const char *const *folders, *const *programs;
};

/* An engine with an empty graph, stopped. The name is copied, as are the others. */
int pt_engine_new(const char *name, const struct pt_engine_hooks *, const struct pt_engine_limits *,
                  struct pt_engine **, struct pt_error *);

/* What an earlier daemon's block of that name and type (NULL: any) has carried over (taken): for the
   first change, and the first start. To be called before anything is asked. */
void pt_engine_carry(struct pt_engine *, const char *block, const char *type, struct pt_carry *);

/* Before pt_engine_free: it is to end so that the next daemon can go on. */
void pt_engine_suspend(struct pt_engine *);

/* Stops it if need be, waits for its thread, and frees it. Requests that wait are answered
   (wrong-state). Not on the engine's thread. */
void pt_engine_free(struct pt_engine *);
/* The first part of that, which does not wait: hooks.ended tells. Nothing may be asked of it any
   more. */
void pt_engine_end(struct pt_engine *);

/*
 * Asks for something. `verb` is the last part of a method's name: change, apply (`ops` on
 * an empty graph), start, stop, show,
 * stats, graph, send, recv, close, trigger; `params` (copied) is what the method takes, without
 * "engine"; `fds` are descriptors that {"fd": n} refers to, and are the engine's from now on.
 * start takes `comes_back`: see pt_comes_back.
 * `done` is called once, on the engine's thread: with code 0 and the result, which is its own from
 * then on, in any thread, or with a negative code and the faults.
 */
typedef void pt_engine_done(void *arg, int code, struct json_t *result, struct pt_error *err);
void pt_engine_ask(struct pt_engine *, const char *verb, struct json_t *params, const int *fds,
                   int fd_count, pt_engine_done *done, void *arg);

/*
 * A tap: what leaves a block by its exits (of a block without exits, what enters it) is written
 * down for somebody, live, without changing the graph. It goes with the block's name: a replaced
 * block is tapped on. The hooks are called on the engine's thread and may not block, from the
 * answer (to `done`, with code 0) on until `ended`, which comes when the block is removed, after
 * pt_engine_untap, or when the engine ends.
 */
struct pt_tap_hooks {
	/* Whether the receiver can take more now. While it cannot, messages are left out, and the
	   next that is handed over tells how many. What was written before may still come. */
	bool (*ready)(void *arg);
	/* `json`: one object {engine, block, messages, dropped?}, its text; `pcapng`: the next
	   bytes of the stream. About 64 KiB, or one large message; small where few messages
	   pass. */
	void (*data)(void *arg, const char *bytes, size_t length);
	void (*ended)(void *arg);
	void *arg; /* tells taps apart */
};

/* `params` (copied): {block, canal?, format?}; canal low or high, both unless told; format json or
   pcapng, json unless told. */
void pt_engine_tap(struct pt_engine *, struct json_t *params, const struct pt_tap_hooks *,
                   pt_engine_done *done, void *arg);
void pt_engine_untap(struct pt_engine *, void *arg); /* the arg of the hooks */
/* To be called when a receiver that was not ready is, so that it hears of what it missed. */
void pt_engine_tap_ready(struct pt_engine *);

/* Gives up a request that waits, or will (recv, stop with wait), by its arg: it is answered at
   once, or when it would begin to wait. */
void pt_engine_cancel(struct pt_engine *, void *arg);

/* For lists, without asking: never waits, may be a moment old. */
struct pt_engine_glance {
	enum pt_engine_state state;
	uint64_t revision, blocks, links, messages;
	uint64_t failed; /* blocks that have */
};
void pt_engine_look(const struct pt_engine *, struct pt_engine_glance *);

/* A sign of life, without waking its thread: a number that grows while the thread goes about its
   work or sleeps. One that is the same some time later was stuck in one thing all the while. */
uint64_t pt_engine_pulse(struct pt_engine *);

#ifdef __cplusplus
}
#endif
#endif
