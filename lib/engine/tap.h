/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps: what leaves a block, shown to somebody, live. */
#ifndef ENGINE_TAP_H
#define ENGINE_TAP_H

#include "engine/engine.h"

/*
 * A tap belongs to an engine and names a block. It sees what leaves the block by its exits, also
 * where nothing is linked there; of a block without exits, what enters it. It holds no message and
 * counts in no ledger: a message is written down while it passes, or, while the receiver is not
 * ready, left out and counted. All of it on the engine's thread.
 *
 * Delivery knows a tap by pt_block.taps (what leaves) and pt_block.entry_taps (what enters); both
 * are NULL where nobody looks.
 */
#define TAPS_MAX 256 /* of one engine */

struct pt_request;
int tap_add(const struct pt_request *, const struct graph_block *, struct pt_error *);
void tap_end_all(struct pt_engine *);

/* The graph has changed: taps go to the block that has the name now, and end where there is
   none. */
void tap_bind(struct pt_engine *);

void tap_see(struct tap *first, enum pt_canal, struct pt_msg *const *messages, unsigned count);

/* Hands over what was written down, and what is to be told of losses. */
void tap_settle(struct pt_engine *);

#endif
