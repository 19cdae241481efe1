/* SPDX-License-Identifier: BSD-2-Clause */
/* A message that was received, as a line. */
#include "ctl/received.h"

#include "base/quote.h"
#include "ctl/out.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>

static bool is_for_terminals(const json_t *message, const struct pt_bytes *bytes)
{
	for (size_t i = 0; i < bytes->length; i++)
		if ((bytes->data[i] < ' ' && !strchr("\t\n", bytes->data[i])) ||
		    bytes->data[i] == 0x7f)
			return false;
	return json_is_string(message);
}

static int refuse_bytes(const struct pt_bytes *bytes, struct pt_error *err)
{
	struct buf shown = BUF_INIT;
	quote_text(&shown, (const char *)bytes->data, bytes->length);
	pt_fail(err, -PT_ESTATE, NULL, "this message is not text and not for a terminal: %s",
	        shown.data);
	pt_hint(err, "it stays in the queue: take it with -j, or into a file");
	buf_free(&shown);
	return -PT_ESTATE;
}

static int print_bytes(struct buf *out, const json_t *message, struct pt_error *err)
{
	struct pt_bytes bytes;
	int code = param_bytes_from_json(message, &bytes, err);
	if (code)
		return code;
	if (out_is_terminal() && !is_for_terminals(message, &bytes)) {
		code = refuse_bytes(&bytes, err);
	} else {
		buf_add(out, bytes.data, bytes.length);
		buf_addc(out, '\n');
	}
	free(bytes.data);
	return code;
}

int received_print(struct buf *out, const json_t *item, bool json, struct pt_error *err)
{
	if (!json)
		return print_bytes(out, json_object_get(item, "message"), err);
	char *text = json_dumps(item, JSON_COMPACT);
	buf_adds(out, text ? text : "{}");
	buf_addc(out, '\n');
	free(text);
	return 0;
}
