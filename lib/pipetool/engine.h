/* SPDX-License-Identifier: BSD-2-Clause */
/* Embed an engine: a named graph with a thread of its own. */
#ifndef PIPETOOL_ENGINE_H
#define PIPETOOL_ENGINE_H

#include <pipetool/block.h>
#include <pipetool/letter.h>
#include <sys/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An engine is a thread with a libuv loop and a graph, and it alone touches its graph. Everything
 * is asked of it by requests, carried out in the order in which they came and answered from the
 * engine's thread. Requests that wait (receive, a clean stop, a change that opens files) do not
 * hold up those behind them, except that changes, starts and stops wait for one another.
 *
 * All functions here may be called from any thread.
 */
struct pt_engine;
struct json_t;

enum pt_engine_state { PT_STOPPED, PT_RUNNING, PT_DRAINING };

/* What the engine tells of by itself: called on its thread; may not block. NULL: not told. */
struct pt_engine_hooks {
	/* What its blocks printed, in order. */
	void (*output)(void *arg, const char *block, enum pt_canal, const char *text,
	               size_t length);
	/* Something went wrong or happened in a block: error is 0 for mere news. */
	void (*report)(void *arg, const char *block, int error, const char *words);
	void (*state)(void *arg, enum pt_engine_state);
	/* A block of an engine that runs has failed, is exhausted, or runs again after that. */
	void (*block_state)(void *arg, const char *block, const char *state);
	void *arg;
	/* What a block carries over to the next daemon, should this one end now (takes it): told
	   when it is other than before. NULL: nothing any more. At the end, after
	   pt_engine_suspend, it is the last word. */
	void (*carry)(void *arg, const char *block, const char *type, struct pt_carry *);
	/* What `carry` told of a cut (carry_cut) counts from now on, all of it at once. False: not
	   yet, since descriptors are still on their way; it is asked again, unless it must be. */
	bool (*commit)(void *arg, uint64_t cut, bool must);
	/* So often the last checkpoint was gone on from, this time too; 0: that went well. */
	void (*tries)(void *arg, unsigned);
	/* It goes on from a checkpoint: {time, gap_s, waited, why}, as engine.show has it. Takes
	   it. */
	void (*resumed)(void *arg, struct json_t *);
	/* [worker thread] Blocks are about to be told closed: copies that `carry` was given should
	   be closed, too, when it returns. May block. */
	void (*carry_settle)(void *arg);
	/* The last thing that its thread does: pt_engine_free will not wait. */
	void (*ended)(void *arg);
	/* Tells the program from others of the machine that are alike: outlasts the engine. NULL:
	   nothing does. */
	const char *place;
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

/* What an earlier daemon's block of that name and type (NULL: any) has carried over (taken): for
   the first change, and the first start. To be called before anything is asked. */
void pt_engine_carry(struct pt_engine *, const char *block, const char *type, struct pt_carry *);

/* Which checkpoint that is. */
struct pt_resumed {
	uint64_t cut;
	int64_t time_ns; /* when it was, since 1970; 0: what was carried is of none */
	unsigned tries;  /* so often it was gone on from */
	const char *why; /* how the earlier daemon has ended, in a word; copied */
};
void pt_engine_resume(struct pt_engine *, const struct pt_resumed *);

/* Before pt_engine_free: it is to end so that the next daemon can go on. */
void pt_engine_suspend(struct pt_engine *);

/* Stops it if need be, waits for its thread, and frees it. Requests that wait are answered
   (wrong-state). Not on the engine's thread. */
void pt_engine_free(struct pt_engine *);
/* The first part of that, which does not wait: hooks.ended tells. Nothing may be asked of it any
   more. */
void pt_engine_end(struct pt_engine *);

/*
 * What may be asked, and which members of the request it takes; what it answers is as the methods
 * of the control protocol tell it.
 */
enum pt_verb {
	PT_VERB_CHANGE, /* ops, or blocks and links, anew, dry_run, exact, if_revision, revision,
	                   fds, changed */
	PT_VERB_START,     /* comes_back */
	PT_VERB_STOP,      /* wait, timeout_s */
	PT_VERB_REOPEN,    /* files that are written and have lost their names are opened anew */
	PT_VERB_SHOW,      /* {blocks, links, …} */
	PT_VERB_STATS,     /* {blocks, links, total, …} */
	PT_VERB_DRAW,      /* picture, stats, params: {dot} or {mermaid} */
	PT_VERB_SEND,      /* block, canal, message or messages, wait */
	PT_VERB_RECV,      /* block, max, timeout_s, hold: {messages} */
	PT_VERB_GIVE_BACK, /* block, messages: what recv has given */
	PT_VERB_CLOSE,     /* block */
	PT_VERB_TRIGGER,   /* block */
	PT_VERB_TAP,       /* block, canal, filter, format, tap */
	PT_VERB_TRACE,     /* block or NULL, max, filter, format, follow, tap */
	PT_VERB_LOOK,      /* look, look_arg */
};

/*
 * A tap: what leaves a block by its exits (of a block without exits, what enters it) is written
 * down for somebody, live, without changing the graph. It goes with the block's name: a replaced
 * block is tapped on. The hooks are called on the engine's thread and may not block, from the
 * answer (`done` with code 0) on until `ended`, which comes when the block is removed, after
 * pt_engine_untap, or when the engine ends.
 */
enum pt_tap_format { PT_TAP_JSON, PT_TAP_PCAPNG };
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

/*
 * A trace: what becomes of the next `max` messages that leave the block, or the sources. Its hooks
 * are a tap's. `data` gets, as JSON, an object {engine, id, message, steps, ended?} when a message
 * has come to rest, or the next bytes of a pcapng stream in which each link that it went over is an
 * interface. It ends when all have come to rest; with `follow`, when they are held no more, either.
 */

enum pt_picture { PT_PICTURE_DOT, PT_PICTURE_MERMAID };

/* What a change has made: the graph's new number, what was done, and what that makes of the lists
   of blocks and of links that engine.show has: rows, and [place, count] for a run of rows of the
   list before that stay. */
struct pt_made {
	uint64_t revision;
	struct json_t *plan, *blocks, *links;
};

/*
 * A request is one object from the asking to the answer, mostly a part of a larger one of whoever
 * asks.
 *
 * Whose it is: first the asker's, who sets it to PT_REQUEST_INIT and fills in what its verb takes;
 * the engine's from pt_engine_ask until `done`; then the asker's again, with the answer. What it
 * points to is the asker's all the time, and has to last until `done`.
 *
 * Who finishes it: the engine, once, by calling `done` on its thread, also when it ends. `done` may
 * free it, or send its letter on to the thread of the asker, and may not block. It must be set.
 *
 * Who gives it up: the asker alone, by pt_request_cancel, on any thread, from the beginning until
 * it knows of `done`. What waits, or would (recv, stop with wait), is then answered at once; all
 * else is answered as if nothing had been said.
 *
 * JSON that was handed over, on both ways, is never changed by anybody, so that it can be shared:
 * its references are counted atomically. (Of a result, its outermost object is the asker's own.)
 */
struct pt_request {
	struct pt_letter letter; /* the engine's; then the asker's */
	enum pt_verb verb;

	struct json_t *ops; /* what to do, all of it or nothing, as engine.change has it; or */
	struct json_t *blocks, *links; /* what to add, as engine.create has it */
	bool anew;           /* with an empty graph, which takes the place of what is there */
	bool dry_run;        /* only tell what would be done */
	bool exact;          /* also where nothing but the spelling of defaults differs */
	int64_t if_revision; /* refused at any other; -1: at none */
	int64_t revision;    /* of a graph that was, with descriptors that are gone; -1: the next */
	const int *fds;      /* that {"fd": n} refers to: blocks get copies */
	int fd_count;

	bool comes_back;  /* see pt_comes_back */
	bool wait;        /* until the sources are exhausted; of send, until all has gone through */
	double timeout_s; /* how long to wait; less than 0: for ever */
	int picture;      /* PT_PICTURE_DOT or PT_PICTURE_MERMAID */
	/* [engine's thread] Called between two messages, when all counts are as they are; may not
	   block. */
	void (*look)(struct pt_engine *, void *arg);
	void *look_arg;
	bool stats;  /* with counts beside the links, */
	bool params; /* and with the blocks' parameters */

	char *block;             /* the name of the one that it is about */
	int canal;               /* PT_LOW or PT_HIGH; -1: of send the first exit, of tap both */
	struct json_t *message;  /* one, or */
	struct json_t *messages; /* a list of them */
	int64_t max;             /* messages */
	bool hold;               /* they may be given back */
	bool follow;             /* of a trace: also what is held in the end */
	char *filter;            /* of a tap, as libpcap has them; NULL: all */
	int format;              /* PT_TAP_JSON or PT_TAP_PCAPNG */
	struct pt_tap_hooks tap;

	/* [engine's thread] The graph was changed: `made` says how. In the order of revisions, and
	   before `done`, which comes when what was replaced is closed. NULL: not told. */
	void (*changed)(struct pt_request *);
	void (*changed_soon)(struct pt_request *); /* [worker thread] now wake who was told */
	void (*done)(struct pt_request *);

	/* The answer: the asker frees it. */
	int code;              /* 0, or negative */
	struct json_t *result; /* if 0 */
	struct pt_error err;   /* else */
	struct pt_made made;   /* from `changed` on, where that is set */

	/* The engine's own. */
	struct pt_engine *engine;
	TAILQ_ENTRY(pt_request) entry;
	struct pt_timer deadline;
	uint64_t round; /* in which it is answered */
	bool given_up;  /* atomic */
};

/* For an initializer: PT_REQUEST_INIT(PT_VERB_SHOW). */
#define PT_REQUEST_INIT(verb_)                                                                    \
	{                                                                                         \
		.verb = (verb_), .if_revision = -1, .revision = -1, .timeout_s = -1, .canal = -1, \
		.max = 1                                                                          \
	}

void pt_engine_ask(struct pt_engine *, struct pt_request *);
void pt_request_cancel(struct pt_request *);

/* Ends a tap. */
void pt_engine_untap(struct pt_engine *, void *arg); /* the arg of the hooks */
/* To be called when a receiver that was not ready is, so that it hears of what it missed. */
void pt_engine_tap_ready(struct pt_engine *);

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
