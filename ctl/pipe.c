/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipe text from the command line or a file, and errors put back to their place in it. */
#include "ctl/pipe.h"

#include "base/error.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 * 1024 * 1024 };

static int read_file(struct pipe_text *p, const char *path, struct pt_error *err)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	size_t length = 1;
	int code = 0;
	if (!file)
		return pt_fail(err, -PT_EREQUEST, NULL, "cannot open '%s': %s", path,
		               error_words(errno));
	p->origin = is_stdin ? "standard input" : path;
	while (length && p->text.length <= FILE_MAX) {
		length = fread(buf_reserve(&p->text, 65536), 1, 65536, file);
		p->text.length += length;
	}
	if (ferror(file))
		code = pt_fail(err, -PT_EREQUEST, NULL, "cannot read '%s': %s", path,
		               error_words(errno));
	else if (p->text.length > FILE_MAX)
		code = pt_fail(err, -PT_EREQUEST, NULL, "'%s' is longer than 16 MiB", path);
	if (!is_stdin)
		fclose(file);
	return code;
}

int pipe_gather(struct pipe_text *p, const struct ctl *ctl, struct pt_error *err)
{
	const char *file = ctl_text(ctl, "file");
	const json_t *words = ctl_many(ctl, "pipe");
	size_t i;
	json_t *word;
	*p = (struct pipe_text){.text = BUF_INIT, .given = file || words};
	if (file && words)
		return pt_fail(err, -PT_EREQUEST, NULL, "either PIPE or '--file', not both");
	if (file)
		return read_file(p, file, err);
	json_array_foreach (words, i, word) {
		if (i)
			buf_addc(&p->text, '\n');
		buf_add(&p->text, json_string_value(word), json_string_length(word));
	}
	return 0;
}

/* The faults say which file they are about. */
static void name_origin(const struct pipe_text *p, struct pt_error *err)
{
	for (size_t i = 0; p->origin && i < err->count; i++) {
		char *old = err->faults[i].message;
		err->faults[i].message = must_printf("%s: %s", p->origin, old);
		free(old);
	}
}

int pipe_parse(struct pipe_text *p, struct world *w, struct pt_error *err)
{
	struct lang_env env = world_env(w);
	int code = lang_parse(p->text.data ? p->text.data : "", p->text.length, &env, &p->program,
	                      err);
	if (code)
		name_origin(p, err);
	return code;
}

int pipe_require(const struct pipe_text *p, const char *hint, struct pt_error *err)
{
	if (json_array_size(p->program.ops))
		return 0;
	if (p->given)
		pt_fail(err, -PT_EREQUEST, "pipe", "%s%sthere is no statement: nothing is done",
		        p->origin ? p->origin : "", p->origin ? ": " : "");
	else
		pt_fail(err, -PT_EREQUEST, "pipe", "PIPE is missing, or '--file'");
	pt_hint(err, "%s", hint);
	return -PT_EREQUEST;
}

void pipe_fini(struct pipe_text *p)
{
	buf_free(&p->text);
	lang_program_free(&p->program);
}

/* ---- places ---- */

static bool is_op(const json_t *op, const char *word)
{
	const char *is = json_string_value(json_object_get(op, "op"));
	return is && !strcmp(is, word);
}

/* "$.links[1].to" → "$.ops[7].to": the second of the operations that are links. NULL: no such. */
static char *path_of_op(const struct pipe_text *p, const char *path)
{
	static const struct {
		const char *start, *op;
	} lists[] = {{"$.blocks[", "add"}, {"$.links[", "link"}};
	for (size_t l = 0; l < 2; l++) {
		size_t i, length = strlen(lists[l].start);
		json_t *op;
		char *end;
		if (strncmp(path, lists[l].start, length))
			continue;
		unsigned long n = strtoul(path + length, &end, 10);
		json_array_foreach (p->program.ops, i, op)
			if (is_op(op, lists[l].op) && n-- == 0)
				return must_printf("$.ops[%zu%s", i, end);
		return NULL;
	}
	return must_strdup(path);
}

static void locate(const struct pipe_text *p, struct pt_fault *fault)
{
	char *path = fault->path ? path_of_op(p, fault->path) : NULL;
	if (!path)
		return;
	struct lang_place place = lang_locate(&p->program, path);
	free(path);
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
	name_origin(p, err);
}

void pipe_graph(const struct pipe_text *p, json_t *params)
{
	json_t *blocks = json_array(), *links = json_array(), *op;
	size_t i;
	json_array_foreach (p->program.ops, i, op) {
		json_t *item = json_copy(op);
		json_object_del(item, "op");
		json_array_append_new(is_op(op, "add") ? blocks : links, item);
	}
	json_object_set_new(params, "blocks", blocks);
	json_object_set_new(params, "links", links);
}
