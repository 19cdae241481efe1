/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl remove, ptctl unlink. */
#include "ctl/change.h"
#include "lang/lang.h"
#include <stdbool.h>

static int remove_blocks(struct ctl *);
static int unlink_blocks(struct ctl *);

static const struct pt_param remove_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "block",
         .doc = "The blocks that go, with their links.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{.name = "if_exists",
         .doc = "What is not there is none to be refused.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_remove = {
	.name = "remove",
	.summary = "take blocks out of an engine",
	.params = remove_rows,
	.run = remove_blocks,
};

static const struct pt_param unlink_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "links",
         .doc = "The links that go, as 'a > b' or 'a >> b > c'.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{.name = "if_exists",
         .doc = "What is not there is none to be refused.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_unlink = {
	.name = "unlink",
	.summary = "take links out of an engine",
	.params = unlink_rows,
	.run = unlink_blocks,
};

/* ---- only what is there ---- */

static bool has_block(const json_t *shown, const json_t *op)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(shown, "blocks"), i, block)
		if (json_equal(json_object_get(block, "name"), json_object_get(op, "name")))
			return true;
	return false;
}

static bool has_link(const json_t *shown, const json_t *op)
{
	static const char *const members[] = {"from", "to", "canal"};
	size_t i, same;
	json_t *link;
	json_array_foreach (json_object_get(shown, "links"), i, link) {
		for (same = 0; same < 3; same++)
			if (!json_equal(json_object_get(link, members[same]),
			                json_object_get(op, members[same])))
				break;
		if (same == 3)
			return true;
	}
	return false;
}

/* The operations that have something to do; of several that are the same, the first. */
static json_t *only_needed(const json_t *shown, const json_t *ops)
{
	json_t *needed = json_array(), *op;
	size_t i;
	json_array_foreach ((json_t *)(uintptr_t)ops, i, op) {
		bool is_new = true;
		size_t k;
		json_t *other;
		json_array_foreach (needed, k, other)
			is_new &= !json_equal(op, other);
		if (is_new && (json_object_get(op, "from") ? has_link : has_block)(shown, op))
			json_array_append(needed, op);
	}
	return needed;
}

/* Somebody else may be at it, too: then what is there is looked at again. */
static int take_away_if_there(struct ctl *ctl, const char *engine, const json_t *ops,
                              json_t **result, struct pt_error *err)
{
	enum { TRIES = 20 };
	int code = 0;
	for (int tries = 0; tries < TRIES; tries++) {
		json_t *shown, *params = json_object();
		pt_error_clear(err);
		json_object_set_new(params, "engine", json_string(engine));
		code = ctl_call(ctl, "engine.show", params, &shown, err);
		if (code)
			return code;
		json_t *needed = only_needed(shown, ops);
		if (json_array_size(needed)) {
			code = change_send(ctl, engine, needed, result, err);
		} else {
			*result = json_pack("{s:O, s:o}", "revision",
			                    json_object_get(shown, "revision"), "plan", needed);
		}
		json_decref(shown);
		if (code != -PT_ENOBLOCK && code != -PT_EBADLINK)
			break;
	}
	return code;
}

/* Takes the operations. */
static int take_away(struct ctl *ctl, json_t *ops)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *engine = ctl_text(ctl, "engine");
	json_t *result;
	int code = ctl_flag(ctl, "if_exists")
	                   ? take_away_if_there(ctl, engine, ops, &result, &err)
	                   : change_send(ctl, engine, json_incref(ops), &result, &err);
	json_decref(ops);
	if (!code)
		return change_done(ctl, engine, result);
	int status = ctl_refused(ctl, &err);
	return code == -PT_EBADLINK ? EXIT_NOT_FOUND : status;
}

/* ---- remove ---- */

static int remove_blocks(struct ctl *ctl)
{
	json_t *ops = json_array(), *name;
	size_t i;
	json_array_foreach (ctl_many(ctl, "block"), i, name)
		json_array_append_new(ops, change_op("remove", json_string_value(name)));
	return take_away(ctl, ops);
}

/* ---- unlink ---- */

static int add_links(json_t *ops, const json_t *text, struct pt_error *err)
{
	json_t *links, *link;
	size_t i;
	int code = lang_parse_links(json_string_value(text), json_string_length(text), &links, err);
	if (code)
		return code;
	if (!json_array_size(links))
		code = pt_fail(err, -PT_EREQUEST, "links",
		               "'%s' names no link; write it as 'a > b'", json_string_value(text));
	json_array_foreach (links, i, link) {
		json_object_set_new(link, "op", json_string("unlink"));
		json_array_append(ops, link);
	}
	json_decref(links);
	return code;
}

static int unlink_blocks(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_array(), *text;
	size_t i;
	json_array_foreach (ctl_many(ctl, "links"), i, text) {
		if (add_links(ops, text, &err)) {
			json_decref(ops);
			return ctl_refused(ctl, &err);
		}
	}
	return take_away(ctl, ops);
}
