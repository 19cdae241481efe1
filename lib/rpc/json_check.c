/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON texts under strict rules. */
#include "rpc/json_check.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "rpc/call.h"
#include "rpc/frame.h"
#include <string.h>

/* jansson cannot be refused memory: what is longer is looked at before. Objects want so much more
   than their text. */
enum { PROBED = 64 * 1024, PER_BYTE = 32 };

static int wrong(struct pt_error *err, size_t at, const char *what)
{
	int code = pt_fail(err, -PT_EPARSE, NULL, "not JSON as it is taken here: %s at byte %zu",
	                   what, at);
	pt_hint(err, "one JSON text on one line, in UTF-8");
	return code;
}

/* Past the string that begins at `at`; an escape is two bytes, or six. */
static int pass_string(const char *text, size_t length, size_t *at, struct pt_error *err)
{
	size_t i = *at + 1;
	for (; i < length && text[i] != '"'; i++) {
		if (!text[i])
			return wrong(err, i, "a NUL byte");
		if (text[i] != '\\')
			continue;
		if (length - i >= 6 && !memcmp(text + i, "\\u0000", 6))
			return wrong(err, i, "\\u0000");
		if (i + 1 < length && text[i + 1])
			i++;
	}
	*at = i;
	return 0;
}

int json_check(const char *text, size_t length, struct pt_error *err)
{
	size_t depth = 0;
	for (size_t i = 0; i < length; i++) {
		int code = 0;
		switch (text[i]) {
		case '"': code = pass_string(text, length, &i, err); break;
		case '{':
		case '[':
			if (++depth > FRAME_DEPTH_MAX)
				code = wrong(err, i, "nesting deeper than 64");
			break;
		case '}':
		case ']': depth -= depth > 0; break;
		case 0: code = wrong(err, i, "a NUL byte"); break;
		default: break;
		}
		if (code)
			return code;
	}
	return 0;
}

static const char *words(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_invalid_utf8: return "bytes that are not UTF-8,";
	case json_error_premature_end_of_input: return "it ends too early,";
	case json_error_end_of_input_expected: return "something behind its end,";
	case json_error_duplicate_key: return "a repeated member,";
	case json_error_numeric_overflow: return "a number that is too large,";
	default: return error->text;
	}
}

int rpc_json_parse(const char *text, size_t length, json_t **value, struct pt_error *err)
{
	json_error_t error;
	int code = json_check(text, length, err);
	if (!code && length > PROBED && !memory_is_there(length * PER_BYTE))
		code = pt_fail(err, -PT_ELIMIT, NULL,
		               "there is no memory for a request of %zu bytes", length);
	if (code)
		return code;
	if (utf8_mark(text, length))
		return wrong(err, 0, "a byte order mark");
	json_t *parsed = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!parsed)
		return wrong(err, (size_t)(error.position > 0 ? error.position : 0), words(&error));
	*value = parsed;
	return 0;
}
