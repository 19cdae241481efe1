/* SPDX-License-Identifier: BSD-2-Clause */
/* Two slots in a memory file, of which the one counts that was finished last. */
#include "daemon/keep_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x7069706bu
#define SLOT  ((off_t)1 << 40) /* where the second one begins: there is a hole between */

struct header {
	uint32_t magic, unused;
	uint64_t number, length, sum; /* of two slots the one counts that was written later */
};

/* FNV-1a: it is to tell what was half written. */
static uint64_t sum_of(const char *bytes, size_t length)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void write_all(int fd, off_t at, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = pwrite(fd, bytes, length, at);
		if (n < 0 && errno != EINTR)
			return; /* no memory: the sum will tell */
		if (n < 0)
			continue;
		at += n;
		bytes += n;
		length -= (size_t)n;
	}
}

void keep_memory_write(int fd, uint64_t number, const struct buf *records)
{
	const struct header header = {.magic = MAGIC,
	                              .number = number,
	                              .length = records->length,
	                              .sum = sum_of(records->data, records->length)};
	off_t slot = (off_t)(number % 2) * SLOT;
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, slot, SLOT);
	write_all(fd, slot + (off_t)sizeof header, records->data, records->length);
	write_all(fd, slot, (const char *)&header, sizeof header);
}

static char *read_slot(int fd, off_t at, struct header *header)
{
	struct stat st;
	if (fstat(fd, &st) || pread(fd, header, sizeof *header, at) != sizeof *header ||
	    header->magic != MAGIC || header->length > (uint64_t)(st.st_size - at))
		return NULL;
	char *bytes = must_calloc(header->length + 1, 1);
	size_t got = 0;
	for (ssize_t n; got < header->length; got += (size_t)n) {
		n = pread(fd, bytes + got, header->length - got,
		          at + (off_t)sizeof *header + (off_t)got);
		if (n <= 0)
			break;
	}
	if (got == header->length && header->sum == sum_of(bytes, got))
		return bytes;
	free(bytes);
	return NULL;
}

char *keep_memory_read(int fd, uint64_t *number, size_t *length)
{
	struct header a = {0}, b = {0};
	char *first = read_slot(fd, 0, &a), *second = read_slot(fd, SLOT, &b);
	bool is_second = second && (!first || b.number > a.number);
	free(is_second ? first : second);
	*number = is_second ? b.number : a.number;
	*length = is_second ? b.length : a.length;
	return is_second ? second : first;
}

/* ---- records ---- */

void keep_record_add(struct buf *out, enum keep_record_kind kind, uint32_t number, const char *key,
                     const void *bytes, size_t length)
{
	const struct keep_record r = {kind, number, (uint32_t)strlen(key), 0, length};
	buf_add(out, &r, sizeof r);
	buf_adds(out, key);
	if (length)
		buf_add(out, bytes, length);
}

const char *keep_record_next(const char *at, const char *end, struct keep_record *r, char **key)
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
