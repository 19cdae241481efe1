/* SPDX-License-Identifier: BSD-2-Clause */
/* Masks keys in lines of JSON. */
#include "daemon/secret.h"

#include <ctype.h>
#include <string.h>

static const char operation[] = "anonymize", stars[] = "***";

struct text {
	const char *at, *end;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool begins(struct text t, const char *with)
{
	size_t length = strlen(with);
	return (size_t)(t.end - t.at) >= length && !memcmp(t.at, with, length);
}

static bool speaks_of(struct text t)
{
	return memmem(t.at, (size_t)(t.end - t.at), operation, sizeof operation - 1);
}

/* White space, also such as JSON writes it. */
static const char *blank(struct text t)
{
	for (; t.at < t.end; t.at++) {
		if (begins(t, "\\n") || begins(t, "\\t") || begins(t, "\\r"))
			t.at++;
		else if (*t.at != ' ')
			break;
	}
	return t.at;
}

static const char *backslashes(struct text t)
{
	while (t.at < t.end && *t.at == '\\')
		t.at++;
	return t.at;
}

/* Behind the name of a member that is given a value: where that begins; NULL: it is given none. */
static const char *given(struct text t)
{
	const char *quote = backslashes(t);
	if (quote < t.end && (*quote == '\'' || *quote == '"')) /* ['key'] */
		t.at = quote + 1;
	if (t.at < t.end && *t.at == ']')
		t.at++;
	t.at = blank(t);
	if (t.at == t.end || *t.at != '=' || (t.at + 1 < t.end && t.at[1] == '='))
		return NULL;
	t.at++;
	return blank(t);
}

/* A plain literal: what is between its quotes; false: it is something else. A quote inside has
   other backslashes before it than those that it is written with. */
static bool literal(struct text t, struct text *inside)
{
	const char *quote = backslashes(t);
	size_t depth = (size_t)(quote - t.at);
	if (quote == t.end || (*quote != '\'' && *quote != '"'))
		return false;
	inside->at = quote + 1;
	for (t.at = inside->at; t.at < t.end; t.at++) {
		const char *begin = t.at;
		t.at = backslashes(t);
		if (t.at == t.end || *t.at != *quote || (size_t)(t.at - begin) != depth)
			continue;
		inside->end = begin;
		t.at++;
		t.at = blank(t);
		return t.at < t.end && strchr(",;}", *t.at);
	}
	return false;
}

/* The next value that is given to a secret member; *plain: it is a literal, which is in `value`. */
static bool next_secret(struct text t, struct text *value, bool *plain)
{
	static const char *const members[] = {"key", "passphrase"};
	char before = ' ';

	for (; t.at < t.end; before = *t.at++) {
		const char *skipped = blank(t);
		if (skipped > t.at) {
			before = ' ';
			t.at = skipped;
		}
		for (size_t i = 0; !is_word(before) && i < 2; i++) {
			struct text behind = {t.at + strlen(members[i]), t.end};
			if (!begins(t, members[i]) || (behind.at < t.end && is_word(*behind.at)) ||
			    !(behind.at = given(behind)))
				continue;
			*plain = literal(behind, value);
			return true;
		}
	}
	return false;
}

static void mask_string(struct text t, struct buf *out)
{
	struct text value, rest = t;
	size_t before = out->length;
	bool plain;

	while (next_secret(rest, &value, &plain)) {
		if (!plain) {
			out->length = before;
			buf_adds(out, stars);
			return;
		}
		bool dots = value.end - value.at == 3 && !memcmp(value.at, "…", 3);
		buf_add(out, rest.at, (size_t)(value.at - rest.at));
		buf_adds(out, dots ? "…" : stars);
		rest.at = value.end;
	}
	buf_add(out, rest.at, (size_t)(rest.end - rest.at));
}

bool secret_mask(const struct buf *json, struct buf *masked)
{
	struct text t = {json->data, json->data + json->length};
	if (!json->length || !speaks_of(t))
		return false;

	while (t.at < t.end) {
		struct text string = {t.at, t.at};
		while (string.end < t.end && *string.end != '"')
			string.end++;
		buf_add(masked, string.at, (size_t)(string.end - string.at));
		if (string.end == t.end)
			break;
		buf_addc(masked, '"');
		string.at = ++string.end;
		while (string.end < t.end && *string.end != '"')
			string.end += *string.end == '\\' && string.end + 1 < t.end ? 2 : 1;
		if (speaks_of(string))
			mask_string(string, masked);
		else
			buf_add(masked, string.at, (size_t)(string.end - string.at));
		if (string.end < t.end)
			buf_addc(masked, '"');
		t.at = string.end < t.end ? string.end + 1 : t.end;
	}
	return true;
}
