/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters of UTF-8 text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character that begins at `bytes`: how many bytes it has, and its number. 0 if there is none:
   cut short, overlong, a surrogate, or beyond U+10FFFF. */
size_t utf8_read(const char *bytes, size_t left, uint32_t *point);

/* Adds a character; not a surrogate, at most U+10FFFF. */
void utf8_add(struct buf *, uint32_t point);

/* How many bytes a byte order mark takes before it, by which some editors begin a file: 3 or 0. */
size_t utf8_mark(const char *bytes, size_t length);

/* How many of the first bytes are UTF-8 text: `length` if all are. */
size_t utf8_valid(const char *bytes, size_t length);
/* Whether all are, and none is NUL. */
bool utf8_is_text(const char *bytes, size_t length);

/* Whether a terminal shows it as itself: not a control, a format, a private or a space character
   (but U+0020), nor one that never will be any. */
bool utf8_is_printable(uint32_t point);

/* How many columns a terminal takes for it: 0 of what is drawn over the one before, 2 of wide
   ones. */
unsigned utf8_columns(uint32_t point);
/* The same of text; a byte that is none counts as one. */
size_t utf8_width(const char *text, size_t length);

#endif
