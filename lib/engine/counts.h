/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts of blocks and links, carried to the next daemon as part of a checkpoint. */
#ifndef ENGINE_COUNTS_H
#define ENGINE_COUNTS_H

struct pt_engine;

/*
 * As bytes, of what carries the name COUNTS, which no block has: all of them, seldom, where there
 * are many, and under the other name those that are others since then. What the next daemon's
 * blocks have counted by then, as what they found in their queues, comes on top: messages that were
 * held and are not there any more are lost ("restart"). The equations of the ledger hold behind it
 * whatever the graph has become meanwhile.
 */
#define COUNTS       "*"
#define COUNTS_SINCE "*since"

void counts_tell(struct pt_engine *);   /* as of the cut that is under way */
void counts_forget(struct pt_engine *); /* there is no cut any more */
void counts_keep(struct pt_engine *);   /* of what an earlier daemon has left, for: */
void counts_take(struct pt_engine *);   /* all blocks have started, or: */
void counts_let_go(struct pt_engine *);

#endif
