/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a file is told, and the next is looked at. */
#include "daemon/pipe_folder.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/check.h"
#include "daemon/file.h"
#include "daemon/places.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".pipe"

struct walk {
	pipe_folder_take *each;
	void *arg;
};

static char *name_of(const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	return must_printf("%.*s", (int)(strlen(base) - strlen(SUFFIX)), base);
}

static bool open_file(void *arg, const char *path)
{
	const struct walk *walk = arg;
	char *name = name_of(path);
	bool good = name_is_engine(name) || name_was_engine(name);
	if (good)
		good = walk->each(walk->arg, path, name);
	else
		log_error("%s: '%s' cannot be an engine's name: letters, digits, '_' and '-'; "
		          "rename the file",
		          path, name);
	free(name);
	return good;
}

int pipe_folder_each(const char *folder, pipe_folder_take *each, void *arg, size_t *bad)
{
	struct walk walk = {each, arg};
	*bad = 0;
	int code = file_each(folder, SUFFIX, open_file, &walk, bad);
	if (code == -ENOENT && places_is_usual(folder))
		return 0; /* nobody has asked for it */
	if (code == -ENOENT) {
		log_error("%s: no such folder", folder);
		++*bad;
	}
	return code;
}

static int check_name(const char *path, struct pipe_fault *fault)
{
	char *name = name_of(path);
	bool good = name_is_engine(name);
	free(name);
	if (!good)
		pipe_fault_add(fault, path,
		               "an engine's name has no '.', which parts it from a block's; "
		               "rename the file");
	return good ? 0 : -PT_EPARAM;
}

int pipe_folder_read(const char *path, const char *out, char **text, struct lang_program *program,
                     struct pipe_fault *fault)
{
	int code = check_name(path, fault);
	if (!code)
		code = pipe_file_read(path, text, fault);
	if (!code && (code = pipe_file_understand(path, out, *text, program, fault))) {
		free(*text);
		*text = NULL;
	}
	return code;
}

/* ---- all of them ---- */

struct check {
	const char *out;
	const struct pt_engine_limits *limits;
};

static bool check_file(void *arg, const char *path, const char *name)
{
	const struct check *c = arg;
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_fault fault = PIPE_FAULT_INIT;
	struct lang_program program;
	char *text = NULL;
	int code = pipe_folder_read(path, c->out, &text, &program, &fault);
	if (!code) {
		code = check_graph(name, program.ops, c->limits, &err);
		error_prefix(&err, 0, "$");
		pipe_file_locate(path, &program, &err, &fault);
		pt_error_clear(&err);
		lang_program_free(&program);
	}
	if (code)
		log_error("%s", fault.words.data);
	pipe_fault_free(&fault);
	free(text);
	return !code;
}

size_t pipe_folder_check(const char *folder, const char *out, const struct pt_engine_limits *limits)
{
	size_t bad;
	struct check check = {out, limits};
	pipe_folder_each(folder, check_file, &check, &bad);
	return bad;
}
