/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen of ptctl top. */
#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "ctl/out.h"
#include "ctl/top.h"
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 3, NAME_LEAST = 8, WAITS_LEAST = 9, GAP = 2, ESCAPE = 27, RED = 1 };

struct screen {
	struct top *top;
	char *selected;                  /* the row's name; NULL: the first */
	size_t at, first;                /* its place; of the row that is shown at the top */
	bool utf8, colour, types, helps; /* a filter is being typed; the keys are told */
	char before[sizeof((struct top *)0)->filter];
	char *said; /* instead of the keys, until the next key */
	unsigned widths[TOP_COLUMNS];
	double delay_s;
};

static volatile sig_atomic_t signals;

static void note(int signal)
{
	signals++;
}

/* ---- text ---- */

/* As much as fits; … or ~ where something is left out. Returns the columns. */
static unsigned put(const struct screen *s, int y, int x, const char *text, unsigned most)
{
	size_t length = strlen(text), width = utf8_width(text, length), n = 0, at = 0;
	uint32_t point;
	if (width <= most) {
		mvaddstr(y, x, text);
		return (unsigned)width;
	}
	for (size_t size; n < length; n += size) {
		size = utf8_read(text + n, length - n, &point);
		unsigned columns = size ? utf8_columns(point) : 1;
		size = size ? size : 1;
		if (at + columns + 1 > most)
			break;
		at += columns;
	}
	if (most) {
		mvaddnstr(y, x, text, (int)n);
		addstr(s->utf8 ? "…" : "~");
	}
	return most;
}

static void put_buf(const struct screen *s, int y, int x, struct buf *b, unsigned most)
{
	put(s, y, x, b->data ? b->data : "", most);
	buf_free(b);
}

static int red(const struct screen *s)
{
	return (int)(s->colour ? COLOR_PAIR(RED) | A_BOLD : A_BOLD | A_UNDERLINE);
}

/* ---- how wide ---- */

static unsigned width_of_cell(const struct screen *s, const struct top_row *r, enum top_column c)
{
	struct buf cell = BUF_INIT;
	top_cell(&cell, s->top, r, c);
	unsigned width = cell.length ? (unsigned)utf8_width(cell.data, cell.length) : 0;
	buf_free(&cell);
	return width;
}

static unsigned sum(const struct screen *s)
{
	unsigned width = 0;
	for (enum top_column c = 0; c < TOP_COLUMNS; c++)
		width += s->widths[c] ? s->widths[c] + GAP : 0;
	return width - GAP;
}

static void shrink(struct screen *s, enum top_column c, unsigned least)
{
	unsigned all = sum(s), most = (unsigned)COLS;
	if (all <= most || s->widths[c] <= least)
		return;
	unsigned more = all - most, room = s->widths[c] - least;
	s->widths[c] -= more < room ? more : room;
}

static void give_way(struct screen *s, const enum top_column *columns, size_t count)
{
	for (size_t i = 0; i < count && sum(s) > (unsigned)COLS; i++)
		s->widths[columns[i]] = 0;
}

/* Some give way before a name is cut, and others before it is cut to a stump. */
static void measure(struct screen *s)
{
	static const enum top_column first[] = {TOP_C_UPTIME, TOP_C_OUT};
	static const enum top_column then[] = {TOP_C_BITS, TOP_C_FILTERED, TOP_C_HELD, TOP_C_CPU,
	                                       TOP_C_STATE};
	const struct top *t = s->top;
	for (enum top_column c = 0; c < TOP_COLUMNS; c++) {
		s->widths[c] = (unsigned)strlen(top_head(t, c));
		for (size_t i = 0; i < t->count; i++) {
			unsigned width = width_of_cell(s, &t->rows[i], c);
			s->widths[c] = width > s->widths[c] ? width : s->widths[c];
		}
	}
	give_way(s, first, sizeof first / sizeof *first);
	shrink(s, TOP_C_WAITS, 2 * WAITS_LEAST);
	shrink(s, TOP_C_NAME, 2 * NAME_LEAST);
	give_way(s, then, sizeof then / sizeof *then);
	shrink(s, TOP_C_WAITS, WAITS_LEAST);
	shrink(s, TOP_C_NAME, NAME_LEAST);
}

/* ---- lines ---- */

static void draw_spark(const struct screen *s, int y, int x)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char plain[] = "_.-:=+*#";
	double rates[TOP_MINUTE_S], most = 0;
	unsigned count = COLS - x < TOP_MINUTE_S ? (unsigned)(COLS - x) : TOP_MINUTE_S;
	if (x >= COLS)
		return;
	top_minute(s->top, rates, count);
	for (unsigned i = 0; i < count; i++)
		most = rates[i] > most ? rates[i] : most;
	for (unsigned i = 0; i < count; i++) {
		unsigned high = most > 0 && rates[i] > 0 ? (unsigned)(rates[i] / most * 7) : 0;
		if (rates[i] < 0)
			mvaddch(y, x + (int)i, ' ');
		else if (s->utf8)
			mvaddstr(y, x + (int)i, bars[high]);
		else
			mvaddch(y, x + (int)i, (chtype)plain[high]);
	}
}

static void draw_title(const struct screen *s)
{
	const struct top *t = s->top;
	struct buf b = BUF_INIT;
	if (t->engine)
		buf_addf(&b, "%s: %zu blocks", t->engine, t->all);
	else
		buf_addf(&b, "%zu engine%s, %zu running", t->all, t->all == 1 ? "" : "s",
		         t->running);
	if (t->failed && !t->engine)
		buf_addf(&b, ", %zu failed", t->failed);
	if (*t->filter && !s->types)
		buf_addf(&b, ", %zu with \"%s\"", t->count, t->filter);
	buf_addf(&b, "; by %s%s", top_keys[t->key], t->turned ? ", turned round" : "");
	attron(A_BOLD);
	put_buf(s, 0, 0, &b, (unsigned)COLS);
	attroff(A_BOLD);
}

static void draw_sum(const struct screen *s)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, "IN/s ");
	top_cell(&b, s->top, &s->top->total, TOP_C_IN);
	buf_adds(&b, "  ");
	int width = (int)b.length;
	put_buf(s, 1, 0, &b, (unsigned)COLS);
	draw_spark(s, 1, width);
}

static void draw_cell(const struct screen *s, int y, int x, enum top_column c, const char *text,
                      int more)
{
	unsigned width = (unsigned)utf8_width(text, strlen(text));
	unsigned room = x < COLS ? (unsigned)(COLS - x) : 0;
	room = s->widths[c] < room ? s->widths[c] : room;
	int pad = top_is_right(c) && width < room ? (int)(room - width) : 0;
	attron(more);
	put(s, y, x + pad, text, room);
	attroff(more);
}

/* NULL: the heading. */
static void draw_row(const struct screen *s, int y, const struct top_row *r, bool selected)
{
	int x = 0, ground = (int)(!r ? A_BOLD : selected ? A_REVERSE : A_NORMAL);
	attron(ground);
	mvhline(y, 0, ' ', COLS);
	for (enum top_column c = 0; c < TOP_COLUMNS; c++) {
		struct buf cell = BUF_INIT;
		if (!s->widths[c])
			continue;
		if (r)
			top_cell(&cell, s->top, r, c);
		else
			buf_adds(&cell, top_head(s->top, c));
		draw_cell(s, y, x, c, cell.data ? cell.data : "",
		          r && top_is_red(r, c) ? red(s) : 0);
		buf_free(&cell);
		x += (int)s->widths[c] + GAP;
	}
	attroff(ground);
}

/* Where there is room, the line above the last says what is wrong with the row that is selected. */
static bool has_trouble_line(void)
{
	return LINES > HEADS + 5;
}

static size_t page(void)
{
	int rows = LINES - HEADS - 1 - has_trouble_line();
	return rows > 0 ? (size_t)rows : 1;
}

/* The selected row keeps its name while others come and go. */
static void find_selected(struct screen *s)
{
	const struct top *t = s->top;
	for (size_t i = 0; s->selected && i < t->count; i++)
		if (!strcmp(t->rows[i].name, s->selected)) {
			s->at = i;
			break;
		}
	if (s->at >= t->count)
		s->at = t->count ? t->count - 1 : 0;
	if (s->at < s->first)
		s->first = s->at;
	if (s->at >= s->first + page())
		s->first = s->at + 1 - page();
}

static void draw_help(const struct screen *s)
{
	static const char *const lines[] = {
		"r b d h c n   sort by rate, bytes, drops, held, CPU, name; again turns it round",
		"up, down      select, also with k and j, page up and down, home and end",
		"Enter         goes into the engine, Esc out of it",
		"/             shows only names with the text that follows; Esc shows all again",
		"q             ends",
		"",
		"Red: messages that were dropped, and what has failed or met errors; the line",
		"above the last tells what is wrong with the row that is selected.",
		"WAITS FOR: the full sinks and closed valves that hold the sources back.",
		NULL,
	};
	for (int i = 0; lines[i] && i + 1 < LINES; i++)
		put(s, i, 0, lines[i], (unsigned)COLS);
	put(s, LINES - 1, 0, "Any key goes back.", (unsigned)COLS);
}

static void draw_foot(const struct screen *s)
{
	const char *keys = s->top->engine ? "q ends  Esc goes out  / filters  ? helps"
	                                  : "q ends  Enter goes in  / filters  ? helps";
	struct buf b = BUF_INIT;
	if (s->types)
		buf_addf(&b, "/%s_", s->top->filter);
	else
		buf_adds(&b, s->said ? s->said : keys);
	attron(s->said ? red(s) : (int)A_DIM);
	put_buf(s, LINES - 1, 0, &b, (unsigned)COLS - 1);
	attroff(s->said ? red(s) : (int)A_DIM);
}

static void draw_trouble(const struct screen *s)
{
	const struct top *t = s->top;
	if (!has_trouble_line() || s->at >= t->count)
		return;
	attron(red(s));
	put(s, LINES - 2, 0, t->rows[s->at].trouble, (unsigned)COLS);
	attroff(red(s));
}

static void draw(struct screen *s)
{
	const struct top *t = s->top;
	erase();
	if (s->helps) {
		draw_help(s);
		refresh();
		return;
	}
	find_selected(s);
	measure(s);
	draw_title(s);
	draw_sum(s);
	draw_row(s, HEADS - 1, NULL, false);
	for (size_t i = 0; i < page() && s->first + i < t->count; i++)
		draw_row(s, HEADS + (int)i, &t->rows[s->first + i], s->first + i == s->at);
	draw_trouble(s);
	draw_foot(s);
	refresh();
}

/* ---- keys ---- */

static void select_at(struct screen *s, size_t at)
{
	const struct top *t = s->top;
	s->at = at < t->count ? at : t->count ? t->count - 1 : 0;
	free(s->selected);
	s->selected = t->count ? must_strdup(t->rows[s->at].name) : NULL;
}

static void say(struct screen *s, const char *words)
{
	free(s->said);
	s->said = words ? must_strdup(words) : NULL;
}

static void enter(struct screen *s, const char *engine)
{
	char *was = s->top->engine ? must_strdup(s->top->engine) : NULL;
	char *to = engine ? must_strdup(engine) : NULL;
	top_enter(s->top, to);
	free(s->selected);
	s->selected = was; /* where one comes out of */
	s->at = s->first = 0;
	free(to);
}

static void type(struct screen *s, int key)
{
	char *filter = s->top->filter;
	size_t length = strlen(filter);
	if (key == '\n' || key == '\r' || key == KEY_ENTER || key == ESCAPE)
		s->types = false;
	if (key == ESCAPE)
		memcpy(filter, s->before, sizeof s->before);
	else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && length)
		filter[length - 1] = '\0';
	else if (key > ' ' && key < 127 && length + 1 < sizeof s->top->filter)
		memcpy(filter + length, (const char[]){(char)key, '\0'}, 2);
	top_arrange(s->top);
}

static void move_by(struct screen *s, int key)
{
	size_t step = key == KEY_NPAGE || key == KEY_PPAGE ? page() : 1;
	if (key == KEY_HOME)
		select_at(s, 0);
	else if (key == KEY_END)
		select_at(s, s->top->count);
	else if (key == KEY_UP || key == 'k' || key == KEY_PPAGE)
		select_at(s, s->at > step ? s->at - step : 0);
	else if (key == KEY_DOWN || key == 'j' || key == KEY_NPAGE)
		select_at(s, s->at + step);
}

static void go_out(struct screen *s)
{
	if (*s->top->filter) {
		*s->top->filter = '\0';
		top_arrange(s->top);
	} else if (s->top->engine) {
		enter(s, NULL);
	}
}

/* Whether it has to be asked anew. */
static bool press(struct screen *s, int key)
{
	static const char sorts[] = "rbdhcn";
	const struct top *t = s->top;
	const char *sort = key > 0 && key < 127 ? strchr(sorts, key) : NULL;
	const char *engine = t->engine;
	say(s, NULL);
	if (s->helps) {
		s->helps = false;
	} else if (s->types) {
		type(s, key);
	} else if (sort) {
		top_sort_by(s->top, (enum top_key)(sort - sorts));
	} else if (key == '?') {
		s->helps = true;
	} else if (key == '/') {
		s->types = true;
		memcpy(s->before, t->filter, sizeof s->before);
	} else if (key == ESCAPE) {
		go_out(s);
	} else if ((key == '\n' || key == '\r' || key == KEY_ENTER) && !t->engine && t->count) {
		enter(s, t->rows[s->at].name);
	} else {
		move_by(s, key);
	}
	return t->engine != engine;
}

/* ---- life ---- */

static bool begin(struct screen *s)
{
	setlocale(LC_CTYPE, "");
	s->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!newterm(NULL, stdout, stdin))
		return false;
	ctl_catch(note);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	s->colour = has_colors() && out_has_colour();
	if (s->colour) {
		start_color();
		use_default_colors();
		init_pair(RED, COLOR_RED, -1);
	}
	return true;
}

/* An engine that has gone is left; what else goes wrong ends it all. */
static int look(struct screen *s, struct pt_error *err)
{
	int code = top_look(s->top, err);
	if (code != -PT_ENOENGINE || !s->top->engine)
		return code;
	char *words = must_printf("engine '%s' is gone", s->top->engine);
	pt_error_clear(err);
	enter(s, NULL);
	say(s, words);
	free(words);
	return top_look(s->top, err);
}

/* Until the next look is due, or q: true. */
static bool serve(struct screen *s, double due_s)
{
	while (!signals) {
		draw(s);
		double left_s = due_s - clock_s();
		if (left_s <= 0)
			return false;
		timeout(left_s > 1 ? 1000 : (int)(left_s * 1000) + 1);
		int key = getch();
		if (key == 'q' && !s->types)
			return true;
		if (key != ERR && key != KEY_RESIZE && press(s, key))
			return false;
	}
	return true;
}

/* The second look comes soon, so that there are rates. */
static int show(struct screen *s, int64_t rounds, struct pt_error *err)
{
	enum { SOON_MS = 300 };
	int code = look(s, err);
	double rest_s = s->delay_s < SOON_MS / 1e3 ? s->delay_s : SOON_MS / 1e3;
	for (int64_t i = 0; !code && i != rounds; i++) {
		if (serve(s, clock_s() + rest_s))
			break;
		code = look(s, err);
		rest_s = s->delay_s;
	}
	return code;
}

int top_screen(struct top *t, double delay_s, int64_t rounds)
{
	struct pt_error err = PT_ERROR_INIT;
	struct screen s = {.top = t, .delay_s = delay_s};
	int code = ctl_connect(t->ctl, &err);
	if (!code && !begin(&s)) {
		code = pt_fail(&err, -PT_ESTATE, NULL, "this terminal ($TERM) is not known here");
		pt_hint(&err, "-b prints rounds as text");
	} else if (!code) {
		code = show(&s, rounds, &err);
		endwin();
	}
	free(s.selected);
	free(s.said);
	if (code)
		return ctl_refused(t->ctl, &err);
	return signals ? EXIT_INTERRUPTED : EXIT_DONE;
}
