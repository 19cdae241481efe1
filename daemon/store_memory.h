/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in shared memory that outlives the process: what stands there is whole, whenever it was
   killed, for there are two slots, written in turns, each with a sum. */
#ifndef DAEMON_KEEP_MEMORY_H
#define DAEMON_KEEP_MEMORY_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_record_kind { STORE_TYPE = 1, STORE_DESCRIPTOR, STORE_BYTES };

/* A record: its kind, the number of a descriptor, and two texts by their lengths. */
struct store_record {
	uint32_t kind, number, key_length, unused;
	uint64_t length;
};

void store_record_add(struct buf *, enum store_record_kind, uint32_t number, const char *key,
                      const void *bytes, size_t length);

/* The record at `at`, and the key, which is yours; returns where its bytes begin, behind which the
   next one is. NULL at the end. */
const char *store_record_next(const char *at, const char *end, struct store_record *, char **key);

/* `number` is one more than the last time. Where there is no memory, what was before stays. */
void store_memory_write(int fd, uint64_t number, const struct buf *records);

/* The records that were finished last, yours, and their number; NULL: there are none. Where they
   are `damaged`, those of the time before, or none. */
char *store_memory_read(int fd, uint64_t *number, size_t *length, bool *damaged);

#endif
