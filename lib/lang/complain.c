/* SPDX-License-Identifier: BSD-2-Clause */
/* Complaints with line, column and caret. */
#include "lang/complain.h"

#include "lang/lex.h"
#include "base/error.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 300 /* bytes; a text may hold names of any length */
#define FAR         160 /* characters from the caret, where a line is cut */

int complain(struct complaints *c, struct lang_place place, const char *fmt, ...)
{
	if (c->count == COMPLAINTS_MAX)
		return -PT_EPARSE;
	struct buf message = BUF_INIT;
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&message, fmt, args);
	va_end(args);
	if (message.length > MESSAGE_MAX) {
		message.length = utf8_valid(message.data, MESSAGE_MAX);
		buf_adds(&message, "…");
	}
	c->items[c->count++] = (struct complaint){place, buf_steal(&message)};
	return -PT_EPARSE;
}

int complain_unexpected(struct complaints *c, const struct lex *lex, const char *wanted)
{
	const struct token *t = &lex->token;
	if (t->wrong)
		return complain(c, t->place, "%s", t->wrong);
	char *found = lex_describe(lex);
	complain(c, t->place, "%s is expected here, not %s", wanted, found);
	free(found);
	return -PT_EPARSE;
}

static bool is_before(struct lang_place a, struct lang_place b)
{
	return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static void sort(struct complaints *c)
{
	for (size_t i = 1; i < c->count; i++) {
		struct complaint item = c->items[i];
		size_t at = i;
		for (; at && is_before(item.place, c->items[at - 1].place); at--)
			c->items[at] = c->items[at - 1];
		c->items[at] = item;
	}
}

int complaints_report(struct complaints *c, const char *text, struct pt_error *err)
{
	int code = c->count ? -PT_EPARSE : 0;
	sort(c);
	for (size_t i = 0; i < c->count; i++) {
		struct lang_place place = c->items[i].place;
		struct buf caret = BUF_INIT;
		lang_caret(&caret, text, place);
		pt_fail(err, code, NULL, "line %u, column %u: %s", place.line, place.column,
		        c->items[i].message);
		pt_hint(err, "%s", caret.data);
		if (err)
			error_place(&err->faults[err->count - 1], place.line, place.column,
			            caret.data);
		buf_free(&caret);
		free(c->items[i].message);
	}
	c->count = 0;
	return code;
}

int complain_of_bytes(struct complaints *c, const char *text, size_t length)
{
	size_t valid = utf8_valid(text, length);
	const char *nul = memchr(text, 0, valid);
	if (valid == length && !nul)
		return 0;
	size_t at = nul ? (size_t)(nul - text) : valid;
	struct lang_place place = {1, 1};
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n')
			place = (struct lang_place){place.line + 1, 1};
		else if ((text[i] & 0xc0) != 0x80)
			place.column++;
	}
	return complain(c, place, "the byte '\\x%02x' is not text; text is UTF-8",
	                (unsigned char)text[at]);
}

/* The line `number`, and where it ends. */
static const char *find_line(const char *text, unsigned number, const char **end)
{
	while (number > 1 && *text) {
		const char *newline = strchr(text, '\n');
		if (!newline)
			break;
		text = newline + 1;
		number--;
	}
	*end = text + strcspn(text, "\n");
	if (*end > text && (*end)[-1] == '\r')
		--*end;
	return text;
}

/* Over one character, or one byte where there is none. */
static const char *step(const char *s, const char *end)
{
	uint32_t point;
	size_t n = utf8_read(s, (size_t)(end - s), &point);
	return s + (n ? n : 1);
}

static void add_shown(struct buf *b, const char *s, const char *end)
{
	uint32_t point;
	while (s < end) {
		size_t n = utf8_read(s, (size_t)(end - s), &point);
		if (n && (utf8_is_printable(point) || point == '\t'))
			buf_add(b, s, n);
		else
			buf_addc(b, '?');
		s += n ? n : 1;
	}
}

void lang_caret(struct buf *b, const char *text, struct lang_place place)
{
	struct buf below = BUF_INIT;
	const char *end, *s = find_line(text, place.line, &end);
	unsigned column = 1;
	for (; place.column > FAR && column < place.column - FAR / 2 && s < end; column++)
		s = step(s, end);
	if (column > 1) {
		buf_adds(b, "…");
		buf_adds(&below, " ");
	}
	const char *from = s;
	for (; column < place.column && s < end; column++) {
		uint32_t point = 0;
		utf8_read(s, (size_t)(end - s), &point);
		if (*s == '\t')
			buf_addc(&below, '\t');
		else
			buf_addf(&below, "%*s", (int)utf8_columns(point), "");
		s = step(s, end);
	}
	for (unsigned i = 0; i < FAR && s < end; i++)
		s = step(s, end);
	add_shown(b, from, s);
	buf_adds(b, s < end ? "…\n" : "\n");
	buf_add(b, below.data, below.length);
	buf_addc(b, '^');
	buf_free(&below);
}
