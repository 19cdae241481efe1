/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl load. */
#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/read.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1000000 }; /* bytes */

static int make_params(const char *path, json_t **params, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int code = read_file(path, FILE_MAX, -PT_EIO, &text, err);
	if (!code && memchr(text.data, '\0', text.length))
		code = pt_fail(err, -PT_EPARAM, NULL, "'%s' is not a text: it has NUL bytes", path);
	if (!code) {
		/* where the types come from, for whoever asks later */
		char *absolute = realpath(path, NULL);
		*params = json_pack("{s:s*, s:s%}", "name", absolute ? absolute : read_name(path),
		                    "text", text.data, text.length);
		if (!*params)
			code = pt_fail(err, -PT_EPARAM, NULL, "'%s' is not UTF-8 text", path);
		free(absolute);
	}
	buf_free(&text);
	return code;
}

void print_load(struct ctl *ctl, struct buf *b, json_t *result)
{
	json_each (type, json_object_get(result, "types"))
		buf_addf(b, "%s\n", text_of(type, "name"));
}

int verb_load(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *params, *result = NULL;
	int code = make_params(ctl_text(ctl, "file.lua"), &params, &err);
	if (!code)
		code = ctl_call(ctl, "type.load", params, &result, &err);
	return ctl_end(ctl, code, result, &err);
}
