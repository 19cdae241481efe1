/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain boxes and coloured edges: what every tool that reads dot can draw. */
#include "engine/dot.h"

#include "engine/ledger.h"
#include <inttypes.h>

/* Told apart without colours, too. */
static const char *const edges[] = {
	"color=blue, fontcolor=blue, arrowhead=vee",
	"color=purple, fontcolor=purple, arrowhead=veevee",
	"color=red, fontcolor=red, arrowhead=diamond, style=dashed",
};

static const char *fill(const struct pt_block *b)
{
	switch (b->type->role) {
	case PT_SOURCE: return "#e4f2e4";
	case PT_SINK: return "#f6e9dc";
	default: return "#ffffff";
	}
}

static void add_count(struct buf *out, uint64_t count, const char *what)
{
	if (count)
		buf_addf(out, ", %" PRIu64 " %s", count, what);
}

static void print_stats(struct buf *out, const struct pt_block *b)
{
	buf_addf(out, "\\n%s\\n%" PRIu64 " in, %" PRIu64 " out", block_state_word(b), ledger_in(b),
	         b->count.out);
	add_count(out, b->count.held, "held");
	add_count(out, block_sum(b, true), "filtered");
	add_count(out, block_sum(b, false), "dropped");
	add_count(out, b->count.errors, b->count.errors == 1 ? "error" : "errors");
}

static void print_block(struct buf *out, const struct pt_block *b, bool stats)
{
	buf_addf(out, "\t\"%s\" [fillcolor=\"%s\", ", b->name, fill(b));
	if (stats && b->failed)
		buf_adds(out, "color=red, penwidth=2, ");
	buf_addf(out, "label=\"%s\\n%s", b->name, b->type->name);
	if (stats)
		print_stats(out, b);
	buf_adds(out, "\"];\n");
}

static void print_link(struct buf *out, const struct graph_link *l, bool stats)
{
	buf_addf(out, "\t\"%s\" -> \"%s\" [%s", l->from->name, l->to->name, edges[l->canal]);
	if (stats && l->alive)
		buf_addf(out, ", label=\" %" PRIu64 " \"", l->alive->messages);
	buf_adds(out, "];\n");
}

void dot_print(struct buf *out, const struct pt_engine *e, bool stats)
{
	buf_addf(out,
	         "digraph \"%s\" {\n"
	         "\tgraph [rankdir=LR, nodesep=0.3, ranksep=0.6];\n"
	         "\tnode [shape=box, style=\"rounded,filled\", color=\"#606060\", "
	         "fontname=\"sans-serif\", fontsize=12, margin=\"0.15,0.08\"];\n"
	         "\tedge [fontname=\"sans-serif\", fontsize=11, arrowsize=0.8];\n",
	         e->name);
	for (unsigned i = 0; i < e->graph->count; i++)
		print_block(out, e->graph->blocks[i]->alive, stats);
	for (unsigned i = 0; i < e->graph->link_count; i++)
		print_link(out, &e->graph->links[i], stats);
	buf_adds(out, "}\n");
}
