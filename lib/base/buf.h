/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing bytes: text being written, input being collected. Memory that cannot be had ends the
   process. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/memory.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL while nothing was ever added; else data[length] is 0 */
	size_t length;
	size_t room;
};

#define BUF_INIT           \
	{                  \
		NULL, 0, 0 \
	}

void buf_free(struct buf *);                  /* leaves it as BUF_INIT */
void buf_clear(struct buf *);                 /* length 0; keeps the memory */
char *buf_reserve(struct buf *, size_t more); /* where the next `more` bytes may be written */
void buf_add(struct buf *, const void *, size_t);
void buf_adds(struct buf *, const char *);
void buf_addc(struct buf *, char);
void buf_addf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));
void buf_consume(struct buf *, size_t); /* drops the first bytes */
char *buf_steal(struct buf *); /* the text, yours to free, never NULL; leaves it as BUF_INIT */

#endif
