/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl call. */
#include "base/buf.h"
#include "base/error.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "rpc/call.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int call(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "method",
         .doc = "As 'engine.show'; 'ptctl help METHOD' tells what it takes.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{.name = "params",
         .doc = "The parameters as a JSON object; - reads it from standard input.",
         .kind = PT_KIND_STRING},
	{NULL},
};

const struct verb verb_call = {
	.name = "call",
	.summary = "call a method of the daemon by its name",
	.help = "  ptctl call engine.show '{\"engine\": \"p\"}'",
	.params = rows,
	.run = call,
};

static int read_input(struct buf *text, struct pt_error *err)
{
	size_t length = 1;
	while (length && text->length < 16 * 1024 * 1024) {
		length = fread(buf_reserve(text, 65536), 1, 65536, stdin);
		text->length += length;
	}
	return ferror(stdin) ? pt_fail(err, -EIO, NULL, "cannot read standard input: %s",
	                               error_words(errno))
	                     : 0;
}

static int read_params(const char *word, json_t **params, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int code = 0;
	*params = NULL;
	if (!word)
		return 0;
	if (strcmp(word, "-"))
		buf_adds(&text, word);
	else
		code = read_input(&text, err);
	if (!code)
		code = rpc_json_parse(text.data ? text.data : "", text.length, params, err);
	buf_free(&text);
	return code;
}

static void print_result(const struct ctl *ctl, const json_t *result)
{
	if (ctl->json) {
		out_json(result);
		return;
	}
	char *text = json_dumps(result, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	struct buf b = BUF_INIT;
	buf_addf(&b, "%s\n", text ? text : "");
	out_buf(&b);
	free(text);
}

static int call(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *params, *result;
	if (read_params(ctl_text(ctl, "params"), &params, &err) ||
	    ctl_call_with_fds(ctl, ctl_text(ctl, "method"), params, &result, &err))
		return ctl_refused(ctl, &err);
	print_result(ctl, result);
	json_decref(result);
	return EXIT_DONE;
}
