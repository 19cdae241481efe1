/* SPDX-License-Identifier: BSD-2-Clause */
/* Write a block: a source, a drain or a sink. */
#ifndef PIPETOOL_BLOCK_H
#define PIPETOOL_BLOCK_H

#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <pipetool/param.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A block type is one constant table, struct pt_type, at the end of one file. The engine allocates
 * `size` bytes of state for each block of the type, zeroed, reads the parameters into it, and then
 * calls the table's functions. A function that is NULL does nothing. Whatever needs a file, a
 * socket, a program or another thread finds more in <pipetool/outside.h>, and what holds messages a
 * queue in <pipetool/queue.h>; docs/writing-blocks.md has a drain, a source and a block that keeps
 * something, whole.
 *
 * Life:      init ── start ── (act, trigger, produce, …) ── stop ── fini
 *                      └─ as often as the engine is started ─┘
 *            Whatever can fail does so in init, before the graph changes. fini runs even if init
 *            failed, and may not mind what is missing.
 *
 * Messages:  what comes in is yours: send it on, drop it with a reason, hold it (pt_hold) or, in a
 *            sink, say that it is delivered (pt_done). The engine counts, and `ptctl stats` shows a
 *            message that went none of these ways as unexplained.
 *
 *                wrong                                     right
 *                pt_send(b, PT_LOW, m);                    n = m->length;
 *                n = m->length;                            pt_send(b, PT_LOW, m);
 *
 *                if (closed) return;                       if (closed) pt_drop(b, m, "closed");
 *
 *                ((uint8_t *)m->bytes)[0] = 0;             p = pt_msg_edit(&m); if (p) p[0] = 0;
 *
 * Order:     delivery is synchronous and depth first: when pt_send returns, the message has gone
 *            all the way. What is seen outside is what one message at a time would show, also
 *            where the engine moves them in vectors.
 *
 * Threads:   an engine is one thread, and all functions of a block but init run on it, never two at
 *            once. init runs on a thread of its own, while the engine goes on; it may use only
 *            pt_state, pt_name, pt_type_of and pt_fail.
 *
 * Errors:    0 or a negative code, the words by pt_fail (error.h). Nothing here logs for you: what
 *            goes wrong while running is told by pt_report or pt_failed.
 */

#define PT_API 1

struct pt_block;
struct pt_carry;

enum pt_role { PT_SOURCE = 1, PT_DRAIN, PT_SINK };

enum pt_canal { PT_LOW, PT_HIGH, PT_TRIGGER };

enum pt_port {
	PT_LOW_ENTRY = 1,
	PT_LOW_EXIT = 2,
	PT_HIGH_ENTRY = 4,
	PT_HIGH_EXIT = 8,
	PT_TRIGGER_ENTRY = 16,
	PT_TRIGGER_EXIT = 32,
};

/* What coming in at `entry` may at once send out at `exit`. What a block sends later, from a timer
   or a socket, is no route. The engine finds cycles, and where order could be seen, by these. */
#define PT_ROUTE(entry, exit) (1u << ((entry)*3 + (exit)))
#define PT_STRAIGHT           (PT_ROUTE(PT_LOW, PT_LOW) | PT_ROUTE(PT_HIGH, PT_HIGH))
#define PT_CROSSWISE          (PT_ROUTE(PT_LOW, PT_HIGH) | PT_ROUTE(PT_HIGH, PT_LOW))

/*
 * A field of the state that goes on where another block of the type takes the place of a running
 * one, and in the next daemon after a restart: a plain value, without pointers. The engine moves
 * it; with that done, pt_goes_on is true in `start`, which else sets the field. After it has
 * changed the block calls pt_carry_changed.
 */
enum pt_carried_kind {
	PT_CARRIED_BOOL = 1, /* bool */
	PT_CARRIED_INT,      /* int64_t */
	PT_CARRIED_BYTES,    /* any other */
	PT_CARRIED_QUEUE,    /* struct pt_queue: see queue.h. One of a type */
};

enum {
	PT_ALIVE = 1, /* not over a restart: counted on a clock, say */
	PT_SHOWN = 2, /* told by `ptctl show`, under its name: of a bool and an int */
};

struct pt_carried {
	const char *name; /* the same in every version of the type */
	enum pt_carried_kind kind;
	size_t offset, size;
	unsigned flags;
};

#define PT_CARRY_BOOL(type, field) \
	.kind = PT_CARRIED_BOOL, .offset = PT_FIELD(type, field, bool), .size = sizeof(bool)
#define PT_CARRY_INT(type, field) \
	.kind = PT_CARRIED_INT, .offset = PT_FIELD(type, field, int64_t), .size = sizeof(int64_t)
#define PT_CARRY_BYTES(type, field)                                \
	.kind = PT_CARRIED_BYTES, .offset = offsetof(type, field), \
	.size = sizeof(((type *)0)->field)

struct pt_type {
	unsigned api;                /* PT_API */
	const char *name;            /* as users type it: TriggeredValve */
	const char *summary;         /* one line, without full stop */
	const char *help;            /* more, or NULL */
	const char *picture;         /* ports and wiring; its ports must be those of .ports */
	const char *const *examples; /* pipe language, each can be run; ends with NULL */
	enum pt_role role;
	unsigned ports;      /* enum pt_port */
	unsigned routes;     /* PT_ROUTE */
	const char *outside; /* what blocks of this and other types share outside the graph, so that
	                         the order between them can be seen: "console"; or NULL */
	const struct pt_param *params;    /* ends with a row without a name; NULL: none */
	const struct pt_carried *carries; /* the same */
	size_t size;                      /* of the state */

	int (*init)(struct pt_block *, struct pt_error *); /* parameters are in place; no I/O */
	void (*start)(struct pt_block *);                  /* arm handles and timers */

	/* A message came in at an entry. A type has one of the three; one that has none passes
	   messages on by its routes, or, where there are none, discards.
	   act: what is returned, the message or another, goes on by the route of its entry; where
	   there is none, as in a sink, it is delivered. NULL: it was dropped, held, or sent.
	   push_many: up to 64 of them; `messages` is yours to change as long as the call lasts. */
	struct pt_msg *(*act)(struct pt_block *, enum pt_canal, struct pt_msg *);
	void (*push)(struct pt_block *, enum pt_canal, struct pt_msg *);
	void (*push_many)(struct pt_block *, enum pt_canal, struct pt_msg **messages,
	                  unsigned count);
	void (*trigger)(struct pt_block *);

	/* Of a source, or of a block that lets go of what it has held: send up to `max` messages
	   (64 at most). Called again and again, in fair turns, between pt_ready(b, true) and
	   pt_ready(b, false), unless a sink downstream is full. */
	void (*produce)(struct pt_block *, unsigned max);
	void (*changed)(struct pt_block *); /* PT_LIVE parameters were set */
	void (*stop)(struct pt_block *);    /* may still send what it holds; may not block */
	void (*fini)(struct pt_block *);

	/* What `ptctl show` tells of a running block beside its parameters and what is PT_SHOWN: a
	   new object, as {"address": "192.0.2.1:5555"}, or NULL. */
	struct json_t *(*describe)(struct pt_block *);

	/* Of blocks that reach outside of the graph: <pipetool/outside.h> tells. */
	int (*open)(struct pt_block *, struct pt_error *);
	int (*close)(struct pt_block *, struct pt_error *);
	void (*pause)(struct pt_block *, bool paused);
	int (*feed)(struct pt_block *, enum pt_canal, struct pt_msg **messages, unsigned count,
	            struct pt_error *);
	void (*finish)(struct pt_block *);
	struct pt_msg *(*take)(struct pt_block *, enum pt_canal *);
	void (*give_back)(struct pt_block *, enum pt_canal, struct pt_msg *);
	void (*no_more)(struct pt_block *);
	void (*reopen)(struct pt_block *);
	void (*refresh)(struct pt_block *);
	bool (*progress)(struct pt_block *, uint64_t *done, uint64_t *size);
	void (*woken)(struct pt_block *);
	void (*carry)(struct pt_block *, struct pt_carry *);
	bool (*settle)(struct pt_block *, bool begin);
	void (*committed)(struct pt_block *);
	void (*take_over)(struct pt_block *, struct pt_block *old);

	/* Where ports depend on parameters: the table for these, one of several with the same name
	   and parameters, that all have this function. */
	const struct pt_type *(*variant)(const struct json_t *params);
	/* What comes of a message comes back later, from a program say: the routes tell where it
	   may go, pt_in_turn whether it has to have gone before the next one, and pt_busy that it
	   has not yet. Such a source goes on sending what comes of messages when it is
	   exhausted. */
	bool elsewhere;
};

/* ---- what a block may call; on the engine's thread unless said otherwise ---- */

void *pt_state(const struct pt_block *);                   /* [any thread] its own state */
const char *pt_name(const struct pt_block *);              /* [any thread] */
const struct pt_type *pt_type_of(const struct pt_block *); /* [any thread] */
struct pt_pool *pt_pool(struct pt_block *);                /* to make messages from */

/* Sends a message out of the block: over each link of the exit, in the order in which they were
   made. Takes the reference. Without a link the message is dropped and counted. */
void pt_send(struct pt_block *, enum pt_canal, struct pt_msg *);
void pt_send_many(struct pt_block *, enum pt_canal, struct pt_msg **messages, unsigned count);

/* Triggers whoever is linked with `^`, after all that was sent before. */
void pt_trigger(struct pt_block *);

/* Where a message begins: to be called for each that did not come from a push. */
void pt_made(struct pt_block *, unsigned count);

/* A message of these bytes, or as it was given, begins here; without memory for it, it is lost. */
void pt_send_bytes(struct pt_block *, enum pt_canal, const void *data, size_t length);
void pt_send_given(struct pt_block *, enum pt_canal, const struct pt_given *);

/* Where a message ends. `why` is a short constant word: `ptctl help reasons` lists those that there
   are, each with its kind: filtered, where the graph was told to leave the message out, or dropped,
   where it is lost. A word of one's own means dropped by pt_drop, and filtered by pt_filter_out.
   All take the reference. */
void pt_drop(struct pt_block *, struct pt_msg *, const char *why);
void pt_filter_out(struct pt_block *, struct pt_msg *, const char *why);
void pt_done(struct pt_block *, struct pt_msg *); /* delivered outside: printed, written, sent */
void pt_done_many(struct pt_block *, struct pt_msg **messages, unsigned count);

/* So many messages that the block has never held: `pt_made` and dropped. */
void pt_lost(struct pt_block *, uint64_t count, const char *why);

/* Holds a message for later: counted as held until it is sent, dropped or done. Takes the
   reference and returns the message to hold, which pins no more memory than its own bytes; NULL,
   and the message dropped and counted, if the memory limit is reached. */
struct pt_msg *pt_hold(struct pt_block *, struct pt_msg *);

/* The same of messages that are held in another form, as many in one piece of bytes, say: takes the
   references, and as many count as held until they are said to be done or dropped. Found: that they
   are held already, from an earlier life of the block. */
void pt_held_packed(struct pt_block *, struct pt_msg **messages, unsigned count);
void pt_held_found(struct pt_block *, uint64_t count);
void pt_held_done(struct pt_block *, uint64_t count);
void pt_held_drop(struct pt_block *, uint64_t count, const char *why);

/* Applies a function that the user gave. NULL: the message was dropped and counted. The test gives
   1, 0, or a negative code: the error is reported, and the message is for the block to drop. */
struct pt_msg *pt_transform(struct pt_block *, struct pt_func *, struct pt_msg *);
/* The same of many, in order: how many are left. */
unsigned pt_transform_many(struct pt_block *, struct pt_func *, struct pt_msg **messages,
                           unsigned count);
int pt_test(struct pt_block *, struct pt_func *, const struct pt_msg *);

/* Of up to 64 messages keeps those for which the test is true, in order, and drops the others; how
   many are left. */
unsigned pt_sift(struct pt_block *, struct pt_func *, struct pt_msg **messages, unsigned count);

/* Sources: is there something to produce; there will never be more (ends a clean stop). */
void pt_ready(struct pt_block *, bool ready);
void pt_exhausted(struct pt_block *);

/* Of a drain: what it holds goes on by itself, on a timer: a clean stop waits for that. */
void pt_goes_later(struct pt_block *, bool later);

/* What would still come is of no use to the block, or is again: sources all of whose ways lead to
   such blocks, none by a trigger, are exhausted. */
void pt_enough(struct pt_block *, bool enough);

/* Of a type with `elsewhere`: whether ways meet behind the block, or data a trigger there, so that
   all that comes of a message has to have been sent before push or trigger returns; and whether
   something may still come of what it was given. */
bool pt_in_turn(const struct pt_block *);
void pt_busy(struct pt_block *, bool busy);

/* Text for the daemon's standard output and for whoever is attached. Copies it. */
void pt_print(struct pt_block *, enum pt_canal, const char *text, size_t length);

/* Counts an error on the block and reports it: at once, then at most once a second. After
   pt_failed the block's state is "failed"; a source that failed is exhausted. */
void pt_report(struct pt_block *, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void pt_failed(struct pt_block *, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* News: reported without counting as an error, and shown with the block until the next. */
void pt_note(struct pt_block *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Time. A timer lives in the block's state, zeroed; it runs once, and is stopped with the block.
   pt_now is the engine's clock: nanoseconds, monotonic; tests can fake it. */
struct pt_timer {
	uint64_t due_ns;
	void (*then)(struct pt_block *);
	struct pt_block *block;
	size_t place; /* in the engine's heap; 0: not armed */
};
uint64_t pt_now(const struct pt_block *);
void pt_timer_at(struct pt_block *, struct pt_timer *, uint64_t due_ns,
                 void (*then)(struct pt_block *));
void pt_timer_stop(struct pt_block *, struct pt_timer *);

/* What the block carries is no longer what it was: its peer has come, say. */
void pt_carry_changed(struct pt_block *);

/* In `start`: what the type carries is that of the block whose place this one takes, or of the
   daemon before. */
bool pt_goes_on(const struct pt_block *);

/* The last line of blocks/NAME.c, and what a plugin NAME.so exports. */
#define PT_TYPES(file, ...) const struct pt_type *const pt_types_##file[] = {__VA_ARGS__, NULL}

#ifdef __cplusplus
}
#endif
#endif
