/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs that change a graph have in common. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "base/buf.h"
#include "ctl/ctl.h"

/* Sends engine.change with the verb's options (--if-revision, --dry-run, --comment, --confirm).
   `ops` is taken over. */
int change_send(struct ctl *, const char *engine, json_t *ops, json_t **result, struct pt_error *);

/* The same for engine.apply; `graph` holds blocks and links, and is taken over. */
int change_apply(struct ctl *, const char *engine, json_t *graph, json_t **result,
                 struct pt_error *);

/* Any method that makes a change, with the verb's options. `params` is taken over. */
int change_call(struct ctl *, const char *method, const char *engine, json_t *params,
                json_t **result, struct pt_error *);

/* Operations as they would be typed, one a line. */
void change_show_ops(struct buf *, const json_t *ops, const char *indent);

/* Shows the result (with -j all of it, with --dry-run the plan, else what was done in one line,
   unless --quiet) and frees it. Returns the exit status. */
int change_done(struct ctl *, const char *engine, json_t *result);

/* That nothing had to be done, as such a result. */
int change_none(struct ctl *, const char *engine, json_int_t revision);

/* "revision 2: added d1, si1; linked s > d1 > si1", or "no change"; cut to so many columns with
   "and 57 more". Without newline. */
void change_summary(struct buf *, json_int_t revision, const json_t *ops, size_t width);

/* Both, for a change that needs nothing else. */
int change_run(struct ctl *, const char *engine, json_t *ops);

/* {op: …, name: …}: a new reference. */
json_t *change_op(const char *op, const char *name);

#endif
