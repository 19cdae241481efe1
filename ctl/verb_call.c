/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl call. */
#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/read.h"
#include "rpc/call.h"
#include <stdlib.h>
#include <string.h>

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
		code = read_file(word, READ_MAX, -PT_EREQUEST, &text, err);
	if (!code)
		code = rpc_json_parse(text.data ? text.data : "", text.length, params, err);
	buf_free(&text);
	return code;
}

void print_call(struct ctl *ctl, struct buf *b, json_t *result)
{
	char *text = json_dumps(result, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	buf_addf(b, "%s\n", text ? text : "");
	free(text);
}

int verb_call(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *params, *result = NULL;
	int code = read_params(ctl_text(ctl, "params"), &params, &err);
	if (!code)
		code = ctl_call_with_fds(ctl, ctl_text(ctl, "method"), params, &result, &err);
	return ctl_end(ctl, code, result, &err);
}
