/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph in the languages of programs that draw. */
#ifndef ENGINE_PICTURE_H
#define ENGINE_PICTURE_H

#include "base/buf.h"
#include "engine/engine.h"

struct pt_request;

/* As r->picture says: PT_PICTURE_DOT is Graphviz's language, PT_PICTURE_MERMAID that of Markdown
   pages. Low links are blue, high ones purple, triggers red, as Scapy draws them. With r->stats
   labels carry what each block does and counts, and what went over each link; with r->params what
   parameters a block was given, each on a line. */
void picture_print(struct buf *, const struct pt_engine *, const struct pt_request *);

#endif
