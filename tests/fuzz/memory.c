/* SPDX-License-Identifier: BSD-2-Clause */
/* What was kept over a restart, with any bytes in it: a table of contents, and a queue. */
#include "daemon/store_memory.h"
#include "engine/shadow.h"
#include "msg/pool.h"

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
	struct store_record r;
	char *key;
	const char *end = bytes + length;
	for (const char *at = bytes; at && (at = store_record_next(at, end, &r, &key));
	     at += r.length) {
		assert(r.length <= (size_t)(end - at));
		free(key);
	}
}

static void read_contents(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uint64_t number;
	size_t length, half = size / 2;
	bool damaged;
	put(fd, data, half, 0);
	put(fd, data + half, size - half, (off_t)1 << 40);
	char *bytes = store_memory_read(fd, &number, &length, &damaged);
	if (bytes)
		walk(bytes, length);
	free(bytes);
	close(fd);
	walk((const char *)data, size);
}

static void see(void *arg, const struct pt_msg *m, bool high)
{
	uint8_t sum = 0;
	for (uint32_t i = 0; i < m->length; i++)
		sum ^= m->bytes[i];
	*(unsigned *)arg += 1 + (sum & 0);
}

/* Two messages of a queue, and over them what was found in their stead. */
static void read_queue(const uint8_t *data, size_t size)
{
	struct pt_pool *pool = pool_new(0);
	struct shadow *s = shadow_new();
	unsigned seen = 0, again = 0;
	for (int i = 0; i < 2; i++) {
		struct pt_msg *m = pt_msg_new(pool, "message", 7);
		shadow_push(s, m, i);
		pt_msg_unref(m);
	}
	for (size_t at = 0; at + 3 <= size; at += 3) {
		off_t place = (data[at] & 1 ? PAGE : 0) + data[at + 1];
		put(shadow_fd(s), data + at + 2, 1, place);
	}
	struct shadow *found = shadow_open(dup(shadow_fd(s)));
	shadow_each(found, see, &seen);
	assert(seen <= 2);
	assert(shadow_each(found, see, &again) == 0 && again == seen);
	while (seen--)
		shadow_pop(found);
	shadow_free(found);
	shadow_free(s);
	pool_free(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_contents(data, size);
	read_queue(data, size);
	return 0;
}
