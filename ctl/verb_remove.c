/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl remove, ptctl unlink. */
#include "ctl/change.h"
#include "lang/lang.h"

static int remove_blocks(struct ctl *);
static int unlink_blocks(struct ctl *);

static const struct pt_param remove_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "block",
         .doc = "The blocks that go, with their links.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
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
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct verb verb_unlink = {
	.name = "unlink",
	.summary = "take links out of an engine",
	.params = unlink_rows,
	.run = unlink_blocks,
};

static int remove_blocks(struct ctl *ctl)
{
	json_t *ops = json_array(), *name;
	size_t i;
	json_array_foreach (ctl_many(ctl, "block"), i, name)
		json_array_append_new(ops, change_op("remove", json_string_value(name)));
	return change_run(ctl, ctl_text(ctl, "engine"), ops);
}

static void add_ops(json_t *ops, const json_t *links)
{
	size_t i;
	json_t *link;
	json_array_foreach (links, i, link) {
		json_object_set_new(link, "op", json_string("unlink"));
		json_array_append(ops, link);
	}
}

static int unlink_blocks(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_array(), *text, *links;
	size_t i;
	json_array_foreach (ctl_many(ctl, "links"), i, text) {
		if (lang_parse_links(json_string_value(text), json_string_length(text), &links,
		                     &err)) {
			json_decref(ops);
			return ctl_refused(ctl, &err);
		}
		add_ops(ops, links);
		json_decref(links);
	}
	return change_run(ctl, ctl_text(ctl, "engine"), ops);
}
