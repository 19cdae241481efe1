/* SPDX-License-Identifier: BSD-2-Clause */
/* A block, or a small graph, on a test bench: the test is the engine's thread, and time is faked.
 *
 *     struct rig *r = rig("TriggeredValve", "start_state=False");
 *     push(r, LOW, "a");   expect_nothing(r);
 *     fire(r);             expect_trigger(r);
 *     push(r, LOW, "b");   expect(r, LOW, "b");
 *     rig_end(r);
 *
 * rig_end asserts that no message lives, that no handle is open and that the ledger balances.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "engine/engine.h"
#include <jansson.h>

#define LOW  PT_LOW
#define HIGH PT_HIGH

struct rig;

/* Of the engines of rigs to come. Scripts have a minute, not 100 ms, so that a test of something
   else never meets that limit where the machine is slow. */
extern struct pt_engine_limits rig_limits;

/* One block named `it`, its exits linked to a recorder, in a running engine. `arguments` as in the
   pipe language. */
struct rig *rig(const char *type, const char *arguments);

/* A graph in the pipe language. RigSource sends what `push` and its like give; RigSink records. */
struct rig *rig_graph(const char *text);

struct pt_engine *rig_engine(struct rig *);
struct pt_block *rig_block(struct rig *, const char *name);

void push(struct rig *, enum pt_canal, const char *text); /* one message into `it` */
void push_all(struct rig *, enum pt_canal, const char *const *texts, unsigned count); /* a vector */
void push_messages(struct rig *, enum pt_canal, struct pt_msg **, unsigned count);
void push_packet(struct rig *, const void *bytes, size_t length, uint16_t link_type);
void fire(struct rig *); /* a trigger into `it` */

/* What was recorded since the last look, oldest first. */
void expect(struct rig *, enum pt_canal, const char *text);
void expect_at(struct rig *, const char *where, const char *text); /* where: "a>" or "a>>" */
void expect_trigger(struct rig *);
void expect_nothing(struct rig *);
void expect_printed(struct rig *, const char *text); /* all that was printed since */
void expect_printed_prefix(struct rig *, const char *text);
void expect_report(struct rig *, const char *part);         /* in the oldest report not looked at */
void expect_whole_report(struct rig *, const char *wanted); /* which is it */

void turn(struct rig *);                      /* lets the loop turn until it would wait */
void pass_time(struct rig *, double seconds); /* with every timer on its way */

/* Asks as a client does and waits for the answer: the result (borrowed until the next call), or
   NULL, with the fault's first message in rig_words. */
const json_t *ask(struct rig *, const char *verb, const char *json);
const json_t *ask_change(struct rig *, const char *pipe_text); /* parsed to ops */
/* The same, not asked yet: `done` is to be set, and it is to be cleared. */
void rig_request(struct pt_request *, const char *verb, const char *json);
void rig_request_clear(struct pt_request *);
const char *rig_words(const struct rig *);
const char *rig_kind(const struct rig *); /* "cycle" */
char *rig_export(struct rig *);           /* the graph as pipe text; to be freed */

void rig_end(struct rig *);

#endif
