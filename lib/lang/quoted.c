/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings with their escapes: Python's, and JSON's pairs of \u for one character. */
#include "lang/quoted.h"

#include "base/encode.h"
#include "base/utf8.h"
#include <string.h>

struct quoted {
	const struct token *token;
	struct complaints *complaints;
	struct buf *out;
	const char *at, *end; /* of what is between the quotes */
	bool bytes, raw, json;
};

static int wrong(struct quoted *q, const char *at, const char *what)
{
	return complain(q->complaints, lex_place(q->token, at), "%s", what);
}

/* Finds out what the letters before the quote mean, and what is between the quotes. */
static int open(struct quoted *q)
{
	const struct token *t = q->token;
	const char *s = t->text;
	unsigned letters = 0;
	for (; *s != '\'' && *s != '"'; s++, letters++) {
		char letter = (char)(*s | 0x20);
		if (letter == 'f')
			return wrong(q, s, "f'…' is not known here: nothing is computed in text");
		q->bytes |= letter == 'b';
		q->raw |= letter == 'r';
	}
	if (letters == 2 && !(q->bytes && q->raw))
		return wrong(q, t->text, "text in quotes begins with r, b, br or nothing");
	size_t width = s[1] == *s && s[2] == *s && t->length >= letters + 6 ? 3 : 1;
	q->json = *s == '"';
	q->at = s + width;
	q->end = t->text + t->length - width;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `digits` digits after the two characters at q->at. */
static int read_hex(struct quoted *q, unsigned digits, uint32_t *point)
{
	const char *s = q->at + 2;
	uint32_t value = 0;
	for (unsigned i = 0; i < digits; i++) {
		if (s + i >= q->end || hex_digit(s[i]) < 0)
			return wrong(q, q->at,
			             digits == 2   ? "\\x needs two hex digits"
			             : digits == 4 ? "\\u needs four hex digits"
			                           : "\\U needs eight hex digits");
		value = value << 4 | (uint32_t)hex_digit(s[i]);
	}
	q->at = s + digits;
	*point = value;
	return 0;
}

static bool is_surrogate(uint32_t point, uint32_t from)
{
	return point >= from && point < from + 0x400;
}

static int read_unicode(struct quoted *q, unsigned digits)
{
	const char *from = q->at;
	uint32_t point, low;
	int code = read_hex(q, digits, &point);
	if (code)
		return code;
	if (is_surrogate(point, 0xd800) && q->end - q->at >= 6 && !strncmp(q->at, "\\u", 2)) {
		code = read_hex(q, 4, &low);
		if (code)
			return code;
		if (is_surrogate(low, 0xdc00))
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	if (point > 0x10ffff || is_surrogate(point, 0xd800) || is_surrogate(point, 0xdc00))
		return wrong(q, from, "there is no such character");
	utf8_add(q->out, point);
	return 0;
}

static void add(struct quoted *q, uint32_t point)
{
	if (q->bytes)
		buf_addc(q->out, (char)point);
	else
		utf8_add(q->out, point);
}

static void read_octal(struct quoted *q)
{
	uint32_t value = 0;
	q->at++;
	for (unsigned i = 0; i < 3 && q->at < q->end && *q->at >= '0' && *q->at <= '7'; i++)
		value = value << 3 | (uint32_t)(*q->at++ - '0');
	add(q, value);
}

static size_t newline_at(const char *s)
{
	return *s == '\n' ? 1 : *s == '\r' && s[1] == '\n' ? 2 : 0;
}

static int read_escape(struct quoted *q)
{
	static const char letters[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
	char c = q->at[1];
	uint32_t point;
	const char *simple = strchr(letters, c);
	if (simple || (c == '/' && q->json)) {
		buf_addc(q->out, simple ? meanings[simple - letters] : '/');
		q->at += 2;
	} else if (newline_at(q->at + 1)) {
		q->at += 1 + newline_at(q->at + 1);
	} else if (c >= '0' && c <= '7') {
		read_octal(q);
	} else if (c == 'x') {
		int code = read_hex(q, 2, &point);
		if (code)
			return code;
		add(q, point);
	} else if (!q->bytes && (c == 'u' || c == 'U')) {
		return read_unicode(q, c == 'u' ? 4 : 8);
	} else if (!q->bytes && c == 'N') {
		return wrong(q, q->at, "\\N{…} is not known here; write the character, or \\uXXXX");
	} else {
		buf_addc(q->out, '\\');
		q->at++;
	}
	return 0;
}

static int read_all(struct quoted *q)
{
	while (q->at < q->end) {
		if (*q->at == '\\' && !q->raw) {
			int code = read_escape(q);
			if (code)
				return code;
			continue;
		}
		if (q->bytes && (*q->at & 0x80))
			return wrong(q, q->at, "b'…' takes ASCII and \\x escapes only");
		if (newline_at(q->at) == 2)
			q->at++;
		buf_addc(q->out, *q->at++);
	}
	return 0;
}

static json_t *to_json(const struct buf *b, bool bytes)
{
	json_t *text =
		bytes || memchr(b->data, 0, b->length) ? NULL : json_stringn(b->data, b->length);
	if (text)
		return text;
	struct buf hex = BUF_INIT;
	buf_reserve(&hex, 0);
	encode_hex(&hex, b->data, b->length);
	json_t *object = json_object();
	json_object_set_new(object, "hex", json_string(hex.data));
	buf_free(&hex);
	return object;
}

int quoted_read(struct lex *lex, struct complaints *complaints, json_t **value)
{
	struct buf out = BUF_INIT;
	bool bytes = false, first = true;
	int code = 0;
	buf_reserve(&out, 0);
	while (!code && lex->token.kind == TOKEN_STRING) {
		struct quoted q = {.token = &lex->token, .complaints = complaints, .out = &out};
		code = open(&q);
		if (!code && !first && q.bytes != bytes)
			code = wrong(&q, lex->token.text, "text and bytes cannot be joined");
		if (!code)
			code = read_all(&q);
		bytes = q.bytes;
		first = false;
		lex_advance(lex);
	}
	if (!code)
		*value = to_json(&out, bytes);
	buf_free(&out);
	return code;
}
