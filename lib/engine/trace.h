/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces: what becomes of single messages, at each block that they come to. */
#ifndef ENGINE_TRACE_H
#define ENGINE_TRACE_H

#include "engine/traced.h"

/*
 * A trace belongs to an engine, and follows the next messages that leave its sources, or one block.
 * Delivery is synchronous: so whose message it is that a block passes on, drops or holds is told by
 * a stack of frames, one for each exit that a message leaves by and for each entry that it comes in
 * at, whatever the block makes of it. What is held is in a table until the block lets go of it, and
 * carries MSG_TRACED, as do copies of the descriptor. A vector is split only where such a message
 * is in it. All of it on the engine's thread.
 *
 * The functions below are called where pt_engine.traces is not NULL, and else nothing is done: a
 * look at that pointer is all that it costs where nobody traces.
 */
#define TRACES_MAX 64 /* of one engine */

struct pt_request;
int trace_add(const struct pt_request *, const struct graph_block *, struct pt_error *);
bool trace_remove(struct pt_engine *, void *arg); /* the hooks'; false: there is none */
void trace_end_all(struct pt_engine *);
void trace_bind(struct pt_engine *);   /* the graph has changed */
void trace_settle(struct pt_engine *); /* hands over what was written, ends what is over */

/* Whether the vector, which leaves the block, is to go message by message. */
bool trace_parts(struct pt_block *, struct pt_msg *const *messages, unsigned count);

/* The vector leaves the block, comes to it, or a trigger does; trace_back when that is over. */
void trace_leave(struct pt_block *, enum pt_canal exit, struct pt_msg **messages, unsigned count);
void trace_arrive(struct pt_block *, enum pt_canal, struct pt_msg *const *messages, unsigned count);
void trace_trigger(struct pt_block *from, struct pt_block *to);
void trace_back(struct pt_engine *);

/* What becomes of a message in the block; before its flags are changed. */
void trace_hold(struct pt_block *, struct pt_msg *);
void trace_packed(struct pt_block *, const struct pt_msg *); /* held, and seen no more */
void trace_gone(struct pt_block *, const struct pt_msg *, const char *why, bool filtered);
void trace_done(struct pt_block *, const struct pt_msg *);

void trace_made(struct pt_block *, unsigned count);
void trace_trigger_lost(struct pt_block *, const char *why);

#endif
