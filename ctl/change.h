/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs that change a graph have in common. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "base/buf.h"
#include "ctl/ctl.h"

/* Sends engine.change with the verb's engine and options. `ops` is taken over. */
int change_send(struct ctl *, json_t *ops, json_t **result, struct pt_error *);
/* The same, and shows what came of it. Returns the exit status. */
int change_run(struct ctl *, json_t *ops);

/* That nothing had to be done, as such a result; `revision` may be NULL. */
json_t *change_none(const json_t *revision);

/* What a graph, or its stats, has under the same name as an operation, a block or a link of another
   look: the block, or the link between the same two; NULL: it is not there. */
const json_t *change_same(const json_t *graph, const json_t *item);

/* Operations as they would be typed, one a line; `was` (see engine.log, may be NULL) tells what
   those that set or replace something take the place of. */
void change_show_ops(struct buf *, const json_t *ops, const json_t *was, const char *indent);

/* What verbs that change a graph print: with --dry-run the plan, else what was done in one line,
   unless --quiet; and their exit status. */
void change_print(struct ctl *, struct buf *, json_t *result);
int change_done(struct ctl *, json_t *result);

/* "revision 2: added d1, si1; linked s > d1 > si1", or "no change"; cut to so many columns with
   "and 57 more". Without newline. */
void change_summary(struct buf *, json_int_t revision, const json_t *ops, size_t width);

/* "it goes back at 12:00:00, unless: ptctl confirm gate". */
void change_tell_until(struct buf *, const char *engine, const char *what, double after_s);

/* What diff prints, and its exit status. */
void change_print_diff(struct ctl *, struct buf *, json_t *result);
int change_diff_done(struct ctl *, json_t *result);

/* {op: …, name: …}: a new reference. */
json_t *change_op(const char *op, const char *name);

#endif
