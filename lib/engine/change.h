/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of the graph and of the engine's state, one at a time. */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H

#include "graph/graph.h"

struct pt_engine;
struct pt_request;

/*
 * On the engine's thread, while no other change is under way (engine->current). Each ends by
 * answering the request, from a later turn or at once.
 *
 * A change of the graph goes through four steps. Plan, on a worker thread: the request's operations
 * are carried out on a copy of the graph, or with `anew` on an empty one, and what differs from the
 * graph that is alive is found. Prepare, on a worker thread, too, while traffic flows: new blocks
 * are read, initialised and, if the engine runs, opened; the new wiring is laid out beside the old.
 * If anything fails all of it is thrown away, and nothing was changed. Commit, between two
 * messages: old blocks stop, state is handed over, wiring is swapped, new blocks start. Retire:
 * what is gone is closed on a worker thread; then comes the answer.
 */
void change_graph(struct pt_request *);

/* Opens all blocks on a worker thread, then starts them, sources last. Of an engine that runs,
   those that have failed. */
void change_start(struct pt_request *);

/* Stops the blocks, in the order in which data flows, and closes them on a worker thread. The
   request may be NULL. What could not be flushed is told in the answer's "failed". */
void change_stop(struct pt_engine *, struct pt_request *);

#endif
