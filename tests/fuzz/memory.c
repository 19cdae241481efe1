/* SPDX-License-Identifier: BSD-2-Clause */
/* What was kept over a restart, with any bytes in it: a table of contents, and a queue. */
#include "engine/carry_record.h"
#include "engine/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096 };

static void put(int fd, const uint8_t *data, size_t size, off_t at)
{
	ssize_t n = pwrite(fd, data, size, at);
	assert(n == (ssize_t)size);
}

static void walk(const char *bytes, size_t length)
{
	struct carry_record r;
	char *key;
	const char *end = bytes + length;
	for (const char *at = bytes; at && (at = carry_record_next(at, end, &r, &key));
	     at += r.length) {
		assert(r.length <= (size_t)(end - at));
		free(key);
	}
}

static void see(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	uint8_t sum = 0;
	for (uint32_t i = 0; i < length; i++)
		sum ^= bytes[i];
	*(unsigned *)arg += 1 + (sum & 0);
	assert(gone <= length);
	walk((const char *)bytes, length);
}

/* Two records, and over them what was found in their stead. */
static void read_ring(const uint8_t *data, size_t size, enum ring_kind kind)
{
	const struct ring_record r = {kind, "the head", "message", 8, 7};
	struct ring *s = ring_new(0);
	unsigned seen = 0, again = 0;
	for (int i = 0; i < 2; i++)
		kind == RING_CARRY ? ring_replace(s, &r) : ring_push(s, &r);
	for (size_t at = 0; at + 3 <= size; at += 3) {
		off_t place = (data[at] & 1 ? PAGE : 0) + data[at + 1];
		put(ring_fd(s), data + at + 2, 1, place);
	}
	struct ring *found = ring_open(dup(ring_fd(s)));
	ring_each(found, kind, see, &seen);
	assert(seen <= 2);
	assert(ring_each(found, kind, see, &again) == 0 && again == seen);
	while (seen--)
		ring_pop(found);
	ring_free(found);
	ring_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk((const char *)data, size);
	read_ring(data, size, RING_MESSAGE);
	read_ring(data, size, RING_CARRY);
	return 0;
}
