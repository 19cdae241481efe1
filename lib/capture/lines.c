/* SPDX-License-Identifier: BSD-2-Clause */
/* Any file as its lines, or as the bytes that are read at once. */
#include "capture/format.h"

#include <string.h>

struct lines {
	size_t seen;   /* so many bytes of the window have no newline */
	bool skipping; /* up to the next newline: the line is too long */
};

static void begin(struct parser *p, struct window *w)
{
	p->begun = true;
	w->want = window_left(w) + 1;
}

static void take(struct window *w, struct pt_msg *m, size_t length, size_t used)
{
	window_fill(w, m, w->at, (uint32_t)length, (uint32_t)length);
	m->time_ns = 0;
	m->link_type = PT_NO_LINK_TYPE;
	window_use(w, used);
}

/* Lets go of what can be no line. */
static void bound(struct parser *p, struct window *w, size_t length)
{
	struct lines *l = p->own;
	if (!length || (!l->skipping && length <= p->limit))
		return;
	p->left_out += !l->skipping;
	l->skipping = true;
	window_use(w, length);
	l->seen = 0;
}

static int parse_lines(struct parser *p, struct window *w, struct pt_msg **messages, unsigned max,
                       struct pt_error *err)
{
	struct lines *l = p->own;
	unsigned n = 0;
	while (n < max) {
		size_t left = window_left(w);
		const uint8_t *end =
			left == l->seen ? NULL : memchr(w->at + l->seen, '\n', left - l->seen);
		if (!end) {
			l->seen = left;
			bound(p, w, left);
			break;
		}
		size_t length = (size_t)(end - w->at);
		l->seen = 0;
		if (l->skipping || length > p->limit) {
			bound(p, w, length);
			window_use(w, 1);
			l->skipping = false;
			l->seen = 0;
		} else {
			take(w, messages[n++], length, length + 1);
		}
	}
	begin(p, w);
	return (int)n;
}

static bool last_line(struct parser *p, struct window *w, struct pt_msg *m)
{
	struct lines *l = p->own;
	size_t left = window_left(w);
	l->seen = 0;
	if (left)
		take(w, m, left, left);
	return left && !l->skipping;
}

static int parse_block(struct parser *p, struct window *w, struct pt_msg **messages, unsigned max,
                       struct pt_error *err)
{
	unsigned n = 0;
	while (n < max && window_left(w)) {
		size_t left = window_left(w), length = left < p->limit ? left : p->limit;
		take(w, messages[n++], length, length);
	}
	begin(p, w);
	return (int)n;
}

const struct format format_lines = {
	.parse = parse_lines, .seeks = true, .rest = last_line, .own_size = sizeof(struct lines)};
const struct format format_block = {
	.parse = parse_block, .seeks = true, .rest = last_line, .own_size = sizeof(struct lines)};
