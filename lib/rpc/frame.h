/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines out of a stream of bytes, bounded. */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include "base/buf.h"
#include <stdbool.h>

#define FRAME_LINE_MAX  (1024 * 1024) /* bytes, newline not counted */
#define FRAME_DEPTH_MAX 64
#define FRAME_FDS_MAX   64 /* descriptors that go with a line */

/* What the lines of many frames may take together, beyond FRAME_LINE_MAX each. */
struct frame_budget {
	size_t max, used;
};

/* Collects what was read, and gives lines. What stays in memory is never more than one line's
   limit and one read; a line that was given is forgotten when the next is asked for. No I/O. */
struct frame {
	struct buf buffer;
	size_t line_max;
	struct frame_budget *budget; /* NULL: its own */
	size_t borrowed; /* from the budget, for the line that is collected or was given */
	size_t given;    /* lines before here were given */
	size_t scanned;  /* no newline between there and here */
	bool skipping;   /* inside a line that was too long */
};

enum frame_result {
	FRAME_NONE,     /* no whole line yet */
	FRAME_LINE,     /* a line: *line, *length, without its newline and \r */
	FRAME_TOO_LONG, /* a line over the limit began; said once a line, the rest is thrown away */
	FRAME_CROWDED,  /* the same, but for the budget: it would fit at another time */
};

void frame_init(struct frame *, size_t line_max, struct frame_budget *); /* 0: FRAME_LINE_MAX */
void frame_fini(struct frame *);
char *frame_room(struct frame *, size_t length); /* where to read into */
void frame_filled(struct frame *, size_t length);

/* The next line; valid until the next call of any of these. Empty lines are passed over. With
   `end`, the peer has closed its side: a last line without newline counts. */
enum frame_result frame_next(struct frame *, bool end, const char **line, size_t *length);

/* How many of the bytes that were read belong to lines that were not given yet. */
size_t frame_left(const struct frame *);

#endif
