/* SPDX-License-Identifier: BSD-2-Clause */
/* Two slots in a memory file, of which the one counts that was finished last. */
#include "daemon/store_memory.h"

#include "base/io.h"
#include "base/sum.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x3270706bu
#define SLOT  ((off_t)1 << 40) /* where the second one begins: there is a hole between */

struct header {
	uint32_t magic, unused;
	uint64_t number, length; /* of two slots the one counts that was written later */
	uint64_t sum;            /* of all that, and of the bytes */
};

enum slot { EMPTY, WHOLE, DAMAGED };

static uint64_t sum_of(const struct header *header, const char *bytes)
{
	uint64_t sum = sum_add(0, header, offsetof(struct header, sum));
	return sum_add(sum, bytes, (size_t)header->length);
}

void store_memory_write(int fd, uint64_t number, const struct buf *records)
{
	struct header header = {.magic = MAGIC, .number = number, .length = records->length};
	header.sum = sum_of(&header, records->data);
	off_t slot = (off_t)(number % 2) * SLOT;
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, slot, SLOT);
	if (!io_write_at(fd, slot + (off_t)sizeof header, records->data, records->length))
		io_write_at(fd, slot, &header, sizeof header); /* else there is no memory */
}

/* A length is believed as far as there is memory behind the file. The header is written last: a
   slot that was not finished has none. */
static enum slot read_slot(int fd, off_t at, struct header *header, char **bytes)
{
	static const struct header none;
	struct stat st;
	if (fstat(fd, &st) || io_read_at(fd, at, header, sizeof *header) ||
	    !memcmp(header, &none, sizeof none))
		return EMPTY;
	if (header->magic != MAGIC || header->length > (uint64_t)st.st_blocks * 512)
		return DAMAGED;
	*bytes = must_calloc(header->length + 1, 1);
	if (!io_read_at(fd, at + (off_t)sizeof *header, *bytes, header->length) &&
	    header->sum == sum_of(header, *bytes))
		return WHOLE;
	free(*bytes);
	*bytes = NULL;
	return DAMAGED;
}

char *store_memory_read(int fd, uint64_t *number, size_t *length, bool *damaged)
{
	struct header headers[2] = {0};
	char *bytes[2] = {NULL, NULL};
	enum slot slots[2];
	for (int i = 0; i < 2; i++)
		slots[i] = read_slot(fd, i * SLOT, &headers[i], &bytes[i]);
	int last =
		slots[1] == WHOLE && (slots[0] != WHOLE || headers[1].number > headers[0].number);
	const struct header *found = &headers[last], *other = &headers[!last];
	free(bytes[!last]);
	*damaged = slots[!last] == DAMAGED && (slots[last] != WHOLE || other->magic != MAGIC ||
	                                       other->number + 1 != found->number);
	*number = slots[last] == WHOLE ? found->number : 0;
	*length = slots[last] == WHOLE ? (size_t)found->length : 0;
	*damaged |= slots[last] == DAMAGED;
	return bytes[last];
}

/* ---- records ---- */

void store_record_add(struct buf *out, enum store_record_kind kind, uint32_t number,
                      const char *key, const void *bytes, size_t length)
{
	const struct store_record r = {kind, number, (uint32_t)strlen(key), 0, length};
	buf_add(out, &r, sizeof r);
	buf_adds(out, key);
	if (length)
		buf_add(out, bytes, length);
}

const char *store_record_next(const char *at, const char *end, struct store_record *r, char **key)
{
	if ((size_t)(end - at) < sizeof *r)
		return NULL;
	memcpy(r, at, sizeof *r);
	at += sizeof *r;
	if (r->key_length > (size_t)(end - at) || r->length > (size_t)(end - at) - r->key_length)
		return NULL;
	*key = must_calloc(r->key_length + 1, 1);
	memcpy(*key, at, r->key_length);
	return at + r->key_length;
}
