/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph as a request gives it. */
#include "daemon/graph_params.h"

#include "base/json.h"
#include "daemon/pipe_text.h"

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

/* So what the text has made is what the graph has. */
static void set_graph(struct pt_request *r, const json_t *ops)
{
	json_decref(r->blocks);
	json_decref(r->links);
	r->blocks = json_array();
	r->links = json_array();
	json_each (op, ops) {
		json_object_del(op, "op");
		json_array_append(json_object_get(op, "from") ? r->links : r->blocks, op);
	}
}

bool graph_read(struct call *call)
{
	const char *text = call->params.text;
	const json_t *given = call->request.params;
	struct pt_request *r = &call->ask.request;
	struct pt_error err = PT_ERROR_INIT;
	struct lang_program *program = NULL;
	r->fds = call->fds;
	r->fd_count = call->fd_count;
	if (!text)
		return true;
	if (json_object_get(given, "blocks") || json_object_get(given, "links"))
		pt_fail(&err, -PT_EPARAM, "$.text", "either text, or blocks and links, not both");
	else
		program = call->state = pipe_text_read(text, NULL, &err);
	if (!program) {
		call_refuse(call, err.faults[0].code, &err);
		return false;
	}
	set_graph(r, program->ops);
	return true;
}

void graph_done(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	call_root_paths(err);
	pipe_text_locate(call->state, err);
	pipe_text_free(call->state);
	call_finish(call, code, json_incref(result), err);
}
