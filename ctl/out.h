/* SPDX-License-Identifier: BSD-2-Clause */
/* What is printed: JSON, aligned tables, colours, and text that came from elsewhere. */
#ifndef CTL_OUT_H
#define CTL_OUT_H

#include "base/buf.h"
#include <jansson.h>
#include <stdbool.h>

/* One document on one line of standard output, flushed: a result, or a refusal. */
void out_json(const json_t *);
void out_json_error(const json_t *);
/* From now on each is the "result" or "error" of an object with this "host"; NULL: no more. */
void out_set_host(const char *name);

/* Text with its control characters made visible, so that nobody's message moves a cursor. */
void out_clean(struct buf *, const char *text);
/* The same up to the first newline: what follows is a traceback. */
void out_first_line(struct buf *, const char *text);

/* Numbers in groups of three: 1,234,567. Bytes: 1.2 MB. Seconds: 1:02:03. */
void out_count(struct buf *, double n);
void out_bytes(struct buf *, double n);
void out_duration(struct buf *, double seconds);

/* Times of the daemon ("1764460800.123456789"), on this host's clock: "2026-11-30 10:00:00 +01:00",
   and "10:00:00.123" with so many decimals. */
void out_time(struct buf *, const char *time);
void out_clock(struct buf *, const char *time, int decimals);

/* Whether standard output is a terminal; whether it wants colours (NO_COLOR, TERM). */
bool out_is_terminal(void);
bool out_has_colour(void);

enum out_colour { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_BLUE, OUT_PURPLE, OUT_RED, OUT_GREEN };
/* What begins a colour, and, for OUT_PLAIN, ends it; "" where there are none. */
const char *out_colour(enum out_colour);

/* "low" → ">", "high" → ">>", "trigger" → "^". */
const char *out_canal_sign(const char *canal);
enum out_colour out_canal_colour(const char *canal);

/* How wide text may be: $COLUMNS, else the terminal's width, else 80; between 40 and 200. */
size_t out_columns(void);

/* A line of pipe text and the caret below it, as lang_caret writes them, cut around the caret with
   … to that width; both end with a newline. */
void out_caret(struct buf *, const char *text);

/* Rows of cells; columns are as wide as their widest cell, numbers stand to the right; text
   in the last column goes on below where the line would be too wide. */
struct table {
	char **cells;
	bool *red; /* of each cell */
	size_t columns, count;
	unsigned right; /* bit for each column */
	bool headless;
	bool wide; /* as wide as it needs */
};
struct table table_init(size_t columns, unsigned right);
/* Adds a cell; `columns` of them are a row. Text is cleaned. NULL is empty. */
void table_add(struct table *, const char *text);
void table_heads(struct table *, const char *const *words); /* a cell each; ends with NULL */
void table_take(struct table *, struct buf *);              /* the same of a text, which is freed */
void table_addf(struct table *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_count(struct table *, const json_t *number);
/* The cell that was added last is red on a terminal, if it is to be. */
void table_redden(struct table *, bool red);
/* The first row is the heading, unless it is headless. Frees the table. */
void table_print(struct table *, struct buf *);

/* Prints and flushes. A reader that is gone ends the program quietly, after `last` was called. */
void out_set_last(void (*last)(void *), void *arg);
void out_print(const char *text, size_t length);
void out_buf(struct buf *); /* prints and frees */

/* From now on the program also ends, quietly and at once, when who reads its standard output has
   gone while there is nothing to print. For streams, which may wait for long; without `last`. */
void out_end_with_reader(void);

#endif
