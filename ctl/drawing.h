/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph drawn in text. */
#ifndef CTL_DRAWING_H
#define CTL_DRAWING_H

#include "base/buf.h"
#include <jansson.h>

/*
 * A tree for each block that nothing leads to, in the order of the graph:
 *
 *     s CLIFeeder
 *     └─ > d1 Drain
 *        ├─ > si1 ConsoleSink
 *        └─ >> d2 TransformDrain
 *           └─ >> si1
 *
 * A block that was drawn already is only named, with "…" where it leads on. `shown` is what
 * engine.show answered; `stats` what engine.stats did, for numbers on the links and, behind a
 * block, its state if it does not run and what it holds, filtered, dropped or failed at; or NULL.
 * With `params`, types are as they would be typed.
 */
void drawing_text(struct buf *, const json_t *shown, const json_t *stats, bool params);

#endif
