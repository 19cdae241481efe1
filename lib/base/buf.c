/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing bytes. */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->length = 0;
	if (b->data)
		b->data[0] = 0;
}

char *buf_reserve(struct buf *b, size_t more)
{
	assert(more < SIZE_MAX / 2 - b->length - 1);
	size_t needed = b->length + more + 1;
	if (needed > b->room) {
		size_t room = b->room ? b->room : 64;
		while (room < needed)
			room *= 2;
		b->data = must_realloc(b->data, room, 1);
		b->room = room;
		b->data[b->length] = 0;
	}
	return b->data + b->length;
}

void buf_add(struct buf *b, const void *bytes, size_t length)
{
	char *end = buf_reserve(b, length);
	if (length)
		memcpy(end, bytes, length);
	b->length += length;
	b->data[b->length] = 0;
}

void buf_adds(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, fmt, args);
	assert(length >= 0);
	vsnprintf(buf_reserve(b, (size_t)length), (size_t)length + 1, fmt, again);
	va_end(again);
	b->length += (size_t)length;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	buf_vaddf(b, fmt, args);
	va_end(args);
}

void buf_consume(struct buf *b, size_t length)
{
	assert(length <= b->length);
	if (!length)
		return;
	b->length -= length;
	memmove(b->data, b->data + length, b->length + 1);
}

char *buf_steal(struct buf *b)
{
	buf_reserve(b, 0);
	char *text = b->data;
	*b = (struct buf)BUF_INIT;
	return text;
}
