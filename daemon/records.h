/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as text, a line each: eight hexadecimal digits, a space, and a JSON object. The digits
   are the CRC-32 of all objects up to this one, so that a line that is missing is noticed. Pure: no
   I/O. */
#ifndef DAEMON_RECORDS_H
#define DAEMON_RECORDS_H

#include "base/buf.h"
#include <jansson.h>

/* The first line, which says which format it is, and the others; `sum` goes on from line to
   line. */
void records_begin(struct buf *, uint32_t *sum);
void records_add(struct buf *, uint32_t *sum, const json_t *record);

/* What a text holds. A last line that was not written to its end (that has no newline, or holes
   of NUL) is torn; whatever else is wrong is damage. The caller frees both members. */
struct records_found {
	json_t *records;   /* those before what is wrong */
	size_t good, torn; /* bytes */
	uint32_t sum;      /* of what is good */
	char *damage;      /* what is wrong, or NULL */
};
void records_read(const struct buf *, struct records_found *);

#endif
