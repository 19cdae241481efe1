/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipe text from the command line or a file, and errors put back to their place in it. */
#include "ctl/pipe.h"

#include "base/error.h"
#include "base/json.h"
#include "ctl/read.h"
#include <stdlib.h>
#include <string.h>

int pipe_gather(struct pipe_text *p, const struct ctl *ctl, struct pt_error *err)
{
	const char *file = ctl_text(ctl, "file");
	const json_t *words = ctl_many(ctl, "pipe");
	size_t i;
	json_t *word;
	*p = (struct pipe_text){.text = BUF_INIT, .given = file || words};
	if (file && words)
		return pt_fail(err, -PT_EREQUEST, NULL, "either PIPE or '--file', not both");
	if (file) {
		p->origin = read_name(file);
		return read_file(file, READ_MAX, -PT_EREQUEST, &p->text, err);
	}
	json_array_foreach (words, i, word) {
		if (i)
			buf_addc(&p->text, '\n');
		buf_add(&p->text, json_string_value(word), json_string_length(word));
	}
	return 0;
}

static int require(const struct pipe_text *p, const char *hint, struct pt_error *err)
{
	bool is_there =
		p->may_be_empty ? lang_is_graph(&p->program) : json_array_size(p->program.ops) > 0;
	if (!hint || is_there)
		return 0;
	if (p->given)
		pt_fail(err, -PT_EREQUEST, "pipe",
		        "%s%sthere is no statement that makes a block or a link: nothing is done",
		        p->origin ? p->origin : "", p->origin ? ": " : "");
	else
		pt_fail(err, -PT_EREQUEST, "pipe", "PIPE is missing, or '--file'");
	pt_hint(err, "%s", hint);
	return -PT_EREQUEST;
}

int pipe_parse(struct pipe_text *p, struct ctl *ctl, const char *engine, const char *hint,
               struct pt_error *err)
{
	lang_program_free(&p->program);
	world_fini(&p->world);
	int code = world_init(&p->world, ctl, engine, err);
	if (code)
		return code;
	struct lang_env env = world_env(&p->world);
	code = lang_parse(p->text.data ? p->text.data : "", p->text.length, &env, &p->program, err);
	if (code && p->origin)
		error_introduce(err, 0, p->origin);
	code = world_verdict(&p->world, code, err);
	return code ? code : require(p, hint, err);
}

void pipe_fini(struct pipe_text *p)
{
	buf_free(&p->text);
	world_fini(&p->world);
	lang_program_free(&p->program);
}

/* ---- places ---- */

static bool is_op(const json_t *op, const char *word)
{
	return !strcmp(text_of(op, "op"), word);
}

static void locate(const struct pipe_text *p, struct pt_fault *fault)
{
	struct lang_place place = lang_locate(&p->program, fault->path);
	if (!place.line)
		return;
	struct buf message = BUF_INIT, caret = BUF_INIT;
	buf_addf(&message, "line %u, column %u: %s", place.line, place.column,
	         fault->message ? fault->message : "");
	if (fault->hint)
		buf_addf(&message, " (%s)", fault->hint);
	lang_caret(&caret, p->program.text, place);
	free(fault->message);
	free(fault->hint);
	fault->message = buf_steal(&message);
	fault->hint = buf_steal(&caret);
}

void pipe_locate(const struct pipe_text *p, struct pt_error *err)
{
	for (size_t i = 0; i < err->count; i++)
		locate(p, &err->faults[i]);
	if (p->origin)
		error_introduce(err, 0, p->origin);
}

void pipe_graph(const struct pipe_text *p, json_t *params)
{
	json_t *blocks = json_array(), *links = json_array();
	json_each (op, p->program.ops) {
		json_t *item = json_copy(op);
		json_object_del(item, "op");
		json_array_append_new(is_op(op, "add") ? blocks : links, item);
	}
	json_object_set_new(params, "blocks", blocks);
	json_object_set_new(params, "links", links);
}
