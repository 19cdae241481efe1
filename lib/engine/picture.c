/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain boxes and coloured edges: what every tool can draw. */
#include "engine/picture.h"

#include "engine/ledger.h"
#include "lang/lang.h"
#include <inttypes.h>
#include <pipetool/engine.h>
#include <stdio.h>

enum { PARAM_WIDTH = 60 };

/* What a language has for the same things. */
struct pen {
	void (*begin)(struct buf *, const struct pt_engine *);
	/* `label` has a line for each newline. */
	void (*block)(struct buf *, const struct graph_block *, const char *label, bool failed);
	void (*link)(struct buf *, const struct graph_link *, unsigned number, const char *label);
	const char *end;
};

/* ---- labels ---- */

static void add_count(struct buf *out, uint64_t count, const char *what)
{
	if (count)
		buf_addf(out, ", %" PRIu64 " %s", count, what);
}

static void add_stats(struct buf *out, const struct pt_block *b)
{
	buf_addf(out, "\n%s\n%" PRIu64 " in, %" PRIu64 " out", block_state_word(b), ledger_in(b),
	         b->count.out);
	add_count(out, b->count.held, "held");
	add_count(out, block_sum(b, true), "filtered");
	add_count(out, block_sum(b, false), "dropped");
	add_count(out, b->count.errors, b->count.errors == 1 ? "error" : "errors");
}

/* UTF-8 is cut between two characters. */
static void add_param(struct buf *out, const char *name, const json_t *value)
{
	struct buf line = BUF_INIT;
	buf_addf(&line, "%s=", name);
	lang_print_value(&line, value);
	size_t length = line.length;
	if (length > PARAM_WIDTH)
		for (length = PARAM_WIDTH; (line.data[length] & 0xc0) == 0x80;)
			length--;
	buf_addf(out, "\n%.*s%s", (int)length, line.data, length < line.length ? "…" : "");
	buf_free(&line);
}

static void add_label(struct buf *out, const struct pt_block *b, const struct pt_request *r)
{
	const char *name;
	json_t *value;
	buf_addf(out, "%s\n%s", b->name, b->type->name);
	if (r->params)
		json_object_foreach (b->params, name, value)
			add_param(out, name, value);
	if (r->stats)
		add_stats(out, b);
}

/* Each of the characters as the word beside it. */
static void add_escaped(struct buf *out, const char *text, const char *const words[][2])
{
	for (; *text; text++) {
		size_t i = 0;
		while (words[i][0] && *words[i][0] != *text)
			i++;
		if (words[i][0])
			buf_adds(out, words[i][1]);
		else
			buf_addc(out, *text);
	}
}

/* ---- dot ---- */

/* Told apart without colours, too. */
static const char *const dot_edges[] = {
	"color=blue, fontcolor=blue, arrowhead=vee",
	"color=purple, fontcolor=purple, arrowhead=veevee",
	"color=red, fontcolor=red, arrowhead=diamond, style=dashed",
};

static const char *fill(const struct graph_block *b)
{
	switch (b->type->role) {
	case PT_SOURCE: return "#e4f2e4";
	case PT_SINK: return "#f6e9dc";
	default: return "#ffffff";
	}
}

static void dot_begin(struct buf *out, const struct pt_engine *e)
{
	buf_addf(out,
	         "digraph \"%s\" {\n"
	         "\tgraph [rankdir=LR, nodesep=0.3, ranksep=0.6];\n"
	         "\tnode [shape=box, style=\"rounded,filled\", color=\"#606060\", "
	         "fontname=\"sans-serif\", fontsize=12, margin=\"0.15,0.08\"];\n"
	         "\tedge [fontname=\"sans-serif\", fontsize=11, arrowsize=0.8];\n",
	         e->name);
}

static void dot_block(struct buf *out, const struct graph_block *b, const char *label, bool failed)
{
	static const char *const words[][2] = {
		{"\n", "\\n"}, {"\"", "\\\""}, {"\\", "\\\\"}, {NULL}};
	buf_addf(out, "\t\"%s\" [fillcolor=\"%s\", %slabel=\"", b->name, fill(b),
	         failed ? "color=red, penwidth=2, " : "");
	add_escaped(out, label, words);
	buf_adds(out, "\"];\n");
}

static void dot_link(struct buf *out, const struct graph_link *l, unsigned number,
                     const char *label)
{
	buf_addf(out, "\t\"%s\" -> \"%s\" [%s", l->from->name, l->to->name, dot_edges[l->canal]);
	if (*label)
		buf_addf(out, ", label=\" %s \"", label);
	buf_adds(out, "];\n");
}

/* ---- Mermaid: blocks go by numbers, for "end" and the like are words of its own ---- */

static void mermaid_begin(struct buf *out, const struct pt_engine *e)
{
	buf_adds(out, "flowchart LR\n"
	              "    classDef source fill:#e4f2e4,stroke:#606060,color:#000\n"
	              "    classDef drain fill:#fff,stroke:#606060,color:#000\n"
	              "    classDef sink fill:#f6e9dc,stroke:#606060,color:#000\n"
	              "    classDef failed stroke:red,stroke-width:3px\n");
}

static void mermaid_block(struct buf *out, const struct graph_block *b, const char *label,
                          bool failed)
{
	static const char *const words[][2] = {
		{"\n", "<br>"}, {"\"", "#quot;"}, {"#", "#35;"}, {"<", "#lt;"},
		{">", "#gt;"},  {"&", "#amp;"},   {"`", "#96;"}, {NULL}};
	static const char *const roles[] = {
		[PT_SOURCE] = "source", [PT_DRAIN] = "drain", [PT_SINK] = "sink"};
	buf_addf(out, "    b%u(\"", b->index);
	add_escaped(out, label, words);
	buf_addf(out, "\"):::%s\n", roles[b->type->role]);
	if (failed)
		buf_addf(out, "    class b%u failed\n", b->index);
}

static void mermaid_link(struct buf *out, const struct graph_link *l, unsigned number,
                         const char *label)
{
	static const char *const arrows[] = {"-->", "==>", "-.->"};
	static const char *const colours[] = {"blue", "purple", "red"};
	buf_addf(out, "    b%u %s", l->from->index, arrows[l->canal]);
	if (*label)
		buf_addf(out, "|%s|", label);
	buf_addf(out, " b%u\n    linkStyle %u stroke:%s\n", l->to->index, number,
	         colours[l->canal]);
}

/* ---- both ---- */

static const struct pen pens[] = {
	[PT_PICTURE_DOT] = {dot_begin, dot_block, dot_link, "}\n"},
	[PT_PICTURE_MERMAID] = {mermaid_begin, mermaid_block, mermaid_link, ""},
};

static void print_blocks(struct buf *out, const struct graph *g, const struct pt_request *r,
                         const struct pen *pen)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct graph_block *b = g->blocks[i];
		struct buf label = BUF_INIT;
		add_label(&label, b->alive, r);
		pen->block(out, b, label.data, r->stats && b->alive->failed);
		buf_free(&label);
	}
}

static void print_links(struct buf *out, const struct graph *g, const struct pt_request *r,
                        const struct pen *pen)
{
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		char label[24] = "";
		if (r->stats && l->alive)
			snprintf(label, sizeof label, "%" PRIu64, l->alive->messages);
		pen->link(out, l, i, label);
	}
}

void picture_print(struct buf *out, const struct pt_engine *e, const struct pt_request *r)
{
	const struct pen *pen = &pens[r->picture];
	pen->begin(out, e);
	print_blocks(out, e->graph, r, pen);
	print_links(out, e->graph, r, pen);
	buf_adds(out, pen->end);
}
