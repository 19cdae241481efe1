/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as text, a line each: eight hexadecimal digits, the CRC-32 of what follows the space, and a
   JSON object. Pure: no I/O. */
#ifndef DAEMON_RECORDS_H
#define DAEMON_RECORDS_H

#include "base/buf.h"
#include <jansson.h>

void records_begin(struct buf *); /* the first line, which says which format it is */
void records_add(struct buf *, const json_t *record);

/* What a text holds. A last line that was not written to its end (that has no newline, or holes
   of NUL) is torn; whatever else is wrong is damage. The caller frees both members. */
struct records_found {
	json_t *records;   /* those before what is wrong */
	size_t good, torn; /* bytes */
	char *damage;      /* what is wrong, or NULL */
};
void records_read(const struct buf *, struct records_found *);

#endif
