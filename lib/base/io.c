/* SPDX-License-Identifier: BSD-2-Clause */
/* read(2) and write(2) until it is done. */
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	for (size_t done = 0; done < length;) {
		ssize_t n = write(fd, (const char *)bytes + done, length - done);
		if (n < 0 && !is_passing(fd, POLLOUT, errno))
			return -errno;
		done += n > 0 ? (size_t)n : 0;
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

static int read_all(int fd, bool waits, size_t most, struct buf *b)
{
	size_t began = b->length;
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > most)
		return -EFBIG; /* perhaps of holes: it would take long to be read */
	for (ssize_t n = 1; n;) {
		n = read(fd, buf_reserve(b, STEP), STEP);
		if (n < 0 && ((errno == EAGAIN && !waits) || !is_passing(fd, POLLIN, errno)))
			return -errno;
		b->length += n > 0 ? (size_t)n : 0;
		if (b->length - began > most)
			return -EFBIG;
	}
	b->data[b->length] = '\0';
	return 0;
}

int io_read(int fd, size_t most, struct buf *b)
{
	return read_all(fd, true, most, b);
}

int io_read_file(const char *path, int flags, size_t most, struct buf *b)
{
	struct stat st;
	bool waits = !(flags & O_NONBLOCK);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags), code = fd < 0 ? -errno : 0;
	if (!code && !waits && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		code = -EAGAIN;
	if (!code)
		code = read_all(fd, waits, most, b);
	if (fd >= 0)
		close(fd);
	return code;
}

int io_replace(const char *path, mode_t mode, const void *bytes, size_t length)
{
	char *fresh = must_printf("%s" IO_UNFINISHED, path);
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int code = fd < 0 ? -errno : io_write(fd, bytes, length);
	if (!code && fsync(fd))
		code = -errno;
	if (fd >= 0)
		close(fd);
	if (!code && rename(fresh, path))
		code = -errno;
	if (code)
		unlink(fresh);
	free(fresh);
	return code;
}

bool io_lists(const char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);
	return *name != '.' && !strchr(name, '/') && length > end &&
	       !strcmp(name + length - end, suffix);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

char **io_list(const char *folder, const char *suffix)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, by_bytes);
	if (count < 0)
		return NULL;
	char **names = must_calloc((size_t)count + 1, sizeof *names);
	for (int i = 0, wanted = 0; i < count; i++) {
		if (io_lists(entries[i]->d_name, suffix))
			names[wanted++] = must_strdup(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return names;
}
