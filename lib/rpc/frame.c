/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds lines in what was read; every byte is looked at once. */
#include "rpc/frame.h"

#include <string.h>

#define KEPT_ROOM (64 * 1024) /* memory that an idle connection may keep */

void frame_init(struct frame *f, size_t line_max, struct frame_budget *budget)
{
	*f = (struct frame){.line_max = line_max ? line_max : FRAME_LINE_MAX, .budget = budget};
}

/* Has `length` bytes of a line paid for. */
static bool borrow(struct frame *f, size_t length)
{
	size_t wanted = length > FRAME_LINE_MAX ? length : 0;
	if (!f->budget || wanted <= f->borrowed)
		return true;
	if (wanted - f->borrowed > f->budget->max - f->budget->used)
		return false;
	f->budget->used += wanted - f->borrowed;
	f->borrowed = wanted;
	return true;
}

static void pay_back(struct frame *f)
{
	if (f->borrowed)
		f->budget->used -= f->borrowed;
	f->borrowed = 0;
}

void frame_fini(struct frame *f)
{
	pay_back(f);
	buf_free(&f->buffer);
}

/* Forgets the lines that were given. */
static void compact(struct frame *f)
{
	buf_consume(&f->buffer, f->given);
	f->scanned -= f->given;
	f->given = 0;
	if (!f->buffer.length && f->buffer.room > KEPT_ROOM)
		buf_free(&f->buffer);
}

char *frame_room(struct frame *f, size_t length)
{
	compact(f);
	return buf_reserve(&f->buffer, length);
}

void frame_filled(struct frame *f, size_t length)
{
	if (!length)
		return;
	f->buffer.length += length;
	f->buffer.data[f->buffer.length] = 0;
}

static size_t without_return(const char *line, size_t length)
{
	return length && line[length - 1] == '\r' ? length - 1 : length;
}

/* The line of `length` bytes at f->given, with `after` bytes of newline behind it. */
static enum frame_result give(struct frame *f, size_t length, size_t after, const char **line,
                              size_t *line_length)
{
	const char *start = f->buffer.data + f->given;
	bool skipping = f->skipping;
	f->skipping = false;
	f->given += length + after;
	f->scanned = f->given;
	length = without_return(start, length);
	if (skipping || !length)
		return FRAME_NONE;
	if (length > f->line_max)
		return FRAME_TOO_LONG;
	*line = start;
	*line_length = length;
	return FRAME_LINE;
}

/* What is there of a line that has not ended yet. */
static enum frame_result hold(struct frame *f)
{
	size_t length = frame_left(f);
	const char *start = length ? f->buffer.data + f->given : "";
	enum frame_result result = FRAME_NONE;
	if (!f->skipping && without_return(start, length) > f->line_max)
		result = FRAME_TOO_LONG;
	else if (!f->skipping && !borrow(f, length))
		result = FRAME_CROWDED;
	f->skipping |= result != FRAME_NONE;
	if (f->skipping) {
		f->given = f->buffer.length;
		pay_back(f);
	}
	f->scanned = f->buffer.length;
	return result;
}

enum frame_result frame_next(struct frame *f, bool end, const char **line, size_t *length)
{
	if (f->borrowed && f->scanned == f->given)
		pay_back(f); /* for the line that was given last */
	if (!frame_left(f) && f->given)
		compact(f);
	while (frame_left(f)) {
		const char *start = f->buffer.data + f->given;
		const char *newline =
			memchr(f->buffer.data + f->scanned, '\n', f->buffer.length - f->scanned);
		if (!newline && !end)
			return hold(f);
		size_t found = newline ? (size_t)(newline - start) : frame_left(f);
		enum frame_result result = give(f, found, newline != NULL, line, length);
		if (result != FRAME_NONE)
			return result;
	}
	return FRAME_NONE;
}

size_t frame_left(const struct frame *f)
{
	return f->buffer.length - f->given;
}
