/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs that change a graph have in common. */
#include "ctl/change.h"

#include "base/json.h"
#include "base/utf8.h"
#include "ctl/out.h"
#include "lang/lang.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_t *change_op(const char *op, const char *name)
{
	json_t *json = json_object();
	json_object_set_new(json, "op", json_string(op));
	if (name)
		json_object_set_new(json, "name", json_string(name));
	return json;
}

int change_send(struct ctl *ctl, json_t *ops, json_t **result, struct pt_error *err)
{
	json_t *params = ctl_params(ctl);
	json_object_del(params, "block"); /* the operations name it */
	json_object_set_new(params, "ops", ops);
	return ctl_call_with_fds(ctl, "engine.change", params, result, err);
}

int change_run(struct ctl *ctl, json_t *ops)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result = NULL;
	int code = change_send(ctl, ops, &result, &err);
	return ctl_end(ctl, code, result, &err);
}

json_t *change_none(const json_t *revision)
{
	return json_pack("{s:O*, s:[]}", "revision", revision, "plan");
}

const json_t *change_same(const json_t *graph, const json_t *item)
{
	static const char *const link[] = {"from", "to", "canal", NULL}, *block[] = {"name", NULL};
	bool is_link = json_object_get(item, "from");
	json_each (other, json_object_get(graph, is_link ? "links" : "blocks")) {
		const char *const *member = is_link ? link : block;
		while (*member &&
		       json_equal(json_object_get(other, *member), json_object_get(item, *member)))
			member++;
		if (!*member)
			return other;
	}
	return NULL;
}

/* ---- the plan, one operation a line ---- */

static void show_params(struct buf *b, const json_t *params)
{
	const char *key, *comma = "";
	json_t *value;
	json_object_foreach (json_of(params), key, value) {
		buf_addf(b, "%s%s=", comma, key);
		lang_print_value(b, value);
		comma = ", ";
	}
}

static void show_block(struct buf *b, const json_t *op)
{
	json_t *graph = json_pack("{s:[O], s:[]}", "blocks", op, "links");
	struct buf text = BUF_INIT;
	lang_print(&text, graph);
	while (text.length && text.data[text.length - 1] == '\n')
		text.length--;
	buf_add(b, text.data ? text.data : "", text.length);
	buf_free(&text);
	json_decref(graph);
}

/* "  # was limit=None", "  # was Drain()". */
static void show_was(struct buf *b, const json_t *was)
{
	const char *type = text_of(was, "type");
	if (!was || json_is_null(was))
		return;
	buf_addf(b, "%s  # was %s%s", out_colour(OUT_DIM), type, *type ? "(" : "");
	show_params(b, *type ? json_object_get(was, "params") : was);
	buf_addf(b, "%s%s", *type ? ")" : "", out_colour(OUT_PLAIN));
}

static void show_op(struct buf *b, const json_t *op, const json_t *was)
{
	const char *word = text_of(op, "op");
	buf_addf(b, "%-8s", word);
	if (!strcmp(word, "add") || !strcmp(word, "replace"))
		show_block(b, op);
	else if (!strcmp(word, "set")) {
		buf_addf(b, "%s(", text_of(op, "name"));
		show_params(b, json_object_get(op, "params"));
		buf_addc(b, ')');
	} else if (!strcmp(word, "link") || !strcmp(word, "unlink"))
		buf_addf(b, "%s %s %s", text_of(op, "from"), out_canal_sign(text_of(op, "canal")),
		         text_of(op, "to"));
	else if (!strcmp(word, "empty"))
		buf_adds(b, "engine");
	else if (!strcmp(word, "order"))
		buf_adds(b, "only how it is written differs");
	else
		buf_adds(b, text_of(op, "name"));
	show_was(b, was);
	buf_addc(b, '\n');
}

void change_show_ops(struct buf *b, const json_t *ops, const json_t *was, const char *indent)
{
	json_each (op, ops) {
		buf_adds(b, indent);
		show_op(b, op, json_array_get(was, op_at));
	}
}

void change_print_diff(struct ctl *ctl, struct buf *b, json_t *result)
{
	change_show_ops(b, json_object_get(result, "ops"), json_object_get(result, "was"), "");
}

int change_diff_done(struct ctl *ctl, json_t *result)
{
	return json_array_size(json_object_get(result, "ops")) ? EXIT_DIFFERS : EXIT_DONE;
}

/* ---- what was done, in a line ---- */

/* The pieces that the line is made of: each belongs to what stands before it. */
struct pieces {
	char **items;
	size_t count;
	char *end; /* where the last link ended, by which canal */
};

static void add_piece(struct pieces *p, char *text)
{
	p->items = must_realloc(p->items, p->count + 1, sizeof *p->items);
	p->items[p->count++] = text;
}

/* A link that goes on where the one before ended is written as a chain. */
static void add_link(struct pieces *p, const char *before, const json_t *op)
{
	const char *sign = out_canal_sign(json_string_value(json_object_get(op, "canal")));
	char *from = must_printf("%s %s", sign, text_of(op, "from"));
	if (!*before && !strcmp(p->end, from))
		add_piece(p, must_printf(" %s %s", sign, text_of(op, "to")));
	else
		add_piece(p, must_printf("%s%s %s %s", *before ? before : ", ", text_of(op, "from"),
		                         sign, text_of(op, "to")));
	free(from);
	free(p->end);
	p->end = must_printf("%s %s", sign, text_of(op, "to"));
}

/* All operations of one kind, in their order. */
static void add_group(struct pieces *p, const json_t *ops, const char *op, const char *word)
{
	char *before = must_printf("%s%s ", p->count ? "; " : "", word);
	size_t count = p->count;
	json_each (item, json_of(ops)) {
		const char *begin = p->count == count ? before : "";
		if (strcmp(text_of(item, "op"), op) != 0)
			continue;
		if (json_object_get(item, "from"))
			add_link(p, begin, item);
		else
			add_piece(p, must_printf("%s%s", *begin ? begin : ", ",
			                         text_of(item, "name")));
	}
	free(before);
}

static size_t width_of(const char *text)
{
	return utf8_width(text, strlen(text));
}

/* How many pieces fit, with the words for those that do not. */
static size_t count_fitting(const struct pieces *p, size_t used, size_t width)
{
	size_t fitting = 0, all = used;
	for (size_t i = 0; i < p->count; i++)
		all += width_of(p->items[i]);
	if (all <= width)
		return p->count;
	for (; fitting < p->count; fitting++) {
		char more[40];
		snprintf(more, sizeof more, " and %zu more", p->count - fitting - 1);
		used += width_of(p->items[fitting]);
		if (used + strlen(more) > width)
			break;
	}
	return fitting;
}

static void add_pieces(struct buf *b, const struct pieces *p, size_t width)
{
	size_t fitting = count_fitting(p, width_of(b->data), width);
	if (!fitting && p->count)
		fitting = 1;
	for (size_t i = 0; i < fitting; i++)
		buf_adds(b, p->items[i]);
	if (fitting < p->count)
		buf_addf(b, " and %zu more", p->count - fitting);
}

void change_summary(struct buf *b, json_int_t revision, const json_t *ops, size_t width)
{
	static const char *const words[][2] = {
		{"add", "added"}, {"remove", "removed"}, {"replace", "replaced"},
		{"set", "set"},   {"link", "linked"},    {"unlink", "unlinked"},
	};
	struct pieces p = {0};
	if (!json_array_size(ops)) {
		buf_adds(b, "no change");
		return;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		add_group(&p, ops, words[i][0], words[i][1]);
	buf_addf(b, "revision %" JSON_INTEGER_FORMAT ": ", revision);
	add_pieces(b, &p, width);
	if (!p.count)
		buf_adds(b, revision ? "only how it is written differs" : "an empty engine");
	for (size_t i = 0; i < p.count; i++)
		free(p.items[i]);
	free(p.items);
	free(p.end);
}

void change_tell_until(struct buf *b, const char *engine, const char *what, double after_s)
{
	char until[16];
	time_t at = time(NULL) + (time_t)ceil(after_s);
	struct tm tm;
	strftime(until, sizeof until, "%H:%M:%S", localtime_r(&at, &tm));
	buf_addf(b, "it %s at %s, unless: ptctl confirm %s\n", what, until, engine);
}

void print_confirm(struct ctl *ctl, struct buf *b, json_t *result)
{
	if (json_object_get(result, "left_s"))
		change_tell_until(b, ctl->engine, "goes back", number_of(result, "left_s"));
}

static void tell_done(const struct ctl *ctl, struct buf *b, const json_t *result)
{
	struct buf line = BUF_INIT;
	const json_t *plan = json_object_get(result, "plan");
	double confirm_s = number_of(ctl->values, "confirm");
	change_summary(&line, integer_of(result, "revision"), plan, out_columns());
	out_clean(b, line.data);
	buf_addc(b, '\n');
	if (confirm_s > 0 && json_array_size(plan))
		change_tell_until(b, ctl->engine,
		                  json_object_get(result, "made") ? "is gone" : "goes back",
		                  confirm_s);
	buf_free(&line);
}

void change_print(struct ctl *ctl, struct buf *b, json_t *result)
{
	if (ctl_flag(ctl, "dry_run"))
		change_show_ops(b, json_object_get(result, "plan"), NULL, "");
	else if (!ctl_flag(ctl, "quiet"))
		tell_done(ctl, b, result);
	if (ctl_flag(ctl, "start") && !ctl_flag(ctl, "dry_run") && !ctl_flag(ctl, "quiet"))
		print_notes(ctl, b, result);
}

int change_done(struct ctl *ctl, json_t *result)
{
	bool differs = json_array_size(json_object_get(result, "plan"));
	ctl_tell_losses(result); /* the change is made all the same */
	return differs && ctl_flag(ctl, "dry_run") && ctl_flag(ctl, "exit_code") ? EXIT_DIFFERS
	                                                                         : EXIT_DONE;
}
