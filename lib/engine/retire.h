/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change leaves behind, until it is closed and gone. */
#ifndef ENGINE_RETIRE_H
#define ENGINE_RETIRE_H

#include "engine/engine.h"

struct pt_request;

/* Made before the commit, with room for all that the graph `now` has, so that the commit need not
   allocate. On the engine's thread. */
struct retired *retired_new(const struct graph *now);
void retired_free(struct retired *); /* of one that was never handed over */

/* Stops a block; its successor, if there is one, takes over first. */
void retired_add_block(struct retired *, struct pt_block *old, struct pt_block *successor);
void retired_add_wires(struct retired *, struct wires *);
void retired_add_link(struct retired *, struct link *);

/* Hands everything over, with the graph that was: once the handles of the blocks are gone they are
   closed on a worker thread, then all is freed, and the request answered with `result` (taken),
   in which "failed" lists the blocks that could not be closed well. */
void retired_end(struct pt_engine *, struct retired *, struct graph *was, struct pt_request *,
                 json_t *result);

#endif
