/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain boxes and coloured edges: what every tool that reads dot can draw. */
#include "engine/dot.h"

#include "engine/ledger.h"
#include <inttypes.h>

static const char *const colours[] = {"blue", "purple", "red"};

static const char *fill(const struct pt_block *b)
{
	switch (b->type->role) {
	case PT_SOURCE: return "#e8f4e8";
	case PT_SINK: return "#f4ece4";
	default: return "#ffffff";
	}
}

static void print_block(struct buf *out, const struct pt_block *b, bool stats)
{
	buf_addf(out, "\t\"%s\" [shape=box, style=filled, fillcolor=\"%s\", label=\"%s\\n%s",
	         b->name, fill(b), b->name, b->type->name);
	if (stats)
		buf_addf(out, "\\n%s, %" PRIu64 " in, %" PRIu64 " out", block_state_word(b),
		         ledger_in(b), b->count.out);
	buf_adds(out, "\"];\n");
}

static void print_link(struct buf *out, const struct graph_link *l, bool stats)
{
	buf_addf(out, "\t\"%s\" -> \"%s\" [color=%s", l->from->name, l->to->name,
	         colours[l->canal]);
	if (stats && l->alive)
		buf_addf(out, ", label=\"%" PRIu64 "\", fontcolor=%s", l->alive->messages,
		         colours[l->canal]);
	buf_adds(out, "];\n");
}

void dot_print(struct buf *out, const struct pt_engine *e, bool stats)
{
	buf_addf(out, "digraph \"%s\" {\n\trankdir=LR;\n", e->name);
	for (unsigned i = 0; i < e->graph->count; i++)
		print_block(out, e->graph->blocks[i]->alive, stats);
	for (unsigned i = 0; i < e->graph->link_count; i++)
		print_link(out, &e->graph->links[i], stats);
	buf_adds(out, "}\n");
}
