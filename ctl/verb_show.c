/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl show. */
#include "base/json.h"
#include "base/near.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "lang/lang.h"
#include <stdlib.h>
#include <string.h>

/* ---- an engine ---- */

static void add_params(struct table *t, const json_t *params)
{
	struct buf b = BUF_INIT;
	const char *key;
	json_t *value;
	json_object_foreach (json_of(params), key, value) {
		buf_addf(&b, "%s%s=", b.length ? ", " : "", key);
		lang_print_value(&b, value);
	}
	table_take(t, &b);
}

static void add_blocks(struct buf *b, const json_t *blocks)
{
	static const char *const heads[] = {"BLOCK", "TYPE", "STATE", "PARAMETERS", NULL};
	struct table t = table_init(4, 0);
	table_heads(&t, heads);
	json_each (block, blocks) {
		table_add(&t, text_of(block, "name"));
		table_add(&t, text_of(block, "type"));
		table_add(&t, text_of(block, "state"));
		add_params(&t, json_object_get(block, "params"));
	}
	table_print(&t, b);
}

static void add_links(struct buf *b, const json_t *links)
{
	struct buf text = BUF_INIT;
	json_t *graph = json_pack("{s:[], s:O}", "blocks", "links", links);
	lang_print(&text, graph);
	for (char *line = text.data, *end; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		if (end > line)
			buf_addf(b, "  %.*s\n", (int)(end - line), line);
		end += *end == '\n';
	}
	buf_free(&text);
	json_decref(graph);
}

static void add_notes(struct buf *b, const json_t *blocks)
{
	json_each (block, blocks)
		if (*text_of(block, "note")) {
			buf_addf(b, "%s: ", text_of(block, "name"));
			out_clean(b, text_of(block, "note"));
			buf_addc(b, '\n');
		}
}

/* Who is fed by a block, and does not read. */
static void add_unread(struct buf *b, const json_t *blocks)
{
	json_each (block, blocks) {
		const json_t *now = json_object_get(block, "now");
		const char *by = text_of(now, "unread_by");
		if (!json_object_get(now, "unread_s"))
			continue;
		by = *by ? by : text_of(now, "peer");
		buf_addf(b, "%s: %s has read nothing for %lld s, and ", text_of(block, "name"),
		         *by ? by : "the other side", integer_of(now, "unread_s"));
		out_count(b, number_of(now, "waiting"));
		buf_adds(b, " bytes wait\n");
	}
}

/* What blocks tell of how they started, as which interface was taken. */
void print_notes(struct ctl *ctl, struct buf *b, json_t *result)
{
	json_t *shown = NULL;
	ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, NULL);
	add_notes(b, json_object_get(shown, "blocks"));
	json_decref(shown);
}

static void add_errors(struct buf *b, const json_t *blocks)
{
	json_each (block, blocks)
		if (*text_of(block, "last_error")) {
			buf_addf(b, "%s%s: ", out_colour(OUT_RED), text_of(block, "name"));
			out_first_line(b, text_of(block, "last_error"));
			buf_addf(b, "%s\n", out_colour(OUT_PLAIN));
		}
}

static void add_file(struct buf *b, const json_t *shown)
{
	const char *file = text_of(shown, "file");
	if (!*file)
		return;
	buf_adds(b, "of the file ");
	out_clean(b, file);
	buf_adds(b, json_is_true(json_object_get(shown, "differs")) ? ", from which it differs\n"
	                                                            : "\n");
}

static void add_resumed(struct buf *b, const json_t *shown)
{
	const json_t *resumed = json_object_get(shown, "resumed");
	if (!resumed)
		return;
	buf_adds(b, "went on at ");
	out_clock(b, text_of(resumed, "time"), 3);
	buf_addf(b, ", %.3f s behind its checkpoint (%s); waited: ", number_of(resumed, "gap_s"),
	         text_of(resumed, "why"));
	out_count(b, number_of(resumed, "waited"));
	buf_addc(b, '\n');
}

static void add_why(struct buf *b, const json_t *shown)
{
	const char *why = text_of(shown, "why");
	if (!*why)
		return;
	buf_adds(b, out_colour(OUT_RED));
	out_clean(b, why);
	buf_addf(b, "%s\n", out_colour(OUT_PLAIN));
}

static void show_engine(const json_t *shown)
{
	struct buf b = BUF_INIT;
	const json_t *blocks = json_object_get(shown, "blocks");
	const json_t *links = json_object_get(shown, "links");
	buf_addf(&b, "%s: %s, revision %lld\n", text_of(shown, "engine"), text_of(shown, "state"),
	         integer_of(shown, "revision"));
	add_file(&b, shown);
	add_resumed(&b, shown);
	add_why(&b, shown);
	if (json_array_size(blocks)) {
		buf_addc(&b, '\n');
		add_blocks(&b, blocks);
	}
	if (json_array_size(links)) {
		buf_adds(&b, "\nLinks:\n");
		add_links(&b, links);
	}
	add_notes(&b, blocks);
	add_unread(&b, blocks);
	add_errors(&b, blocks);
	out_buf(&b);
}

/* ---- a block ---- */

static void add_value(struct buf *b, const json_t *value)
{
	if (json_is_integer(value))
		out_count(b, json_number_value(value));
	else if (json_is_string(value))
		out_first_line(b, json_string_value(value));
	else
		lang_print_value(b, value);
}

static void add_members(struct table *t, const json_t *object, const char *indent)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_of(object), key, value) {
		struct buf text = BUF_INIT;
		bool nested = json_is_object(value) && json_object_size(value);
		if (json_is_null(value) || !strcmp(key, "name") ||
		    (json_is_object(value) && !nested))
			continue;
		table_addf(t, "%s%s", indent, key);
		if (!strcmp(key, "time") && json_is_string(value))
			out_clock(&text, json_string_value(value), 3);
		else if (!nested)
			add_value(&text, value);
		table_take(t, &text);
		if (nested)
			add_members(t, value, "  ");
	}
}

static void add_params_of(struct table *t, const json_t *params)
{
	const char *key;
	json_t *value;
	json_object_foreach (json_of(params), key, value) {
		struct buf text = BUF_INIT;
		lang_print_value(&text, value);
		table_addf(t, "  %s", key);
		table_take(t, &text);
	}
}

/* What follows the first line of an error. */
static void add_traceback(struct buf *b, const char *text)
{
	text += strcspn(text, "\n");
	while (*text) {
		buf_adds(b, "  ");
		out_first_line(b, ++text);
		buf_addc(b, '\n');
		text += strcspn(text, "\n");
	}
}

static void add_links_of(struct buf *b, const json_t *links, const char *name)
{
	json_t *own = json_array();
	json_each (link, links)
		if (!strcmp(text_of(link, "from"), name) || !strcmp(text_of(link, "to"), name))
			json_array_append(own, link);
	if (json_array_size(own)) {
		buf_adds(b, "links\n");
		add_links(b, own);
	}
	json_decref(own);
}

/* Why there is none stands in its place: it is no fault. */
static void tell_no_checkpoint(json_t *block)
{
	const char *why = text_of(block, "why");
	if (!*why || !json_is_null(json_object_get(block, "checkpoint")))
		return;
	json_object_set_new(block, "checkpoint", json_sprintf("none: %s", why));
	json_object_del(block, "why");
}

static void show_block(const json_t *shown, json_t *block, const json_t *counts)
{
	struct table t = table_init(2, 0);
	struct buf b = BUF_INIT;
	json_t *rest = json_copy(block);
	table_add(&t, "block");
	table_addf(&t, "%s.%s", text_of(shown, "engine"), text_of(block, "name"));
	t.headless = true;
	json_object_del(rest, "params");
	if (counts) { /* where they stand, too */
		json_object_del(rest, "last_error");
		json_object_del(rest, "state");
	}
	tell_no_checkpoint(rest);
	add_members(&t, rest, "");
	if (json_object_size(json_object_get(block, "params"))) {
		table_add(&t, "parameters");
		table_add(&t, "");
		add_params_of(&t, json_object_get(block, "params"));
	}
	json_t *more = json_copy(json_of(counts));
	const char *key;
	json_t *value;
	json_object_foreach (rest, key, value)
		json_object_del(more, key);
	add_members(&t, more, "");
	table_print(&t, &b);
	json_decref(more);
	add_traceback(&b, text_of(counts, "last_error"));
	add_links_of(&b, json_object_get(shown, "links"), text_of(block, "name"));
	out_buf(&b);
	json_decref(rest);
}

static int no_block(const json_t *shown, const char *name, struct pt_error *err)
{
	struct near near = near_init(name);
	json_each (block, json_object_get(shown, "blocks"))
		near_try(&near, text_of(block, "name"));
	return pt_fail(err, -PT_ENOBLOCK, "block", "engine '%s' has no block '%s'%s",
	               text_of(shown, "engine"), name, near_say(&near, ""));
}

/* With -j, what engine.show has of it, with its counts. */
static int one_block(struct ctl *ctl, const json_t *shown, struct pt_error *err)
{
	json_t *block = item_of(json_object_get(shown, "blocks"), "name", ctl->block), *stats;
	if (!block)
		return no_block(shown, ctl->block, err);
	int code = ctl_call(ctl, "engine.stats", ctl_engine(ctl), &stats, err);
	if (code)
		return code;
	json_t *counts = item_of(json_object_get(stats, "blocks"), "name", ctl->block);
	if (ctl->json) {
		json_t *both = json_copy(block);
		json_object_update(both, counts);
		out_json(both);
		json_decref(both);
	} else {
		show_block(shown, block, counts);
	}
	json_decref(stats);
	return 0;
}

int verb_show(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *shown = NULL;
	int code = ctl_split_any(ctl, &err);
	if (!code)
		code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, &err);
	if (!code && ctl->block)
		code = one_block(ctl, shown, &err);
	else if (!code && ctl->json)
		out_json(shown);
	else if (!code)
		show_engine(shown);
	json_decref(shown);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
