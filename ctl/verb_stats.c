/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl stats and metrics. */
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/out.h"
#include "ctl/watch.h"
#include <stdlib.h>
#include <string.h>

/* The numbers of one look, and those of the look before, for rates. */
struct look {
	const json_t *now, *before; /* before: NULL at first */
	double seconds;
};

static void add_rate(struct table *t, const struct look *look, const json_t *now,
                     const json_t *before, const char *member, bool bytes)
{
	struct buf b = BUF_INIT;
	if (before && look->seconds > 0) {
		double more = number_of(now, member) - number_of(before, member);
		double rate = (more > 0 ? more : 0) / look->seconds;
		if (bytes)
			out_bytes(&b, rate);
		else
			out_count(&b, rate);
		buf_adds(&b, "/s");
	}
	table_take(t, &b);
}

/* "0", "3 closed", "5 closed: 3 old: 2". */
static void add_reasons(struct table *t, const json_t *reasons)
{
	struct buf b = BUF_INIT;
	const char *why;
	json_t *n;
	out_count(&b, sum_of(reasons));
	json_object_foreach (json_of(reasons), why, n) {
		buf_addf(&b, " %s", why);
		if (json_object_size(reasons) > 1) {
			buf_adds(&b, ": ");
			out_count(&b, json_number_value(n));
		}
	}
	table_take(t, &b);
}

static void add_block_table(struct buf *b, const struct look *look)
{
	const char *const words[] = {"BLOCK",    "IN",      "OUT",
	                             "HELD",     "ERRORS",  look->before ? "OUT/s" : "",
	                             "FILTERED", "DROPPED", NULL};
	struct table t = table_init(8, 0x3e);
	table_heads(&t, words);
	json_each (block, json_object_get(look->now, "blocks")) {
		table_add(&t, text_of(block, "name"));
		table_count(&t, json_object_get(block, "in"));
		table_count(&t, json_object_get(block, "out"));
		table_count(&t, json_object_get(block, "held"));
		table_count(&t, json_object_get(block, "errors"));
		table_redden(&t, number_of(block, "errors") > 0);
		add_rate(&t, look, block, change_same(look->before, block), "out", false);
		add_reasons(&t, json_object_get(block, "filtered"));
		add_reasons(&t, json_object_get(block, "dropped"));
		table_redden(&t, sum_of(json_object_get(block, "dropped")) > 0);
	}
	table_print(&t, b);
}

static void add_red(struct buf *b, bool red, double number, const char *what)
{
	buf_adds(b, red ? out_colour(OUT_RED) : "");
	out_count(b, number);
	buf_addf(b, " %s%s", what, red ? out_colour(OUT_PLAIN) : "");
}

/* "7 in = 3 out + 0 held + 4 filtered + 0 dropped, 0 unexplained", over all blocks. */
static void add_sum(struct buf *b, const json_t *stats)
{
	double in = 0, out = 0, held = 0, filtered = 0, dropped = 0;
	double unexplained = number_of(stats, "unexplained");
	json_each (block, json_object_get(stats, "blocks")) {
		in += number_of(block, "in");
		out += number_of(block, "out");
		held += number_of(block, "held");
		filtered += sum_of(json_object_get(block, "filtered"));
		dropped += sum_of(json_object_get(block, "dropped"));
	}
	add_red(b, false, in, "in = ");
	add_red(b, false, out, "out + ");
	add_red(b, false, held, "held + ");
	add_red(b, false, filtered, "filtered + ");
	add_red(b, dropped > 0, dropped, "dropped");
	buf_adds(b, ", ");
	add_red(b, unexplained > 0, unexplained, "unexplained");
	buf_addc(b, '\n');
}

static void add_link_table(struct buf *b, const struct look *look)
{
	static const char *const words[] = {"LINK", "MESSAGES", "BYTES", "", "", NULL};
	struct table t = table_init(5, 0x1e);
	if (!json_array_size(json_object_get(look->now, "links")))
		return;
	table_heads(&t, words);
	json_each (link, json_object_get(look->now, "links")) {
		struct buf bytes = BUF_INIT;
		const json_t *before = change_same(look->before, link);
		out_bytes(&bytes, number_of(link, "bytes"));
		table_addf(&t, "%s %s %s", text_of(link, "from"),
		           out_canal_sign(text_of(link, "canal")), text_of(link, "to"));
		table_count(&t, json_object_get(link, "messages"));
		table_take(&t, &bytes);
		add_rate(&t, look, link, before, "messages", false);
		add_rate(&t, look, link, before, "bytes", true);
	}
	buf_addc(b, '\n');
	table_print(&t, b);
}

static void add_engine(struct buf *b, const char *engine, const struct look *look, bool whole)
{
	buf_addf(b, "%s:\n", engine);
	add_block_table(b, look);
	add_link_table(b, look);
	if (!whole)
		return;
	buf_addc(b, '\n');
	add_sum(b, look->now);
}

/* ---- asking ---- */

/* The block alone, and what leads to it and from it. */
static int only_block(const char *engine, const char *block, json_t *stats, struct pt_error *err)
{
	json_t *blocks = json_array(), *links = json_array();
	json_each (row, json_object_get(stats, "blocks"))
		if (!strcmp(text_of(row, "name"), block))
			json_array_append(blocks, row);
	json_each (row, json_object_get(stats, "links"))
		if (!strcmp(text_of(row, "from"), block) || !strcmp(text_of(row, "to"), block))
			json_array_append(links, row);
	int code = json_array_size(blocks) ? 0
	                                   : pt_fail(err, -PT_ENOBLOCK, NULL,
	                                             "no block '%s' in engine '%s'", block, engine);
	json_object_clear(stats);
	json_object_set_new(stats, "blocks", blocks);
	json_object_set_new(stats, "links", links);
	return code;
}

static int ask(struct ctl *ctl, const char *engine, json_t *all, struct pt_error *err)
{
	json_t *stats = NULL;
	int code = ctl_call(ctl, "engine.stats", json_pack("{s:s}", "engine", engine), &stats, err);
	if (!code && ctl->block)
		code = only_block(engine, ctl->block, stats, err);
	if (!code)
		json_object_set(all, engine, stats);
	json_decref(stats);
	return code;
}

/* {engine: stats} of one engine or of all. */
static int gather(struct ctl *ctl, json_t **all, struct pt_error *err)
{
	json_t *list = NULL;
	*all = json_object();
	if (ctl->engine)
		return ask(ctl, ctl->engine, *all, err);
	int code = ctl_call(ctl, "engine.list", NULL, &list, err);
	json_each (engine, json_object_get(list, "engines")) {
		if (!code)
			code = ask(ctl, text_of(engine, "engine"), *all, err);
		if (code != -PT_ENOENGINE)
			continue;
		pt_error_clear(err); /* gone meanwhile */
		code = 0;
	}
	json_decref(list);
	return code;
}

static int look(struct ctl *ctl, void *arg, double since_s, struct buf *b, struct pt_error *err)
{
	json_t **before = arg, *all, *now;
	const char *engine;
	int code = gather(ctl, &all, err);
	if (!code && ctl->json)
		out_json(ctl->engine ? json_object_get(all, ctl->engine) : all);
	else if (!code)
		json_object_foreach (all, engine, now) {
			struct look numbers = {now, json_object_get(*before, engine), since_s};
			buf_adds(b, b->length ? "\n" : "");
			add_engine(b, engine, &numbers, !ctl->block);
		}
	json_decref(*before);
	*before = all;
	return code;
}

int verb_stats(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *before = NULL;
	if (ctl_split_any(ctl, &err))
		return ctl_refused(ctl, &err);
	int status = watch(ctl, look, &before);
	json_decref(before);
	return status;
}

void print_metrics(struct ctl *ctl, struct buf *b, json_t *result)
{
	buf_adds(b, text_of(result, "text"));
}
