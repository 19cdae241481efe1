/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl load. */
#include "base/buf.h"
#include "base/error.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1000000 }; /* bytes: a request has to hold it */

static int load(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "file.lua",
         .doc = "The file; - reads standard input.",
         .kind = PT_KIND_PATH,
         .flags = PT_REQUIRED},
	{NULL},
};

const struct verb verb_load = {
	.name = "load",
	.summary = "add block types that are written in Lua",
	.help = "The daemon checks the file and adds all of its types, or none. Those that were "
		"loaded before under the same names are replaced for blocks that are made from now "
		"on; 'ptctl replace' gives the new type to a running block. It is kept "
		"over a restart of the daemon; what is in blocks.d comes after it.\n"
		"\n"
		"  ptctl load mine.lua && ptctl help Mine",
	.params = rows,
	.run = load,
};

static int read_file(const char *path, struct buf *text, struct pt_error *err)
{
	bool input = !strcmp(path, "-");
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), code = 0;
	if (fd < 0)
		return pt_fail(err, -PT_EIO, NULL, "cannot read '%s': %s", path,
		               error_words(errno));
	buf_adds(text, "");
	for (ssize_t n = 1; !code && n;) {
		n = read(fd, buf_reserve(text, 65536), 65536);
		if (n < 0 && errno != EINTR)
			code = pt_fail(err, -PT_EIO, NULL, "cannot read '%s': %s", path,
			               error_words(errno));
		else if (n > 0 && (text->length += (size_t)n) > FILE_MAX)
			code = pt_fail(err, -PT_ELIMIT, NULL, "'%s' has more than %d bytes", path,
			               FILE_MAX);
	}
	if (!input)
		close(fd);
	if (!code && memchr(text->data, '\0', text->length))
		code = pt_fail(err, -PT_EPARAM, NULL, "'%s' is not a text: it has NUL bytes", path);
	return code;
}

/* Where the types come from, for whoever asks later. */
static char *origin(const char *path)
{
	if (!strcmp(path, "-"))
		return must_strdup("standard input");
	char *absolute = realpath(path, NULL);
	return absolute ? absolute : must_strdup(path);
}

static int make_params(const char *path, json_t **params, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int code = read_file(path, &text, err);
	if (!code) {
		char *name = origin(path);
		*params = json_object();
		if (json_object_set_new(*params, "name", json_string(name)) ||
		    json_object_set_new(*params, "text", json_stringn(text.data, text.length))) {
			code = pt_fail(err, -PT_EPARAM, NULL, "'%s' is not UTF-8 text", path);
			json_decref(*params);
		}
		free(name);
	}
	buf_free(&text);
	return code;
}

static void print_types(const json_t *types)
{
	struct buf b = BUF_INIT;
	size_t i;
	json_t *type;
	json_array_foreach (types, i, type)
		buf_addf(&b, "%s\n", json_string_value(json_object_get(type, "name")));
	out_buf(&b);
}

static int load(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *params, *result;
	if (make_params(ctl_text(ctl, "file.lua"), &params, &err) ||
	    ctl_call(ctl, "type.load", params, &result, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		out_json(result);
	else
		print_types(json_object_get(result, "types"));
	json_decref(result);
	return EXIT_DONE;
}
