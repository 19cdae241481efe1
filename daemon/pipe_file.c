/* SPDX-License-Identifier: BSD-2-Clause */
/* The pipe language's own words, with the file before them. */
#include "daemon/pipe_file.h"

#include "base/error.h"
#include "daemon/check.h"
#include "daemon/file.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1024 * 1024 };

void pipe_fault_free(struct pipe_fault *fault)
{
	buf_free(&fault->why);
	buf_free(&fault->words);
}

/* ---- words ---- */

void pipe_fault_add(struct pipe_fault *fault, const char *path, const char *line)
{
	buf_addf(&fault->why, "%s%s: %s", fault->why.length ? "; " : "", path, line);
	buf_addf(&fault->words, "%s%s: %s", fault->words.length ? "\n" : "", path, line);
}

/* At no place of the file, but missed by a start: the reason is the same when it is tried again. */
static void add_unplaced(struct pipe_fault *fault, const char *path, const char *line)
{
	buf_addf(&fault->why, "%s%s", fault->why.length ? "; " : "", line);
	buf_addf(&fault->words, "%s%s: %s", fault->words.length ? "\n" : "", path, line);
}

static void add_below(struct pipe_fault *fault, const char *text)
{
	for (const char *end; text && *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		buf_addf(&fault->words, "\n    %.*s", (int)(end - text), text);
	}
}

/* Of the language: the message tells the place, and the hint is the line with a caret. */
static void add_parse_faults(struct pipe_fault *fault, const char *path, const struct pt_error *err)
{
	for (size_t i = 0; i < err->count; i++) {
		pipe_fault_add(fault, path, err->faults[i].message);
		add_below(fault, err->faults[i].hint);
	}
}

void pipe_file_locate(const char *path, const struct lang_program *program,
                      const struct pt_error *err, struct pipe_fault *out)
{
	for (size_t i = 0; i < err->count; i++) {
		const struct pt_fault *fault = &err->faults[i];
		struct lang_place place = {0, 0};
		struct buf line = BUF_INIT, below = BUF_INIT;
		if (fault->path)
			place = lang_locate(program, fault->path);
		if (place.line) {
			buf_addf(&line, "line %u, column %u: ", place.line, place.column);
			lang_caret(&below, program->text, place);
		}
		buf_adds(&line, fault->message);
		if (place.line)
			pipe_fault_add(out, path, line.data);
		else
			add_unplaced(out, path, line.data);
		add_below(out, below.data);
		add_below(out, fault->hint);
		buf_free(&line);
		buf_free(&below);
	}
}

/* ---- reading ---- */

static const struct pt_param no_params[] = {{0}};

static const struct pt_param *params_of(void *arg, const char *name)
{
	const struct pt_type *type = type_find(name);
	if (!type)
		return NULL;
	return type->params ? type->params : no_params;
}

struct each {
	void (*each)(void *arg, const char *name);
	void *arg;
};

static int tell_type(void *arg, const struct pt_type *type)
{
	const struct each *each = arg;
	each->each(each->arg, type->name);
	return 0;
}

static void types_of(void *arg, void (*each)(void *each_arg, const char *name), void *each_arg)
{
	struct each it = {each, each_arg};
	type_each(tell_type, &it);
}

static bool nothing_exists(void *arg, const char *block)
{
	return false;
}

struct lang_env pipe_file_env(void)
{
	return (struct lang_env){.params = params_of, .types = types_of, .exists = nothing_exists};
}

int pipe_file_read(const char *path, char **text, struct pipe_fault *fault)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = file_read(path, FILE_MAX, text, &err);
	for (size_t i = 0; i < err.count; i++)
		pipe_fault_add(fault, path, err.faults[i].message);
	pt_error_clear(&err);
	return code;
}

static int check(const char *path, struct lang_program *program, struct pipe_fault *fault)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = check_blocks(program->ops, "$.ops", &err);
	pipe_file_locate(path, program, &err, fault);
	pt_error_clear(&err);
	if (!code && !lang_is_graph(program)) {
		code = -PT_EPARAM;
		pipe_fault_add(fault, path,
		               "there is no statement in it, which is no graph; remove the file to "
		               "be rid of the engine");
	}
	if (code)
		lang_program_free(program);
	return code;
}

int pipe_file_understand(const char *path, const char *out, const char *text,
                         struct lang_program *program, struct pipe_fault *fault)
{
	struct pt_error err = PT_ERROR_INIT;
	char *folder = must_printf("%.*s", (int)(strrchr(path, '/') - path), path);
	struct lang_env env = pipe_file_env();
	env.directory = folder;
	env.out = out;
	int code = lang_parse(text, strlen(text), &env, program, &err);
	add_parse_faults(fault, path, &err);
	pt_error_clear(&err);
	free(folder);
	return code ? code : check(path, program, fault);
}
