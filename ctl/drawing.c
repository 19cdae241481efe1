/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph drawn in text. */
#include "ctl/drawing.h"

#include "base/json.h"
#include "base/map.h"
#include "ctl/change.h"
#include "ctl/out.h"
#include "lang/lang.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200 };

struct node {
	const json_t *block;
	size_t first, last; /* of drawing.links: what leaves it */
	bool drawn, entered;
};

struct drawing {
	struct buf *out;
	const json_t *stats;
	bool params;
	struct node *nodes;
	size_t count;
	struct map names; /* to nodes */
	const json_t **links;
	struct buf bars; /* what stands left of the line */
	unsigned depth;
};

/* ---- the graph, by names ---- */

/* NULL: it is none of the blocks. */
static struct node *end_of(const struct drawing *d, const json_t *link, const char *end)
{
	return map_get(&d->names, text_of(link, end));
}

static void read_links(struct drawing *d, const json_t *links)
{
	size_t at = 0;
	json_each (link, links) {
		struct node *from = end_of(d, link, "from"), *to = end_of(d, link, "to");
		if (from)
			from->last++;
		if (to)
			to->entered = true;
	}
	for (size_t i = 0; i < d->count; i++) {
		size_t leave = d->nodes[i].last;
		d->nodes[i].first = d->nodes[i].last = at;
		at += leave;
	}
	d->links = must_calloc(at + 1, sizeof *d->links);
	json_each (link, links) {
		struct node *from = end_of(d, link, "from");
		if (from)
			d->links[from->last++] = link;
	}
}

static void read_graph(struct drawing *d, const json_t *shown)
{
	const json_t *blocks = json_object_get(shown, "blocks");
	d->nodes = must_calloc(json_array_size(blocks) + 1, sizeof *d->nodes);
	json_each (block, blocks) {
		struct node *node = &d->nodes[d->count++];
		node->block = block;
		map_set(&d->names, text_of(block, "name"), node);
	}
	read_links(d, json_object_get(shown, "links"));
}

/* ---- lines ---- */

static void add_coloured(struct buf *b, enum out_colour colour, const char *text)
{
	buf_adds(b, out_colour(colour));
	out_clean(b, text);
	buf_adds(b, out_colour(OUT_PLAIN));
}

static void add_number(struct buf *b, enum out_colour colour, double number, const char *what)
{
	bool coloured = colour != OUT_PLAIN;
	if (!number)
		return;
	buf_adds(b, b->length ? ", " : "");
	buf_adds(b, coloured ? out_colour(colour) : "");
	out_count(b, number);
	buf_addf(b, " %s%s", what, coloured ? out_colour(OUT_PLAIN) : "");
}

/* What is out of the ordinary: a state other than running, and messages that did not go on. */
static void add_trouble(struct drawing *d, const json_t *block)
{
	struct buf b = BUF_INIT;
	const char *state = text_of(block, "state");
	const json_t *counts = change_same(d->stats, block);
	double errors = number_of(counts, "errors");
	if (strcmp(state, "running"))
		out_clean(&b, state);
	add_number(&b, OUT_PLAIN, number_of(counts, "held"), "held");
	add_number(&b, OUT_PLAIN, sum_of(json_object_get(counts, "filtered")), "filtered");
	add_number(&b, OUT_RED, sum_of(json_object_get(counts, "dropped")), "dropped");
	add_number(&b, OUT_RED, errors, errors == 1 ? "error" : "errors");
	if (b.length)
		buf_addf(d->out, " (%s)", b.data);
	buf_free(&b);
}

/* "(pps=10, loop=2)", on the same line. */
static void add_params(struct drawing *d, const json_t *params)
{
	const char *name, *between = "";
	json_t *value;
	buf_addc(d->out, '(');
	json_object_foreach (json_of(params), name, value) {
		buf_addf(d->out, "%s%s=", between, name);
		lang_print_value(d->out, value);
		between = ", ";
	}
	buf_addc(d->out, ')');
}

static void add_node(struct drawing *d, const struct node *node)
{
	add_coloured(d->out, OUT_BOLD, text_of(node->block, "name"));
	if (node->drawn) {
		buf_adds(d->out, node->first < node->last ? " …" : "");
	} else {
		buf_addc(d->out, ' ');
		add_coloured(d->out, OUT_DIM, text_of(node->block, "type"));
		if (d->params)
			add_params(d, json_object_get(node->block, "params"));
		if (d->stats)
			add_trouble(d, node->block);
	}
	buf_addc(d->out, '\n');
}

static void add_count(struct drawing *d, const json_t *link)
{
	const json_t *counts = change_same(d->stats, link);
	if (!counts)
		return;
	out_count(d->out, number_of(counts, "messages"));
	buf_addc(d->out, ' ');
}

static void draw(struct drawing *d, struct node *);

static void draw_link(struct drawing *d, const json_t *link, bool last)
{
	const char *canal = text_of(link, "canal");
	struct node *to = end_of(d, link, "to");
	size_t length = d->bars.length;
	buf_adds(d->out, d->bars.data ? d->bars.data : "");
	buf_adds(d->out, last ? "└─ " : "├─ ");
	add_count(d, link);
	add_coloured(d->out, out_canal_colour(canal), out_canal_sign(canal));
	buf_addc(d->out, ' ');
	buf_adds(&d->bars, last ? "   " : "│  ");
	if (to)
		draw(d, to);
	else
		buf_addf(d->out, "%s\n", text_of(link, "to"));
	d->bars.length = length;
	d->bars.data[length] = 0;
}

/* Itself, and, if that was not drawn yet, what is below it. */
static void draw(struct drawing *d, struct node *node)
{
	bool again = node->drawn;
	add_node(d, node);
	if (again || d->depth == DEPTH_MAX)
		return;
	node->drawn = true;
	d->depth++;
	for (size_t i = node->first; i < node->last; i++)
		draw_link(d, d->links[i], i + 1 == node->last);
	d->depth--;
}

/* What is left after the roots lies on a cycle, or behind one. */
void drawing_text(struct buf *out, const json_t *shown, const json_t *stats, bool params)
{
	struct drawing d = {.out = out, .stats = stats, .params = params};
	read_graph(&d, shown);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < d.count; i++)
			if (!d.nodes[i].drawn && (round || !d.nodes[i].entered))
				draw(&d, &d.nodes[i]);
	map_free(&d.names);
	buf_free(&d.bars);
	free(d.links);
	free(d.nodes);
}
