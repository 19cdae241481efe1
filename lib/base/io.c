/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole buffers, to and from a descriptor. */
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

/* Whether it is to be tried again, after `errno`. */
static bool may_go_on(int fd, short events)
{
	struct pollfd wait = {fd, events, 0};
	if (errno == EAGAIN)
		poll(&wait, 1, -1);
	return errno == EAGAIN || errno == EINTR;
}

int io_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;
	while (length) {
		ssize_t n = write(fd, at, length);
		if (n < 0 && !may_go_on(fd, POLLOUT))
			return -errno;
		at += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_read(int fd, size_t most, struct buf *b)
{
	enum { PIECE = 65536 };
	size_t began = b->length;
	ssize_t n = 1;
	while (n) {
		n = read(fd, buf_reserve(b, PIECE), PIECE);
		if (n < 0 && !may_go_on(fd, POLLIN))
			return -errno;
		b->length += n > 0 ? (size_t)n : 0;
		b->data[b->length] = 0;
		if (b->length - began > most)
			return -EFBIG;
	}
	return 0;
}
