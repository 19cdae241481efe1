/* SPDX-License-Identifier: BSD-2-Clause */
/* Which block the engine's thread spends its time in: from samples. */
#ifndef ENGINE_SAMPLE_H
#define ENGINE_SAMPLE_H

#include "engine/engine.h"

/*
 * A timer of the thread's own CPU clock interrupts it (SIGPROF) after so much that it has computed,
 * and what it has computed since the last time goes to the block that runs: see engine_runs. So an
 * engine at rest is never interrupted, nobody else is woken, and a block that waits for the kernel
 * is not said to compute. Where the program has a handler for SIGPROF of its own, or no timer is
 * left, no block has any time.
 */

/* On the engine's thread, at its beginning and its end. */
void sample_begin(struct pt_engine *);
void sample_end(struct pt_engine *);

#endif
