/* SPDX-License-Identifier: BSD-2-Clause */
/* What is printed: JSON, aligned tables, colours, and text that came from elsewhere. */
#include "ctl/out.h"

#include "base/error.h"
#include "base/thread.h"
#include "base/utf8.h"
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void (*last_call)(void *);
static void *last_arg;

void out_set_last(void (*last)(void *), void *arg)
{
	last_call = last;
	last_arg = arg;
}

static void give_up(int error)
{
	void (*last)(void *) = last_call;
	last_call = NULL;
	if (error != EPIPE)
		fprintf(stderr, "ptctl: cannot write to standard output: %s\n", error_words(error));
	if (last)
		last(last_arg);
	_exit(error == EPIPE ? 0 : 1);
}

void out_print(const char *text, size_t length)
{
	if (fwrite(text, 1, length, stdout) == length && !fflush(stdout))
		return;
	give_up(errno);
}

static void *watch_reader(void *arg)
{
	struct pollfd gone = {STDOUT_FILENO, 0, 0};
	while (poll(&gone, 1, -1) < 0 && errno == EINTR)
		;
	_exit(0);
}

void out_end_with_reader(void)
{
	/* without a thread it ends with the next print */
	thread_start("who watches the reader", 0, watch_reader, NULL, NULL, NULL);
}

void out_buf(struct buf *b)
{
	out_print(b->data ? b->data : "", b->length);
	buf_free(b);
}

static const char *json_host;

void out_set_host(const char *name)
{
	json_host = name;
}

static void print_json(const char *what, const json_t *json)
{
	char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	json_t *name = json_host ? json_string(json_host) : NULL;
	char *host = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
	struct buf line = BUF_INIT;
	if (json_host)
		buf_addf(&line, "{\"host\":%s,\"%s\":", host ? host : "null", what);
	buf_adds(&line, text ? text : "{}");
	buf_adds(&line, json_host ? "}\n" : "\n");
	out_buf(&line);
	json_decref(name);
	free(host);
	free(text);
}

void out_json(const json_t *json)
{
	print_json("result", json);
}

void out_json_error(const json_t *json)
{
	print_json("error", json);
}

void out_clean(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '\n')
			buf_adds(b, "\\n");
		else if (c == '\t')
			buf_addc(b, ' ');
		else if (c < ' ' || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else if (c == 0xc2 && (unsigned char)text[1] >= 0x80 &&
		         (unsigned char)text[1] < 0xa0)
			buf_addf(b, "\\x%02x", (unsigned char)*++text);
		else
			buf_addc(b, (char)c);
	}
}

void out_first_line(struct buf *b, const char *text)
{
	char *line = must_printf("%.*s", (int)strcspn(text, "\n"), text);
	out_clean(b, line);
	free(line);
}

/* ---- numbers ---- */

void out_count(struct buf *b, double n)
{
	char digits[40];
	snprintf(digits, sizeof digits, "%.0f", n);
	size_t length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
			buf_addc(b, ',');
		buf_addc(b, digits[i]);
	}
}

void out_bytes(struct buf *b, double n)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t unit = 0;
	while (n >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
		n /= 1000;
		unit++;
	}
	buf_addf(b, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void out_duration(struct buf *b, double seconds)
{
	long long s = isfinite(seconds) && seconds > 0 && seconds < 1e9 ? llround(seconds) : 0;
	if (s >= 3600)
		buf_addf(b, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		buf_addf(b, "%lld:%02lld", s / 60, s % 60);
}

static void local(const char *time, struct tm *tm)
{
	time_t s = (time_t)strtoll(time, NULL, 10);
	localtime_r(&s, tm);
}

void out_time(struct buf *b, const char *time)
{
	char text[40], offset[8];
	struct tm tm;
	local(time, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	strftime(offset, sizeof offset, "%z", &tm);
	buf_addf(b, "%s %.3s:%s", text, offset, offset + 3);
}

void out_clock(struct buf *b, const char *time, int decimals)
{
	char text[20];
	struct tm tm;
	const char *fraction = strchr(time, '.');
	local(time, &tm);
	strftime(text, sizeof text, "%H:%M:%S", &tm);
	buf_addf(b, "%s%.*s", text, decimals + 1, fraction ? fraction : "");
}

/* ---- terminal ---- */

bool out_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

bool out_has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return out_is_terminal() && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

size_t out_columns(void)
{
	enum { USUAL = 80, LEAST = 40, MOST = 200 };
	const char *said = getenv("COLUMNS");
	struct winsize size;
	long columns = said ? strtol(said, NULL, 10) : 0;
	if (columns <= 0 && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		columns = size.ws_col;
	if (columns <= 0 && !out_is_terminal() && isatty(STDERR_FILENO) &&
	    !ioctl(STDERR_FILENO, TIOCGWINSZ, &size))
		columns = size.ws_col;
	if (columns <= 0)
		columns = USUAL;
	return columns < LEAST ? LEAST : columns > MOST ? MOST : (size_t)columns;
}

/* ---- carets ---- */

/* The part of a line from one column up to another; … where something is left out. */
static void add_part(struct buf *b, const char *line, size_t length, size_t from, size_t to)
{
	size_t at = 0;
	unsigned begin = 0;
	uint32_t point;
	buf_adds(b, from ? "…" : "");
	for (size_t i = 0, n; i < length && at < to; i += n) {
		n = utf8_read(line + i, length - i, &point);
		unsigned width = n ? utf8_columns(point) : 1;
		n = n ? n : 1;
		if (from && at >= from + 1 && begin++ == 0)
			buf_addf(b, "%*s", (int)(at - from - 1), "");
		if (at >= from + (from > 0) && at + width <= to)
			buf_add(b, line[i] == '\t' ? " " : line + i, line[i] == '\t' ? 1 : n);
		at += width;
	}
}

void out_caret(struct buf *b, const char *text)
{
	size_t length = strcspn(text, "\n"), width = utf8_width(text, length);
	size_t most = out_columns() - 1; /* some terminals go on below in the last one */
	const char *below = text + length + (text[length] == '\n');
	size_t caret = strcspn(below, "^"), from = 0;
	if (width < most) {
		buf_addf(b, "%s\n", text);
		return;
	}
	if (caret + most / 3 > most)
		from = caret - most + most / 3;
	if (from + most > width)
		from = width > most ? width - most : 0;
	bool cut = from + most < width;
	add_part(b, text, length, from, from + most - cut);
	buf_addf(b, "%s\n%*s\n", cut ? "…" : "", (int)(caret - from + 1), "^");
}

const char *out_colour(enum out_colour colour)
{
	static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[2m", "\033[34m",
	                                    "\033[35m", "\033[31m", "\033[32m"};
	return out_has_colour() ? codes[colour] : "";
}

const char *out_canal_sign(const char *canal)
{
	if (canal && !strcmp(canal, "high"))
		return ">>";
	return canal && !strcmp(canal, "trigger") ? "^" : ">";
}

enum out_colour out_canal_colour(const char *canal)
{
	if (canal && !strcmp(canal, "high"))
		return OUT_PURPLE;
	return canal && !strcmp(canal, "trigger") ? OUT_RED : OUT_BLUE;
}

/* ---- tables ---- */

struct table table_init(size_t columns, unsigned right)
{
	return (struct table){.columns = columns, .right = right};
}

void table_add(struct table *t, const char *text)
{
	struct buf cell = BUF_INIT;
	out_clean(&cell, text ? text : "");
	t->cells = must_realloc(t->cells, t->count + 1, sizeof *t->cells);
	t->red = must_realloc(t->red, t->count + 1, sizeof *t->red);
	t->red[t->count] = false;
	t->cells[t->count++] = buf_steal(&cell);
}

void table_redden(struct table *t, bool red)
{
	t->red[t->count - 1] = red;
}

void table_heads(struct table *t, const char *const *words)
{
	for (; *words; words++)
		table_add(t, *words);
}

void table_take(struct table *t, struct buf *text)
{
	table_add(t, text->data);
	buf_free(text);
}

void table_addf(struct table *t, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	table_take(t, &text);
}

void table_count(struct table *t, const json_t *number)
{
	struct buf text = BUF_INIT;
	if (json_is_number(number))
		out_count(&text, json_number_value(number));
	table_take(t, &text);
}

static size_t width_of(const char *text)
{
	return utf8_width(text, strlen(text));
}

static void add_cell(struct buf *b, const struct table *t, size_t at, size_t width, bool last)
{
	const char *cell = t->cells[at];
	bool right = t->right >> at % t->columns & 1;
	size_t pad = width - width_of(cell);
	for (size_t i = 0; i < pad && right; i++)
		buf_addc(b, ' ');
	buf_adds(b, t->red[at] ? out_colour(OUT_RED) : "");
	buf_adds(b, cell);
	buf_adds(b, t->red[at] ? out_colour(OUT_PLAIN) : "");
	for (size_t i = 0; i < pad && !right && !last; i++)
		buf_addc(b, ' ');
	buf_adds(b, last ? "" : "  ");
}

/* The words of a cell from column `column` on, where the line stands; lines below begin there,
   too. */
static void add_words(struct buf *b, const char *text, size_t column)
{
	size_t at = column, most = out_columns();
	while (*text) {
		size_t word = strcspn(text, " "), width = utf8_width(text, word);
		if (at > column && at + 1 + width > most) {
			buf_addf(b, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			buf_addc(b, ' ');
			at++;
		}
		buf_add(b, text, word);
		at += width;
		text += word;
		text += strspn(text, " ");
	}
}

/* The last cell, where it does not fit behind the `before` columns of the others. */
static void add_long_cell(struct buf *b, const struct table *t, size_t at, size_t before)
{
	enum { LEAST = 30, BELOW = 8 };
	size_t column = before;
	if (before + LEAST > out_columns()) {
		column = BELOW;
		while (b->length && b->data[b->length - 1] == ' ')
			b->length--;
		buf_addf(b, "\n%*s", BELOW, "");
	}
	buf_adds(b, t->red[at] ? out_colour(OUT_RED) : "");
	add_words(b, t->cells[at], column);
	buf_adds(b, t->red[at] ? out_colour(OUT_PLAIN) : "");
}

/* Without the last cells of the row that are empty. */
static size_t used(char *const *row, size_t columns)
{
	while (columns > 1 && !*row[columns - 1])
		columns--;
	return columns;
}

void table_print(struct table *t, struct buf *b)
{
	size_t rows = t->count / t->columns;
	size_t *widths = must_calloc(t->columns, sizeof *widths);
	for (size_t i = 0; i < rows * t->columns; i++) {
		size_t width = width_of(t->cells[i]);
		if (width > widths[i % t->columns])
			widths[i % t->columns] = width;
	}
	for (size_t r = 0; r < rows; r++) {
		size_t row = r * t->columns, columns = used(t->cells + row, t->columns);
		buf_adds(b, r || t->headless ? "" : out_colour(OUT_BOLD));
		size_t before = 0;
		for (size_t c = 0; c < columns; c++) {
			bool text = c + 1 == t->columns && !(t->right >> c & 1) && !t->wide;
			if (text && before + width_of(t->cells[row + c]) > out_columns())
				add_long_cell(b, t, row + c, before);
			else if (widths[c])
				add_cell(b, t, row + c, widths[c], c + 1 == columns);
			before += widths[c] ? widths[c] + 2 : 0;
		}
		buf_adds(b, r || t->headless ? "" : out_colour(OUT_PLAIN));
		buf_addc(b, '\n');
	}
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->red);
	free(widths);
	*t = (struct table){0};
}
