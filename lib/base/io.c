/* SPDX-License-Identifier: BSD-2-Clause */
/* read(2) and write(2) until it is done. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP (64 * 1024)

/* Whether it is to be tried again, which may have been waited for. */
static bool is_passing(int fd, short events, int error)
{
	struct pollfd wait = {fd, events, 0};
	return error == EINTR || (error == EAGAIN && (poll(&wait, 1, -1) >= 0 || errno == EINTR));
}

int io_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes, *end = at + length;
	while (at < end) {
		ssize_t n = write(fd, at, (size_t)(end - at));
		if (n < 0 && !is_passing(fd, POLLOUT, errno))
			return -errno;
		at += n > 0 ? n : 0;
	}
	return 0;
}

int io_read_at(int fd, off_t at, void *bytes, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(fd, (char *)bytes + done, length - done, at + (off_t)done);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ENODATA;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_read(int fd, size_t most, struct buf *b)
{
	size_t began = b->length;
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > most)
		return -EFBIG; /* perhaps of holes: it would take long to be read */
	for (ssize_t n = 1; n;) {
		n = read(fd, buf_reserve(b, STEP), STEP);
		if (n < 0 && !is_passing(fd, POLLIN, errno))
			return -errno;
		b->length += n > 0 ? (size_t)n : 0;
		if (b->length - began > most)
			return -EFBIG;
	}
	b->data[b->length] = '\0';
	return 0;
}

int io_read_file(const char *path, int flags, size_t most, struct buf *b)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags), code = fd < 0 ? -errno : 0;
	if (!code && flags & O_NONBLOCK && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		code = -EAGAIN;
	if (!code)
		code = io_read(fd, most, b);
	if (fd >= 0)
		close(fd);
	return code;
}
