/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph in Graphviz's language. */
#ifndef ENGINE_DOT_H
#define ENGINE_DOT_H

#include "base/buf.h"
#include "engine/engine.h"

/* Low links are blue, high ones purple, triggers red, as Scapy draws them. With `stats`, labels
   carry what each block does and counts, and what went over each link. */
void dot_print(struct buf *, const struct pt_engine *, bool stats);

#endif
