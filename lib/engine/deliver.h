/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and triggers on their way: synchronous, depth first, in the order of the links. */
#ifndef ENGINE_DELIVER_H
#define ENGINE_DELIVER_H

#include "engine/block.h"

/* Hands a vector to a block's entry; `bytes` is the sum of its lengths. The references are taken,
   the array is the callee's while the call lasts. */
void deliver(struct pt_block *, enum pt_canal, struct pt_msg **messages, unsigned count,
             uint64_t bytes);

/* What a block has sent for the first messages of a vector goes on: before it does something for
   the next one that is seen outside. */
void deliver_gathered(struct pt_block *);

/* Triggers a block, as a link would. */
void deliver_trigger(struct pt_block *);

/* The exit by which a type without push passes on what comes in at an entry; -1: discards. */
signed char deliver_passes(const struct pt_type *, enum pt_canal);

#endif
