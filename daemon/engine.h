/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine as the daemon holds it: what engines.c, ask.c, commit.c and others share. */
#ifndef DAEMON_ENGINE_H
#define DAEMON_ENGINE_H

#include "base/log.h"
#include "base/workers.h"
#include "daemon/ask.h"
#include "daemon/engines.h"
#include "daemon/output.h"
#include "daemon/revisions.h"

/* Of an engine that was kept under such a name. */
#define ENGINE_NAME_HAS_DOT                                                       \
	"its name has a '.', which parts an engine from its block: make it anew " \
	"under another (ptctl export, create)"

/* LEAVING: destroyed, stopped, and there again unless that is confirmed; REMOVING: from what is
   kept. */
enum phase { MAKING, READY, LEAVING, REMOVING, ENDING };

struct waiter {
	struct waiter *next;
	engines_done *done;
	void *arg;
};

struct engine {
	struct engines *engines;
	char *name;
	struct pt_engine *engine;
	enum phase phase;
	bool start, from_file;
	bool dry_run;      /* it is to be made, and not to be there */
	bool owned;        /* by somebody, who may have gone */
	const void *owner; /* NULL: nobody's */
	bool lasts;        /* it comes back when the daemon does */
	bool suspended;    /* it goes on there: what it leaves is kept */
	bool restored;     /* found in the journal: a start that fails does not unmake it */
	bool doomed;       /* the daemon, or its owner, ends while it is being made */
	bool told;         /* who subscribes knows of it, and hears when it is gone */
	struct output output;
	struct revisions past;
	struct ask_list held;   /* answers that wait for the journal, in order */
	struct ask *recording;  /* a start or stop whose record is being written; or NULL */
	struct ask_list behind; /* what is to be asked after that, in order */
	int code;               /* why it could not be made */
	struct pt_error err;
	struct waiter *waiters; /* for its making, then for its end */
	struct pt_letter over;  /* its thread is at its end */
	struct work freeing;    /* then */
	struct pt_letter freed;
	uint64_t removing; /* the journal's ticket for that */
	bool removed;      /* its journal was to be, and is */
	bool is_freed;
	enum pt_engine_state state; /* as was told last */

	/* confirm.c */
	bool confirming;         /* a change that is to be confirmed is on its way */
	bool going_back;         /* the unconfirmed change is being undone */
	uint64_t confirm_due_ms; /* of the loop's clock; 0: nothing waits */

	/* lodgers.c */
	bool lodgers_forgotten; /* which is to be kept when it is there */
	bool lodgers_go;        /* they are being taken out */

	/* commit.c */
	struct ask_list unkept;  /* in the order of their revisions */
	struct ask *taking_back; /* the question that brings back what is kept, or NULL */

	/* failing.c */
	char *why;       /* why it does not run; NULL: it does, or nobody wants it to */
	bool failed;     /* it should run, and could not be started */
	bool unread;     /* what is kept of it could not be read, and is left to the next daemon */
	bool hollow;     /* it has no blocks, since its graph could not be made */
	bool boots;      /* it is being started for the first time, not by hand */
	bool retrying;   /* it is being tried again */
	unsigned starts; /* by hand, that are under way */
	unsigned stops;  /* so too: it is not tried again meanwhile */
	uint64_t retry_due_ms; /* of the loop's clock; 0: not due */
	uint64_t retry_ms;     /* how long until the next try, if this one fails */

	/* adopt.c: it is to be its file's, when the journal has let go of it */
	struct waiter adopting; /* done: NULL: it is not */
	uint64_t adopting_ticket;
	char *file_next; /* the file's path */

	/* state.c: of an engine of a file */
	char *file;                       /* its path; NULL: it has none */
	char *file_why;                   /* what is wrong with the file; NULL: nothing */
	json_t *file_blocks, *file_links; /* what the file has made of it; NULL: nothing */
	char *end_why;                    /* why it is destroyed; NULL: somebody wants it */

	bool is_over; /* its own thread is no more, or was never made: do not ask `engine` */
};

struct engines {
	struct mailbox *mailbox;
	uv_loop_t *loop;
	struct engines_events events;
	struct pt_engine_limits limits;
	struct journal *journal;    /* NULL: nothing is kept */
	struct store *store;        /* NULL: nobody keeps descriptors */
	char **folders, **programs; /* what the limits point to */
	char *place;                /* see pt_place_of */
	size_t count_max;
	struct engine **items; /* in the order of their names */
	size_t count;
	bool ending;
	struct waiter end;
	unsigned restoring;
	struct waiter restored;
	uv_timer_t retry_timer;   /* runs while some engine has failed */
	uint64_t retry_ms;        /* from the first failure to the first try */
	unsigned handles;         /* timers that are still to be closed */
	uv_timer_t confirm_timer; /* runs while some change waits to be confirmed */
};

/* ---- engines.c ---- */
struct engine *engines_at(const struct engines *, const char *name); /* or NULL */
void engines_insert(struct engines *, struct engine *);
void engine_wait(struct engine *, engines_done *, void *arg);
/* Those who wait for its making or its end. */
void engine_tell_waiters(struct engine *, int code, struct pt_error *);
void engine_free(struct engine *);   /* the memory alone */
void engine_unmake(struct engine *); /* stops it, and frees it on a worker thread */
void engine_ended(void *output);     /* the engine's hook */
void engine_tell(const struct engine *, const char *event, const json_t *about, json_t *data);
void engine_tell_gone(struct engine *, json_t *data); /* once, if it was told that it is there */
struct log_about engine_about(const struct engine *); /* for a line of the log */
/* What it shows of itself; of one that has no thread nothing but the state that was told last. */
struct pt_engine_glance engine_glance(const struct engine *);
void engine_removed(struct engine *); /* its journal is removed, or cannot be */
void engine_gone(struct engine *); /* forgets it, if its thread has ended and its file is settled */

/* ---- state.c ---- */
const char *engine_word(const struct engine *); /* "running", … */
bool engine_is_listed(const struct engine *);   /* engine.list tells of it */
json_t *engine_state(const struct engine *);    /* {engine, state, revision, blocks, links, …} */
void engine_tell_state(const struct engine *);  /* the event */
/* As its file has it from this revision on; 0: from the last. */
void engine_follow_file(struct engine *, uint64_t revision);

/* ---- adopt.c ---- */
void adopt_settled(struct engine *); /* something that was asked of the journal is */

/* ---- failing.c ---- */
void failing_timer_init(struct engines *);
/* It should run, and does not: it is tried again later. Whether that, or the reason, is new. */
bool engine_fail(struct engine *, const char *why);
void engine_log_failure(const struct engine *, const char *words);
void failing_state(struct engine *);   /* the engine's state is another */
void failing_ready(struct engine *);   /* it is READY */
void failing_answered(struct ask *);   /* any question: a start, or a stop, may be among them */
void failing_changed(struct engine *); /* its graph is another: so may be its luck */

/* ---- making.c ---- */
struct ask *engine_last_graph(const struct engine *);  /* the change that makes it */
int engine_thread(struct engine *, struct pt_error *); /* its thread */
void engine_made_settled(struct engine *); /* the journal has the new engine, or cannot have it */
void engine_returns(struct engine *);      /* one that has left; it starts if it ran */

/* ---- ask.c ---- */
void ask_release(struct engine *); /* answers those whose time has come */
void ask_go_on(struct engine *);   /* with what waits to be asked, if it may be now */
journal_settled ask_settled;       /* of an engine's file */
/* Past the journal, and past what waits to be asked. */
void ask_at_once(struct ask *, struct engine *, engines_done *, void *arg);

/* ---- commit.c ---- */
void commit_changed(struct ask *);  /* the engine's graph was: the change is to be kept */
void commit_answered(struct ask *); /* any question, whether it changes something or not */
/* Something of the engine's file is settled: what is kept is kept; what cannot be is taken back,
   and its answers say so. */
void commit_settled(struct engine *);

/* ---- confirm.c ---- */
void confirm_arm(struct engine *); /* the timer, if something waits to be confirmed */
void confirm_timer_init(struct engines *);
void confirm_leaves(struct ask *);   /* it is to be recorded that the engine is destroyed, … */
void confirm_stays(struct engine *); /* … which cannot be, … */
void confirm_left(struct engine *);  /* … or is, and it has stopped */

/* ---- lodgers.c: blocks that go with the connection that has added them ---- */
/* A change is about to be recorded: whom it has added for its author, and whom it has taken out.
   Their names stand in each revision, so that none of them comes back with the next daemon: their
   connection has ended with this one. */
void lodgers_changed(struct revisions *, const struct author *, const struct pt_made *);
/* Those whose connection has ended are taken out, now or when it may be done. */
void lodgers_go(struct engine *);
void lodgers_disown(struct engine *, const void *owner); /* it ends */
/* What was kept of them is taken out of the last revision's graph, as a revision of its own.
   Whether there was any. */
bool lodgers_forget(struct revisions *);

#endif
