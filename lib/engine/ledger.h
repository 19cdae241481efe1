/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger: where every message went. */
#ifndef ENGINE_LEDGER_H
#define ENGINE_LEDGER_H

#include "engine/engine.h"

/*
 * For every block  in = out + held + filtered + dropped (the last two by reason), where `in` counts
 * what came over links and what the block made itself or took from outside; for a sink, `out` is
 * what it delivered outside. For every block, what came over its links is what the links carried;
 * for every link, what it carried is what its exit sent since it was made. Whatever is missing in
 * one of these is unexplained: a fault in a block or in the engine.
 */
uint64_t ledger_unexplained(const struct pt_engine *);
uint64_t ledger_block_unexplained(const struct pt_block *); /* the first equation alone */

void ledger_settle(
	struct pt_engine *); /* counts that blocks have by the way are brought up to date */
uint64_t ledger_in(const struct pt_block *);
uint64_t ledger_uptime_ns(const struct pt_engine *); /* since its last start; 0: it does not run */

/* What engine.stats answers. A new reference. */
json_t *ledger_to_json(struct pt_engine *);

#endif
