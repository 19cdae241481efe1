/* SPDX-License-Identifier: BSD-2-Clause */
/* Columns and cells of top, and rounds of it as text or JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "ctl/top.h"
#include <string.h>

static const struct {
	const char *head, *member; /* in JSON */
	bool right;
} columns[] = {
	[TOP_C_NAME] = {"ENGINE", "engine"},
	[TOP_C_STATE] = {"STATE", "state"},
	[TOP_C_UPTIME] = {"UPTIME", "uptime_s", true},
	[TOP_C_IN] = {"IN/s", "in_per_s", true},
	[TOP_C_OUT] = {"OUT/s", "out_per_s", true},
	[TOP_C_BITS] = {"BIT/s", "bits_per_s", true},
	[TOP_C_FILTERED] = {"FILTERED", "filtered", true},
	[TOP_C_DROPPED] = {"DROPPED", "dropped", true},
	[TOP_C_HELD] = {"HELD", "held", true},
	[TOP_C_CPU] = {"CPU%", "cpu_percent", true},
	[TOP_C_WAITS] = {"WAITS FOR", "waits_for"},
};

const char *top_head(const struct top *t, enum top_column column)
{
	return column == TOP_C_NAME && t->engine ? "BLOCK" : columns[column].head;
}

bool top_is_right(enum top_column column)
{
	return columns[column].right;
}

bool top_is_red(const struct top_row *r, enum top_column column)
{
	return (column == TOP_C_DROPPED && r->dropped > 0) ||
	       ((column == TOP_C_NAME || column == TOP_C_STATE) && r->bad);
}

static double number(const struct top_row *r, enum top_column column)
{
	const double numbers[TOP_COLUMNS] = {
		[TOP_C_UPTIME] = r->uptime_s,   [TOP_C_IN] = r->in,
		[TOP_C_OUT] = r->out,           [TOP_C_BITS] = r->bits,
		[TOP_C_FILTERED] = r->filtered, [TOP_C_DROPPED] = r->dropped,
		[TOP_C_HELD] = r->held,         [TOP_C_CPU] = r->cpu,
	};
	return numbers[column];
}

/* 12,345; 123k; 1.23M. */
static void add_short(struct buf *b, double n)
{
	static const char units[] = "kMGTP";
	unsigned unit = 0;
	if (n < 99999.5) {
		out_count(b, n);
		return;
	}
	for (n /= 1000; n >= 999.5 && units[unit + 1]; unit++)
		n /= 1000;
	buf_addf(b, "%.*f%c", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, units[unit]);
}

void top_cell(struct buf *b, const struct top *t, const struct top_row *r, enum top_column column)
{
	double n = number(r, column);
	if (column == TOP_C_NAME)
		out_clean(b, r->name);
	else if (column == TOP_C_STATE)
		buf_adds(b, r->state);
	else if (column == TOP_C_WAITS)
		out_clean(b, r->waits_for);
	else if (n < 0)
		buf_adds(b, "-");
	else if (column == TOP_C_UPTIME && n > 0)
		out_duration(b, n);
	else if (column == TOP_C_CPU)
		buf_addf(b, "%.1f", n);
	else if (column != TOP_C_UPTIME)
		add_short(b, n);
}

/* ---- rounds ---- */

static json_t *row_to_json(const struct top *t, const struct top_row *r)
{
	json_t *object = json_object();
	json_object_set_new(object, t->engine ? "block" : "engine", json_string(r->name));
	json_object_set_new(object, "state", json_string(r->state));
	for (enum top_column c = TOP_C_UPTIME; c < TOP_C_WAITS; c++) {
		double n = number(r, c);
		bool whole = c == TOP_C_FILTERED || c == TOP_C_DROPPED || c == TOP_C_HELD;
		json_object_set_new(object, columns[c].member,
		                    n < 0   ? json_null()
		                    : whole ? json_integer((json_int_t)n)
		                            : json_real(n));
	}
	json_object_set(object, columns[TOP_C_WAITS].member, r->waiting);
	if (*r->trouble)
		json_object_set_new(object, "trouble", json_string(r->trouble));
	return object;
}

static void print_json(const struct top *t)
{
	json_t *rows = json_array(), *round = json_object();
	for (size_t i = 0; i < t->count; i++)
		json_array_append_new(rows, row_to_json(t, &t->rows[i]));
	if (t->engine)
		json_object_set_new(round, "engine", json_string(t->engine));
	json_object_set_new(round, t->engine ? "blocks" : "engines", rows);
	out_json(round);
	json_decref(round);
}

static void print_text(const struct top *t, bool first)
{
	struct buf b = BUF_INIT;
	unsigned right = 0;
	for (enum top_column c = 0; c < TOP_COLUMNS; c++)
		right |= (unsigned)top_is_right(c) << c;
	struct table table = table_init(TOP_COLUMNS + 1, right);
	table.wide = true;
	for (enum top_column c = 0; c < TOP_COLUMNS; c++)
		table_add(&table, top_head(t, c));
	table_add(&table, ""); /* what is wrong, in words */
	for (size_t i = 0; i < t->count; i++) {
		for (enum top_column c = 0; c < TOP_COLUMNS; c++) {
			struct buf cell = BUF_INIT;
			top_cell(&cell, t, &t->rows[i], c);
			table_take(&table, &cell);
			table_redden(&table, top_is_red(&t->rows[i], c));
		}
		table_add(&table, t->rows[i].trouble);
	}
	buf_adds(&b, first ? "" : "\n");
	table_print(&table, &b);
	out_buf(&b);
}

/* Rates need two looks, so the first round comes behind a rest. */
int top_print(struct top *t, double delay_s, int64_t rounds)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = top_look(t, &err);
	follow_begin(t->ctl, true);
	for (int64_t i = 0; !code && (rounds < 0 || i < rounds); i++) {
		clock_rest(i || delay_s < 1 ? delay_s : 1);
		code = top_look(t, &err);
		if (!code && t->ctl->json)
			print_json(t);
		else if (!code)
			print_text(t, !i);
	}
	return code ? ctl_refused(t->ctl, &err) : EXIT_DONE;
}
