/* SPDX-License-Identifier: BSD-2-Clause */
/* The engines by name, and what is asked of them. */
#ifndef DAEMON_ENGINES_H
#define DAEMON_ENGINES_H

#include "base/mailbox.h"
#include "daemon/ask.h"
#include <jansson.h>
#include <pipetool/engine.h>
#include <stdbool.h>

/*
 * Belongs to the control loop, which never waits for an engine: what is asked is answered later, by
 * a call of `done` on the control loop, in the order in which the engine did things. What its
 * blocks printed before an answer is told before it.
 */
struct engines;
struct engine;
struct conf;
struct journal;
struct store;

#define ENGINES_OUTPUT_MAX (16 * 1024 * 1024) /* printed by an engine and not yet told */

struct engines_events {
	void (*output)(void *arg, const char *engine, const char *block, enum pt_canal,
	               const char *text, size_t length);
	void (*output_ended)(void *arg); /* no more of it for now */
	/* So many texts were dropped, because the engine printed faster than they were told. */
	void (*output_lost)(void *arg, const char *engine, uint64_t texts);
	void (*report)(void *arg, const char *engine, const char *block, int error,
	               const char *words);
	/* A block has failed, is exhausted, or runs again. NULL: not told. */
	void (*block_state)(void *arg, const char *engine, const char *block, const char *state);
	/* Something happened that subscribers hear of: see events.h. `data` is to be taken. */
	void (*event)(void *arg, const char *name, const char *engine, const json_t *about,
	              json_t *data);
	/* The file of this hollow engine is to be read again, and the engine to be started: `done`
	   tells, also at once. NULL: there are no files. */
	void (*reread)(void *arg, const char *engine, engines_done *done, void *done_arg);
	void *arg;
};

struct engines *engines_new(uv_loop_t *, struct mailbox *, const struct engines_events *);
/* Files that blocks write and that have lost their names are opened anew. */
void engines_reopen(struct engines *);
void engines_configure(struct engines *, const struct conf *); /* limits, for engines to come */
struct pt_engine_limits engines_limits(const struct conf *);   /* lasts as long as that */
/* What blocks carry over goes there, and comes from there; before any engine is made. */
void engines_store_in(struct engines *, struct store *);
void engines_place(struct engines *, const char *state); /* what tells them from others': copied */
void engines_free(struct engines *); /* when there is none left; the loop must run once more */

size_t engines_count(const struct engines *); /* those being made and unmade, too */

/* Each engine's sign of life (see pt_engine_pulse) while it has a thread, those being made and
   unmade too, in the order of the alphabet. */
void engines_pulses(struct engines *, void (*each)(void *arg, const char *name, uint64_t pulse),
                    void *arg);

/* Of those that are there. */
struct engines_tally {
	size_t engines, running, blocks;
	size_t failed;      /* that should run */
	size_t files_wrong; /* of those that have not failed */
	size_t failed_blocks;
	const char *failed_in; /* an engine that has some of these; NULL: none has */
	bool others_failed;    /* so have others */
};
void engines_count_all(const struct engines *, struct engines_tally *);

uint64_t engines_revision(const struct engines *,
                          const char *name); /* of its graph; 0: not there */

/* Whether somebody owns it, and hears what it prints: it need not be told elsewhere. */
bool engines_is_owned(const struct engines *, const char *name);

/* The engine of that name, made and not being destroyed; or NULL and the fault, "$.engine". */
struct engine *engines_find(struct engines *, const char *name, struct pt_error *);
/* The same, or one that was destroyed, which waits to be confirmed. */
struct engine *engines_find_waiting(struct engines *, const char *name, struct pt_error *);
/* The same as engines_find, or one that is just being made and will stay: it may be shown. */
struct engine *engines_find_listed(struct engines *, const char *name, struct pt_error *);
const char *engine_name(const struct engine *);

/* Every engine that is made and not being destroyed, in the order of the alphabet. */
void engines_each(struct engines *, void (*each)(void *arg, struct engine *), void *arg);

/* As engine.list and events.subscribe (name NULL: all) answer. New references; engines_left: those
   that were destroyed, which waits to be confirmed. */
json_t *engines_list(struct engines *);
json_t *engines_left(struct engines *);
json_t *engines_state(struct engines *, const char *name);

/* ---- what should run, and does not ---- */

/* Starts it, as "start" does; if it is hollow its graph is made first. */
void engines_begin(struct engine *, engines_done *, void *arg);
/* It has no blocks, since its graph could not be made. */
bool engines_is_hollow(const struct engine *);
/* Nothing may be done to what could not be read: refuses so. */
int engines_must_be_read(const struct engine *, struct pt_error *);
bool engines_has_failed(const struct engine *);
/* It should run and does not. Whether the reason is new: then it is to be logged. */
bool engines_fail(struct engine *, const char *why, bool hollow);
void engines_log_failure(const struct engine *, const char *words);
/* All that have failed are tried again at once: something has come that they may have missed. */
void engines_retry_soon(struct engines *);

/* ---- engines of files ---- */

const char *engines_file(const struct engine *); /* NULL: it is of none */
/* It becomes this file's: what the journal has of it is removed. */
void engines_adopt(struct engine *, const char *path, engines_done *done, void *arg);
/* The file has been applied; `result` is the change's. */
void engines_follow_file(struct engine *, const json_t *result);
void engines_filled(struct engine *); /* it is not hollow any more */
/* It cannot be, and the engine goes on as it is. Whether that is new. */
bool engines_file_wrong(struct engine *, const char *path, const char *why);
/* The same of an engine that is not of that file, which has its name; and the file has gone. */
void engines_file_gone(struct engine *);

/* Adds what the daemon knows of its state to what the engine has shown of itself. */
void engines_add_state(const struct engines *, const char *name, json_t *shown);

/* A tap's hooks are the engine's thread's, and `ended` has been called before the engine is gone.
   */
void engines_untap(struct engine *, void *tap_arg);
void engines_tap_ready(struct engine *);

/* ---- changes: the answer comes when they are kept, if the engine is; what could not be has been
   taken back ---- */

/* Whether a change may be made now: not while another waits to be confirmed. */
int engines_may_change(const struct engine *, struct pt_error *);

/* What brings back a revision's graph, NULL is the one before: fills in the question, which may
   have if_revision and dry_run. */
int engines_undo(const struct engine *, const uint64_t *revision, struct ask *, struct pt_error *);

/* What waits is to stay so (`revision`: if the engine is at that one), or, with extend_s, to wait
   for so long from now on. `done` comes when that is kept, with {revision, left_s?}. */
int engines_confirm(struct engine *, const uint64_t *revision, double extend_s, struct ask *,
                    engines_done *, void *arg, struct pt_error *);

/* As engine.diff answers: from the file, as these operations; or, without a revision, from the one
   before the last, to the graph that is; from that to the revision; or from it to another. */
int engines_diff(const struct engine *, const uint64_t *revision, const uint64_t *to,
                 const json_t *file_ops, json_t **result, struct pt_error *);

/* Adds to what engine.log answers: all of its past, or one revision. */
int engines_add_log(const struct engine *, const uint64_t *revision, json_t *log,
                    struct pt_error *);

/* ---- making and unmaking ---- */

/* From here on engines are kept in the journal. */
void engines_keep(struct engines *, struct journal *);

/* For journal_scan: makes an engine that was found, with the graph and the revisions that it had,
   running if it ran. What cannot be made or started is there, failed, and tried again. `arg` is the
   struct engines. */
journal_found engines_restore;
/* Calls `done` when all that were found have come or failed. */
void engines_when_restored(struct engines *, engines_done *, void *arg);

/* What was kept of this engine cannot be read: it is there without blocks, failed, and this is
   why. */
void engines_lost(struct engines *, const char *name, const char *why, bool aside);

/* Makes an engine with a graph, all or nothing: while it is being made, and until a failure is
   told, its name is taken. */
struct engine_wish {
	const char *name;
	const struct pt_request *graph; /* ops, or blocks and links; fds; borrowed until `done` */
	bool start;
	bool dry_run;        /* only whether it could be made: it is gone when `done` is called */
	bool ephemeral;      /* not to be kept over a restart of the daemon */
	int64_t if_revision; /* as of a change: of what is not there it is 0; -1: any */
	const char *file; /* of the folder of engines, its path: not kept either; NULL: of none. The
	                      engine is there although its graph or its start was refused: failed */
	const char *why;  /* the file cannot be used: it has no blocks, and this is why */
	const void *owner; /* not NULL: not kept, and it ends with engines_disown */
	struct author author;
};
void engines_make(struct engines *, const struct engine_wish *, engines_done *, void *arg);

/* Stops it, flushing its sinks, and frees it, on a thread of its own. `why` is told; NULL: a client
   wants it. */
void engines_destroy(struct engine *, const char *why, engines_done *, void *arg);
/* Stops it, flushing its sinks, and hides it: it is destroyed when that is confirmed, and is there
   again after the author's confirm_s else, also after a restart. The ask has its author. */
void engines_leave(struct engine *, struct ask *, engines_done *, void *arg);

/* Destroys what was made for this owner, also what is still being made, and takes out blocks that
   were added for it. */
void engines_disown(struct engines *, const void *owner);

/* The daemon ends: no engine is made any more, all are destroyed, `done` is called after the
   last. */
void engines_end(struct engines *, engines_done *, void *arg);

#endif
