/* SPDX-License-Identifier: BSD-2-Clause */
/* The pipe language in a request. */
#include "daemon/pipe_text.h"

#include "base/error.h"
#include "base/json.h"
#include "daemon/pipe_file.h"
#include <stdlib.h>
#include <string.h>

static const char *name_of(const json_t *block)
{
	const char *name = json_string_value(json_object_get(block, "name"));
	return name ? name : "";
}

static bool exists(void *arg, const char *name)
{
	const json_t *shown = arg;
	json_each (block, json_object_get(shown, "blocks"))
		if (!strcmp(name_of(block), name))
			return true;
	return false;
}

static void blocks(void *arg, void (*each)(void *each_arg, const char *name), void *each_arg)
{
	const json_t *shown = arg;
	json_each (block, json_object_get(shown, "blocks"))
		each(each_arg, name_of(block));
}

static void root_paths(struct pt_error *err)
{
	for (size_t i = 0; i < err->count; i++) {
		free(err->faults[i].path);
		err->faults[i].path = must_strdup("$.text");
	}
}

struct lang_program *pipe_text_read(const char *text, const json_t *shown, struct pt_error *err)
{
	struct lang_program *program = must_calloc(1, sizeof *program);
	struct lang_env env = pipe_file_env();
	if (shown) {
		env.exists = exists;
		env.blocks = blocks;
		env.arg = (void *)(uintptr_t)shown;
	}
	int code = lang_parse(text, strlen(text), &env, program, err);
	if (!code && !lang_is_graph(program))
		code = pt_fail(
			err, -PT_EPARSE, NULL,
			"the text has no statement, which is no graph; one without blocks is "
			"written '" LANG_EMPTY "'");
	if (!code)
		return program;
	root_paths(err);
	pipe_text_free(program);
	return NULL;
}

void pipe_text_free(struct lang_program *program)
{
	if (program)
		lang_program_free(program);
	free(program);
}

static void locate(const struct lang_program *program, struct pt_fault *fault)
{
	struct lang_place place =
		fault->path ? lang_locate(program, fault->path) : (struct lang_place){0, 0};
	struct buf caret = BUF_INIT;
	if (!place.line)
		return;
	lang_caret(&caret, program->text, place);
	error_place(fault, place.line, place.column, caret.data);
	buf_free(&caret);
	char *message =
		must_printf("line %u, column %u: %s", place.line, place.column, fault->message);
	free(fault->message);
	fault->message = message;
	free(fault->path);
	fault->path = must_strdup("$.text");
}

void pipe_text_locate(const struct lang_program *program, struct pt_error *err)
{
	for (size_t i = 0; program && err && i < err->count; i++)
		locate(program, &err->faults[i]);
}
