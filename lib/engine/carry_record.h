/* SPDX-License-Identifier: BSD-2-Clause */
/* What a block carries, as the bytes of one record of a ring. */
#ifndef ENGINE_CARRY_RECORD_H
#define ENGINE_CARRY_RECORD_H

#include "base/buf.h"
#include <stddef.h>
#include <stdint.h>

/* Of the block's type, of a descriptor that is elsewhere under this number, of bytes, of the cut
   (its number as bytes; first of all, and only if it is of one); an unknown kind is skipped. */
enum carry_record_kind { CARRY_TYPE = 1, CARRY_DESCRIPTOR, CARRY_BYTES, CARRY_CUT };

/* In front of a key and of bytes, by their lengths. */
struct carry_record {
	uint32_t kind, number, key_length, unused;
	uint64_t length;
};

void carry_record_add(struct buf *, enum carry_record_kind, uint32_t number, const char *key,
                      const void *bytes, size_t length);

/* The record at `at`, and the key, which is yours; returns where its bytes begin, behind which the
   next one is. NULL at the end. */
const char *carry_record_next(const char *at, const char *end, struct carry_record *, char **key);

#endif
