/* SPDX-License-Identifier: BSD-2-Clause */
/* A block as it lives in an engine: its state, wiring and counters. */
#ifndef ENGINE_BLOCK_H
#define ENGINE_BLOCK_H

#include <jansson.h>
#include <pipetool/outside.h>
#include <pipetool/queue.h>
#include <sys/queue.h>

#define VECTOR_MAX   64
#define TRIGGER_DEEP 64    /* how often a trigger may come back to one block before it is dropped */
#define TRIGGER_MOST 65536 /* and to all of them together, before the first one is over */

struct link {
	struct pt_block *from, *to;
	enum pt_canal canal;
	uint64_t messages, bytes; /* what went over it; triggers count as messages */
	uint64_t before;          /* what its exit had sent when the link was made */
	uint64_t told;            /* of its messages; … */
	bool taken;               /* … and of a daemon before: see counts.c */
};

/* The links of one exit, in order, or all that lead to a block: made beside the graph, and put in
   place whole. */
struct wires {
	bool split; /* of an exit: see order.h */
	bool data;  /* some are no triggers */
	unsigned count;
	struct link *links[];
};

/* Messages that did not go on, for one reason. */
struct gone {
	const char *why;
	uint64_t count;
	bool filtered; /* as the graph was told to; else lost */
	bool said;     /* by the block: see pt_filter_out */
};
#define GONE_MAX 16 /* of one block; what comes on top counts as "other" of its kind */

/* in = out + held + filtered + dropped, where in = entered + made: see ledger.h. */
struct counters {
	uint64_t entered, made, out, held;
	uint64_t sent[3];        /* per exit, over whatever links there are */
	uint64_t entered_before; /* over links that are gone */
	uint64_t triggers, triggers_too_deep, errors;
	volatile uint64_t cpu_ns; /* see sample.h */
	struct gone gone[GONE_MAX];
};

TAILQ_HEAD(blocks, pt_block);
enum cutting { CUT_NONE, CUT_SETTLING, CUT_TOLD };

struct pt_block {
	/* what delivery reads for every vector */
	const struct pt_type *type;
	void *state;
	struct pt_engine *engine;
	struct wires *exits[3]; /* NULL: no link */
	uint64_t *total;        /* where what sources send is counted, too; or NULL */
	signed char passes[3];  /* of a type without push: the exit for each entry, or -1 */
	bool single, in_turn;   /* see order.h */
	bool gathering;         /* sends are collected until push has seen the whole vector */
	unsigned char trigger_depth;
	signed char acted_exit; /* of what act has returned in this vector: */
	unsigned acted_count;
	struct pt_msg **acted;
	struct tap *taps, *entry_taps; /* see tap.h */
	struct counters count;
	uint64_t counts_told; /* what they were, in short, when all were told; … */
	bool counts_taken;    /* … and of a daemon before: see counts.c */

	char *name;
	json_t *params;

	/* life; "away" while a worker thread has it */
	bool opened, started, away, failed;
	const char *told_state;   /* NULL: that it runs */
	struct pt_carry *carried; /* over to it: descriptors until it is open; or NULL */
	bool goes_on; /* from when it has taken over until it is started: see pt_goes_on */
	struct uv_handle_s **handles;
	unsigned handle_count, handles_closing;
	void (*handles_closed)(struct pt_block *, void *arg);
	void *handles_arg;
	struct pt_timer **timers; /* armed at some time: to be disarmed when it stops */
	unsigned timer_count;
	struct pt_timer retry; /* armed while it waits, see revive.h */
	double retry_s;
	uint64_t retry_by_ns; /* 0: nothing is due then */
	bool retry_due;
	uint64_t revived_ns; /* when it was started for that */
	bool comes_back;     /* is being opened for that */

	/* its turns, and who is held back: flow.h */
	struct wires *entries; /* all links that lead to it; NULL: none */
	bool listed;           /* it is in the graph that is alive */
	bool ready, later, exhausted, paused, full, enough, told_no_more, busy;
	enum { WANTED, UNWANTED, BEING_CLOSED } unwanted; /* a source of which no more is wanted */
	bool ending;               /* it is to be told that no more will come, once it is so */
	uint32_t place;            /* grows in the order of the graph, from 1 */
	unsigned batch;            /* messages a turn: fewer where one costs much */
	unsigned standing;         /* how it is counted: a bit for each enum flow_count */
	unsigned held, held_to_do; /* exits that lead to a full block, 1 << canal */
	struct pt_timer turn, change;
	TAILQ_ENTRY(pt_block) full_links, held_links, ending_links, enough_links;
	uint64_t looked_at; /* in which look for what may come */
	uint64_t mark;      /* what had come when the round began: see through.h */
	struct pt_block *next_to_do;

	/* what is to be told of it, or done about it, in the next turn of the loop */
	bool available, carry_stale;
	TAILQ_ENTRY(pt_block) available_links, carry_links;
	bool exact, keeps;    /* see pt_exact and pt_keeps */
	bool hurries;         /* in the cut that is next; … */
	uint64_t changed_in;  /* … the last one for which it has said pt_carry_changed; 0: none */
	enum cutting cutting; /* in which list of the cut that is under way: see cut.h */
	/* Of a source: what it had sent at the last cut that it was asked for, and at the one
	   before. */
	struct cut_at {
		uint64_t cut, now, before;
	} cut_at;
	TAILQ_ENTRY(pt_block) cut_links;
	struct pt_block *next_woken;
	_Atomic bool woken;
	_Atomic uint64_t undone; /* of `out`, told by other threads: see block_settle_counts */
	const char *_Atomic undone_why;

	char *last_error, *note;
	uint64_t reported_ns, unreported;

	unsigned gathered_count;
	enum pt_canal gathered_canal;
	struct pt_msg **gathered; /* room for VECTOR_MAX, made when it is first needed */
};

/* Allocates a block with its zeroed state; not yet read, opened or wired. */
struct pt_block *block_new(struct pt_engine *, const char *name, const struct pt_type *,
                           json_t *params);

/* [worker] Reads the parameters and runs init. block_free cleans up after a failure, too. */
struct param_env;
int block_init(struct pt_block *, const struct param_env *, struct pt_error *);
int block_open(struct pt_block *, struct pt_error *); /* [worker] */
/* [worker] The functions among the parameters, which lie in `state`: the block's, or such as
   will. */
int block_open_functions(struct pt_block *, void *state, struct pt_error *);
int block_close(struct pt_block *, struct pt_error *); /* [worker] if it was opened */
void block_free(struct pt_block *,
                const struct param_env *); /* [worker] runs fini; NULL: nothing */

void block_start(struct pt_block *);
void block_reopen(struct pt_block *); /* its files, if it runs and has any */
/* Runs the type's stop, disarms timers, closes handles; calls `then` when they are gone. */
void block_stop(struct pt_block *, void (*then)(struct pt_block *, void *arg), void *arg);

/* The new block takes over the old one's state if it can, the old one stops (`then` as above), and
   the new one goes on counting where the old one was. */
void block_take_over(struct pt_block *fresh, struct pt_block *old,
                     void (*then)(struct pt_block *, void *arg), void *arg);

const char *
block_state_word(const struct pt_block *); /* "stopped" "running" "exhausted" "failed" */
void block_tell_state(struct pt_block *);  /* if it is another than was told */
bool block_is_source(const struct pt_block *);

/* Counts what has left the block, or was delivered outside. */
static inline void block_count_out(struct pt_block *b, uint64_t count)
{
	b->count.out += count;
	if (b->total)
		*b->total += count;
}

/* Counts what did not go on; the kind is the word's (type/reason.h). */
void block_count_drop(struct pt_block *, const char *why, uint64_t count);
void block_count_gone(struct pt_block *, const char *why, uint64_t count, bool said);
uint64_t block_sum(const struct pt_block *, bool filtered); /* of all reasons of that kind */
void block_settle_counts(struct pt_block *); /* moves what is undone from `out` to the drops */

#endif
