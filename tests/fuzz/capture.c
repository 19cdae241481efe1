/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a capture file: read to the end, twice, without believing anything. */
#include "capture/capture.h"
#include "msg/pool.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long sum; /* so that the bytes are looked at */

static size_t drain(struct capture_reader *reader, struct pt_pool *pool)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pt_msg *messages[64];
	size_t total = 0;
	int count;

	while ((count = capture_reader_next(reader, pool, messages, 64, &err)) > 0 &&
	       total < 100000) {
		for (int i = 0; i < count; i++) {
			const struct pt_msg *m = messages[i];

			assert(m->length <= m->wire_length);
			for (uint32_t k = 0; k < m->length; k++)
				sum += m->bytes[k];
		}
		msg_unref_many(messages, (unsigned)count);
		total += (size_t)count;
	}
	assert(count >= 0 || count == -EAGAIN || err.count > 0);
	pt_error_clear(&err);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pt_pool *pool = pool_new(64 << 20);
	struct capture_reader *reader = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	if (capture_reader_open_fd(fd, "fuzz", &reader, &err) == 0) {
		size_t first = drain(reader, pool);

		if (capture_reader_rewind(reader, &err) == 0)
			assert(drain(reader, pool) == first);
	}
	capture_reader_close(reader);
	pool_free(pool);
	pt_error_clear(&err);
	return 0;
}
