/* SPDX-License-Identifier: BSD-2-Clause */
/* What the methods' tables cannot say of a request: whether blocks are what their types allow, and
   whether there can be such a graph. */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include <jansson.h>
#include <pipetool/engine.h>

/* Checks every {type, params} of a list, which may be anything: what is no block is passed over.
   `place` is the list's: "$.ops". Returns 0 or the first fault's code. */
int check_blocks(const json_t *list, const char *place, struct pt_error *);

/* A line was refused as a request. Where that was for its parameters, adds the faults of the blocks
   in them, which otherwise the engine would have found: all that is wrong is told at once. */
void check_refused(const char *line, size_t length, struct pt_error *);

/* Makes the operations in an engine of its own, which is not started and gone afterwards: names,
   links, parameters and scripts are looked at, and nothing is opened. Faults come as of
   engine.change. Waits. */
int check_graph(const char *name, json_t *ops, const struct pt_engine_limits *, struct pt_error *);

#endif
