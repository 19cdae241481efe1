/* SPDX-License-Identifier: BSD-2-Clause */
/* Quotes and escapes. */
#include "base/quote.h"

#include "base/utf8.h"
#include <string.h>

static char quote_for(const char *bytes, size_t length)
{
	return memchr(bytes, '\'', length) && !memchr(bytes, '"', length) ? '"' : '\'';
}

/* One byte of ASCII, or one that is no text. */
static void add_byte(struct buf *b, unsigned char c, int quote)
{
	switch (c) {
	case '\n': buf_adds(b, "\\n"); return;
	case '\r': buf_adds(b, "\\r"); return;
	case '\t': buf_adds(b, "\\t"); return;
	case '\\': buf_adds(b, "\\\\"); return;
	default: break;
	}
	if (c == quote)
		buf_addc(b, '\\');
	if (c >= ' ' && c < 0x7f)
		buf_addc(b, (char)c);
	else
		buf_addf(b, "\\x%02x", c);
}

static void add_point(struct buf *b, const char *bytes, size_t length, uint32_t point)
{
	if (utf8_is_printable(point))
		buf_add(b, bytes, length);
	else
		buf_addf(b,
		         point < 0x100     ? "\\x%02x"
		         : point < 0x10000 ? "\\u%04x"
		                           : "\\U%08x",
		         point);
}

void quote_text(struct buf *b, const char *bytes, size_t length)
{
	char quote = length ? quote_for(bytes, length) : '\'';
	buf_addc(b, quote);
	for (size_t i = 0, n; i < length; i += n) {
		uint32_t point;
		n = utf8_read(bytes + i, length - i, &point);
		if (n > 1)
			add_point(b, bytes + i, n, point);
		else
			add_byte(b, (unsigned char)bytes[i], quote);
		n += !n;
	}
	buf_addc(b, quote);
}

void quote_bytes(struct buf *b, const char *bytes, size_t length)
{
	char quote = length ? quote_for(bytes, length) : '\'';
	buf_addc(b, 'b');
	buf_addc(b, quote);
	for (size_t i = 0; i < length; i++)
		add_byte(b, (unsigned char)bytes[i], quote);
	buf_addc(b, quote);
}

void quote_harmless(struct buf *b, const char *bytes, size_t length)
{
	for (size_t i = 0, n; i < length; i += n) {
		uint32_t point;
		n = utf8_read(bytes + i, length - i, &point);
		if (n > 1)
			add_point(b, bytes + i, n, point);
		else if (strchr("\n\t\\", bytes[i]) && bytes[i])
			buf_addc(b, bytes[i]);
		else
			add_byte(b, (unsigned char)bytes[i], -1);
		n += !n;
	}
}
