/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as people read them: in quotes, or as they are but harmless. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "base/buf.h"

/* Escaped as Python's repr does: 'it' or "it's", \n, \xNN for bytes that are no text; UTF-8
   stays. */
void quote_text(struct buf *, const char *bytes, size_t length);

/* The same bytes as b'…', in which nothing but ASCII stays. */
void quote_bytes(struct buf *, const char *bytes, size_t length);

/* Text for a terminal, without quotes: lines and tabs stay, what could drive the terminal is
   escaped. */
void quote_harmless(struct buf *, const char *bytes, size_t length);

#endif
