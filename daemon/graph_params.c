/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph as a request gives it. */
#include "daemon/graph_params.h"

#include "base/buf.h"
#include "daemon/pipe_text.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const canals[] = {"low", "high", "trigger", NULL};

/* clang-format off */
#define NAME   {"name", "The block's name.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define TYPE   {"type", "The block's type.", PT_KIND_STRING, .flags = PT_REQUIRED}
#define PARAMS {"params", "The block's parameters, as its type has them.", \
	PT_KIND_OBJECT, .fallback = "None"}

const struct pt_param graph_block_rows[] = {NAME, TYPE, PARAMS, {0}};

const struct pt_param graph_link_rows[] = {
	{"from", "The block that sends.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"to", "The block that receives.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"canal", "Which of its exits, to the same entry.",
	 PT_KIND_CHOICE, .fallback = "low", .choices = canals},
	{0}
};

static const struct pt_param remove_rows[] = {NAME, {0}};

static const struct pt_param set_rows[] = {
	NAME,
	PARAMS,
	{"restart", "In a plan: the block is made anew with them, and goes on with what it has. "
	 "Given, it changes nothing.", PT_KIND_BOOL, .fallback = "false"},
	{0}
};

const struct pt_param graph_op_rows[] = {
	{"add", "A new block.", PT_KIND_OBJECT, .members = graph_block_rows},
	{"remove", "A block goes, with its links.", PT_KIND_OBJECT, .members = remove_rows},
	{"link", "A new link.", PT_KIND_OBJECT, .members = graph_link_rows},
	{"unlink", "A link goes.", PT_KIND_OBJECT, .members = graph_link_rows},
	{"set", "Other parameters; those that are not given stay.",
	 PT_KIND_OBJECT, .members = set_rows},
	{"replace", "Another block takes the place of one, with its links.",
	 PT_KIND_OBJECT, .members = graph_block_rows},
	{0}
};
/* clang-format on */

json_t *graph_ops(const json_t *params)
{
	static const char *const members[] = {"blocks", "links"}, *const names[] = {"add", "link"};
	json_t *ops = json_array();
	for (int kind = 0; kind < 2; kind++) {
		size_t i;
		json_t *item;
		json_array_foreach (json_object_get(params, members[kind]), i, item) {
			json_t *op = json_copy(item);
			json_object_set_new(op, "op", json_string(names[kind]));
			json_array_append_new(ops, op);
		}
	}
	return ops;
}

json_t *graph_read(const json_t *params, struct lang_program **program, struct pt_error *err)
{
	const char *text = json_string_value(json_object_get(params, "text"));
	*program = NULL;
	if (!text)
		return graph_ops(params);
	if (json_object_get(params, "blocks") || json_object_get(params, "links")) {
		pt_fail(err, -PT_EPARAM, "$.text", "either text, or blocks and links, not both");
		return NULL;
	}
	*program = pipe_text_read(text, NULL, err);
	return *program ? json_incref((*program)->ops) : NULL;
}

void graph_told(const json_t *params, struct lang_program *program, struct pt_error *err)
{
	if (program)
		pipe_text_locate(program, err);
	else
		graph_paths(err, json_array_size(json_object_get(params, "blocks")));
	pipe_text_free(program);
}

void graph_paths(struct pt_error *err, size_t blocks)
{
	for (size_t i = 0; err && i < err->count; i++) {
		unsigned long op;
		int length = 0;
		char *path = err->faults[i].path;
		if (!path || sscanf(path, "$.ops[%lu]%n", &op, &length) != 1 || !length)
			continue;
		err->faults[i].path = must_printf("$.%s[%lu]%s", op < blocks ? "blocks" : "links",
		                                  op < blocks ? op : op - blocks, path + length);
		free(path);
	}
}
