/* SPDX-License-Identifier: BSD-2-Clause */
/* Write a block that reaches outside of the graph: files, sockets, programs, threads, people. */
#ifndef PIPETOOL_OUTSIDE_H
#define PIPETOOL_OUTSIDE_H

#include <pipetool/block.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Life:      init ── open ── start ── (act, trigger, produce, …) ── stop ── close ── fini
 *                      └───────────── as often as the engine is started ──────┘
 *            open: files, sockets, devices; what can fail there does so before the graph changes.
 *            close: flush to disk; handles are gone. It runs even if open failed. Both run, as init
 *            does, on a thread of their own, while the engine goes on, and may block; they may use
 *            only what is marked [any thread], pt_carried_fd and pt_carried_bytes.
 *
 *                wrong                                     right
 *                uv_close(handle, NULL);                   pt_adopt(b, handle), once, in start
 *
 * By hand:   feed (`ptctl send`) takes all of the messages, at least one, or refuses them all; they
 *            are gone either way. finish: `ptctl close`. take (`ptctl recv`): the oldest held
 *            message and its canal, NULL if there is none. The three also come while the engine is
 *            stopped. give_back: a message that was taken has not come to whoever asked for it, and
 *            is the oldest again; takes it. Without it what is taken cannot come back.
 *
 * News:      pause: a sink downstream is full, or no more, for a source that can make its own
 *            origin wait. no_more: no message will come any more, for the sources that reach the
 *            block are exhausted, and what was held on the way has passed; not where no source
 *            reaches it. reopen, of a running block: a file that it writes may have lost its name,
 *            and is to be opened anew by that name (SIGHUP, or `ptctl set` of the same name).
 *            refresh: somebody asks, bring counters up to date. progress: how far a source has come
 *            through what it reads, in any unit; false: unknown. woken: after pt_wake.
 *
 * Carrying:  carry: a running block is asked what it can carry over beside its rows, by pt_carry_fd
 *            and pt_carry_bytes: to a block that takes its place while both run, or to itself after
 *            the daemon has started anew. take_over: a block of the same type takes the other's
 *            place, between two messages: take over its state, before start. It may have changed
 *            since it was asked what it carries; it stops next.
 *
 * Exactly:   where a source runs that says pt_exact, checkpoints are taken between two turns of the
 *            engine (100 ms apart while something flows, more where blocks take long to tell),
 *            each of all blocks at one moment, and the next daemon goes on from the last one that
 *            is whole. A block that has come on since it was asked says pt_came_on. settle: of a
 *            block that carries what is not in the kernel
 *            yet, as what is to be written to a file: with `begin` it notes how far it is and has
 *            that written; true when it is, else it is asked again after each turn (pt_wake), and
 *            only then by `carry` for what it noted. committed: the checkpoint for which it was
 *            asked last is whole; what was kept to go back before it may go.
 */

struct uv_loop_s;
struct uv_handle_s;

/* [any thread] So many messages that were said to be delivered were lost after all, behind a
   buffer: they count as dropped instead. One block has one such reason. */
void pt_undone(struct pt_block *, uint64_t count, const char *why);

/* As pt_note, and the block has no longer failed, nor is its last error shown. */
void pt_mended(struct pt_block *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* After pt_failed: the block is not exhausted, since what it needs may come again. pt_retry: the
   engine stops, closes, opens and starts it until that succeeds: soon, then every so many seconds,
   and when an interface or an address comes; 0: it does not. pt_retry_by: and also then, whenever
   that is. pt_waits: it goes on by itself (pt_mended). */
void pt_retry(struct pt_block *, double after_s);
void pt_retry_by(struct pt_block *, uint64_t time_ns);
void pt_waits(struct pt_block *);

const char *pt_engine_of(const struct pt_block *); /* [any thread] its engine's name */
/* [any thread] What tells its daemon from others of the machine, also after a restart: the folder
   of its state; or "". */
const char *pt_place_of(const struct pt_block *);

/* [any thread] Whether the configuration lets blocks run this program ([programs] allow); else the
   fault, under `param`. */
int pt_may_run(const struct pt_block *, const char *param, const char *program, struct pt_error *);

/* [any thread] As open(2), of a path that a user gave, and only in the folders that the
   configuration allows ([files] allow), whatever links lead there. Never waits: O_NONBLOCK is set.
   The descriptor, or a negative code and the fault, under `param`. pt_folders is the list for a
   parameter of kind FILE (NULL: of another kind), to be kept for opening later by base/path.h. */
int pt_open(const struct pt_block *, const char *param, const char *path, int flags, unsigned mode,
            struct pt_error *);
const char *const *pt_folders(const struct pt_block *, const struct pt_file *);
/* The same of a parameter of kind FILE. One that was handed over is the caller's own copy, which a
   regular file is read or written through from its beginning; refused if it is not open for
   that. */
int pt_open_file(const struct pt_block *, const char *param, const struct pt_file *, int flags,
                 unsigned mode, struct pt_error *);

/* libuv handles of one's own: made on the engine's loop in `start` or later, lying in the block's
   state. After pt_adopt the engine closes them when the block stops, and only then runs close; it
   sets their `data` to the block. */
struct uv_loop_s *pt_loop(struct pt_block *);
void pt_adopt(struct pt_block *, struct uv_handle_s *);

/* The engine's thread waits, with all that it does, for one of the descriptors, or until that time
   of pt_now; false: the time is up, or the engine is to stop, and 2 s are over. For what pt_in_turn
   demands, and the end of `stop`; nothing else may block. */
struct pollfd;
bool pt_await(struct pt_block *, struct pollfd *, unsigned count, uint64_t until_ns);

void pt_wake(struct pt_block *); /* [any thread] has `woken` called on the engine's thread, soon */

/* [any thread] In `open`: the daemon itself brings the engine back, after a crash or a boot, to
   what it was, or the engine a block that has failed; files that were being written go on, also
   where nothing is left of them but their names. */
bool pt_comes_back(const struct pt_block *);

/* [any thread] Whether what the block carries outlives the daemon. */
bool pt_is_stored(const struct pt_block *);

/* Of a source that acknowledges at its origin. Where there are checkpoints, `committed` says when.
   Where there are none: whether the sinks of the engine have settled what was sent before the last
   call with `begin`; it asks again until that is so. */
bool pt_has_checkpoints(const struct pt_block *);
bool pt_settled(struct pt_block *, bool begin);
/* In `start`, of a source that is exact: its origin keeps what no checkpoint has covered, however
   long that takes. pt_may_wait: all sources that go back are such, and nobody waits for a
   checkpoint, so `settle` need not let one go by while what is to be settled cannot be. In `stop`,
   pt_unsettled: what was given up then comes again, as after a crash. */
void pt_keeps(struct pt_block *);
bool pt_may_wait(const struct pt_block *);
void pt_unsettled(struct pt_block *);

/* In `start` or later, of a source: after a crash it makes again, in order, whatever it had made
   since the checkpoint that it finds itself at. False: nothing is stored of this engine, and there
   are none. And of any block, often: it is not where it was; and what it has to keep because of
   that leaves little room: the next checkpoint comes at once. */
bool pt_exact(struct pt_block *);
void pt_came_on(struct pt_block *);
void pt_brims(struct pt_block *);
/* In `start`, of a source that is exact: three times in a row the daemon has died by what comes
   behind the checkpoint. It leaves that out: a vector of PT_POISON messages, or the unit in which
   they come; counts ("poison") and tells it. */
#define PT_POISON 64
bool pt_poisoned(const struct pt_block *);
/* In `start`: so many messages have waited for the daemon, beside what is in queues. */
void pt_waited(struct pt_block *, uint64_t count);

/*
 * What is carried over beside the rows of the type. A key names a thing so that nothing else has
 * the name ("listen 127.0.0.1:5000"), and means the same to every type and to the next daemon.
 *
 * In `carry`: the block has this descriptor, which stays its own; -1: something without one. Bytes
 * are copied, and are what is not in the kernel ("the first peer has come").
 *
 * In `open`: true means that it need not be opened. Either *fd is the block's from now on; or it is
 * -1, and `take_over` will have it, so that until then the other block goes on with it. What is not
 * asked for is closed. Bytes are valid until `start` returns; NULL: none were carried.
 */
enum pt_carry_to {
	PT_TO_SUCCESSOR, /* a block of the same type takes over: a key is a promise */
	PT_FOR_RESTART,  /* so that the next daemon goes on with it, should this one crash */
	PT_AT_END,       /* the daemon ends now. What is carried goes on without it: it is not to be
	                    flushed, ended or shut down by `stop` and `close`, which come next */
};
enum pt_carry_to pt_carry_to(const struct pt_carry *);
bool pt_carry_exact(const struct pt_carry *); /* in `carry`: it is of a checkpoint */
void pt_carry_fd(struct pt_carry *, const char *key, int fd);
void pt_carry_bytes(struct pt_carry *, const char *key, const void *bytes, size_t length);
bool pt_carried_fd(struct pt_block *, const char *key, int *fd);
const void *pt_carried_bytes(struct pt_block *, const char *key, size_t *length);

#ifdef __cplusplus
}
#endif
#endif
