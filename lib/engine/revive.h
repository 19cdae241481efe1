/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that have failed while the engine runs, opened and started anew. */
#ifndef ENGINE_REVIVE_H
#define ENGINE_REVIVE_H

struct pt_block;
struct pt_engine;
struct pt_request;

/*
 * On the engine's thread, while no change is under way, and it is one of them. Failed blocks stop,
 * are closed and opened on a worker thread, and start. One that cannot be opened stays failed, and
 * closed.
 *
 * By hand it is all of them, and what cannot be opened is the answer. By themselves it is those
 * whose time has come, and those that could not be opened wait again (pt_retry).
 */
void revive_all(struct pt_request *);
void revive_due(struct pt_engine *);

/* A block waits from now on: it is tried at once, then every retry_s, and when an interface or an
   address comes. */
void revive_wait(struct pt_block *);
void revive_forget(struct pt_engine *); /* the engine ends: nobody waits any more */

#endif
