/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph drawn in text. */
#include "ctl/drawing.h"

#include "base/json.h"
#include "ctl/change.h"
#include "ctl/out.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200 };

struct drawing {
	struct buf *out;
	const json_t *blocks, *links, *stats;
	bool *drawn;     /* by the block's number */
	struct buf bars; /* what stands left of the line */
	unsigned depth;
};

static size_t index_of(const struct drawing *d, const char *name)
{
	size_t i, count = json_array_size(d->blocks);
	for (i = 0; i < count; i++)
		if (!strcmp(text_of(json_array_get(d->blocks, i), "name"), name))
			break;
	return i;
}

static void add_coloured(struct buf *b, enum out_colour colour, const char *text)
{
	buf_adds(b, out_colour(colour));
	out_clean(b, text);
	buf_adds(b, out_colour(OUT_PLAIN));
}

static bool leaves(const json_t *link, const char *name)
{
	return !strcmp(text_of(link, "from"), name);
}

static size_t count_links(const struct drawing *d, const char *name)
{
	size_t count = 0;
	json_each (link, d->links)
		count += leaves(link, name);
	return count;
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

static void add_name(struct drawing *d, const char *name, bool again)
{
	add_coloured(d->out, OUT_BOLD, name);
	size_t number = index_of(d, name);
	if (again)
		buf_adds(d->out, count_links(d, name) ? " …" : "");
	else if (number < json_array_size(d->blocks)) {
		const json_t *block = json_array_get(d->blocks, number);
		buf_addc(d->out, ' ');
		add_coloured(d->out, OUT_DIM, text_of(block, "type"));
		if (d->stats)
			add_trouble(d, block);
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

static void draw_below(struct drawing *d, const char *name);

static void draw_link(struct drawing *d, const json_t *link, bool last)
{
	const char *to = text_of(link, "to"), *canal = text_of(link, "canal");
	size_t number = index_of(d, to), length = d->bars.length;
	bool again = number < json_array_size(d->blocks) && d->drawn[number];
	buf_adds(d->out, d->bars.data ? d->bars.data : "");
	buf_adds(d->out, last ? "└─ " : "├─ ");
	add_count(d, link);
	add_coloured(d->out, out_canal_colour(canal), out_canal_sign(canal));
	buf_addc(d->out, ' ');
	add_name(d, to, again);
	if (again || d->depth == DEPTH_MAX)
		return;
	buf_adds(&d->bars, last ? "   " : "│  ");
	draw_below(d, to);
	d->bars.length = length;
	d->bars.data[length] = 0;
}

static void draw_below(struct drawing *d, const char *name)
{
	size_t left = count_links(d, name), number = index_of(d, name);
	if (number < json_array_size(d->blocks))
		d->drawn[number] = true;
	d->depth++;
	json_each (link, d->links)
		if (leaves(link, name))
			draw_link(d, link, --left == 0);
	d->depth--;
}

static bool is_root(const struct drawing *d, const char *name)
{
	json_each (link, d->links)
		if (!strcmp(text_of(link, "to"), name))
			return false;
	return true;
}

/* What is left after the roots lies on a cycle, or behind one. */
void drawing_text(struct buf *out, const json_t *shown, const json_t *stats)
{
	struct drawing d = {
		.out = out,
		.blocks = json_object_get(shown, "blocks"),
		.links = json_object_get(shown, "links"),
		.stats = stats,
		.bars = BUF_INIT,
	};
	d.drawn = must_calloc(json_array_size(d.blocks) + 1, sizeof *d.drawn);
	for (int round = 0; round < 2; round++) {
		size_t i;
		json_t *block;
		json_array_foreach (d.blocks, i, block) {
			const char *name = text_of(block, "name");
			if (d.drawn[i] || (!round && !is_root(&d, name)))
				continue;
			add_name(&d, name, false);
			draw_below(&d, name);
		}
	}
	buf_free(&d.bars);
	free(d.drawn);
}
