/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a descriptor, straight into the caller's room or through a decompressor. */
#include "capture/input.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/path.h"
#include "capture/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKED_ROOM   (64 * 1024)
#define BARREN_ROUNDS 256 /* so many without output in one call, then others get their turn */

struct input {
	char *name;
	int fd;
	mode_t mode;
	int flags_before; /* of the descriptor, where they were changed; -1 */
	uint64_t done, size;
	bool told;                      /* whether it is compressed */
	uint8_t head[UNPACK_MAGIC_MAX]; /* read to tell, and not yet given */
	size_t head_length;
	const struct unpack_kind *kind;
	void *unpacker;
	bool whole;
	bool left; /* see input_leave */
	bool growing, at_end;
	const char *fault; /* after the bytes that were given */
	uint8_t *packed;
	size_t packed_at, packed_end;
	size_t memory; /* that unpacking may take; 0: any */
};

int input_path(const char *path, struct pt_error *err)
{
	int fd = path_open(NULL, path, O_RDONLY, 0);
	return fd < 0 ? path_read_failed(NULL, "fname", path, fd, err) : fd;
}

static bool waits(mode_t mode, int fd)
{
	return S_ISFIFO(mode) || S_ISSOCK(mode) || (S_ISCHR(mode) && isatty(fd));
}

/* Where the file system has no locks nobody is warned. */
static void lock(const struct input *in, short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
	if (S_ISREG(in->mode))
		fcntl(in->fd, F_OFD_SETLK, &whole);
}

void input_unlock(struct input *in)
{
	lock(in, F_UNLCK);
}

static void prepare(struct input *in)
{
	lock(in, F_RDLCK);
	if (S_ISREG(in->mode))
		posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (!waits(in->mode, in->fd))
		return;
	int flags = fcntl(in->fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK) && fcntl(in->fd, F_SETFL, flags | O_NONBLOCK) == 0)
		in->flags_before = flags;
}

int input_open(int fd, const char *name, struct input **result, struct pt_error *err)
{
	struct stat st;
	int rc = 0;
	if (fstat(fd, &st) < 0)
		rc = pt_fail(err, -errno, "fname", "cannot read '%s': %s", name,
		             error_words(-errno));
	else if (S_ISDIR(st.st_mode))
		rc = pt_fail(err, -EISDIR, "fname", "'%s' is a folder; name a capture file in it",
		             name);
	if (rc) {
		close(fd);
		return rc;
	}
	struct input *in = must_calloc(1, sizeof *in);
	in->name = must_strdup(name);
	in->fd = fd;
	in->mode = st.st_mode;
	in->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	in->flags_before = -1;
	prepare(in);
	*result = in;
	return 0;
}

static void stop_unpacking(struct input *in)
{
	if (in->kind)
		in->kind->free(in->unpacker);
	in->kind = NULL;
	in->unpacker = NULL;
	in->packed_at = in->packed_end = 0;
	in->fault = NULL;
}

static void restore_flags(struct input *in)
{
	if (in->flags_before >= 0)
		fcntl(in->fd, F_SETFL, in->flags_before);
	in->flags_before = -1;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	stop_unpacking(in);
	input_unlock(in);
	restore_flags(in);
	close(in->fd);
	free(in->packed);
	free(in->name);
	free(in);
}

/* A FIFO that nobody has opened for writing yet reads as if it had ended. A signal may come in
   between (engine/sample.h), and says nothing of it. */
static bool writer_to_come(const struct input *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	int n = 0;
	while (S_ISFIFO(in->mode) && (n = poll(&p, 1, 0)) < 0 && errno == EINTR)
		;
	return S_ISFIFO(in->mode) && n >= 0 && !(p.revents & (POLLHUP | POLLERR));
}

static ssize_t read_raw(struct input *in, uint8_t *room, size_t length, struct pt_error *err)
{
	ssize_t n;
	do
		n = read(in->fd, room, length);
	while (n < 0 && errno == EINTR);
	in->at_end = n == 0 && in->growing;
	if (n > 0)
		in->done += (uint64_t)n;
	if (in->at_end || (n == 0 && writer_to_come(in)))
		return -EAGAIN;
	if (n >= 0 || errno == EAGAIN)
		return n < 0 ? -EAGAIN : n;
	return pt_fail(err, -errno, "fname", "cannot read '%s' at byte %llu: %s", in->name,
	               (unsigned long long)in->done, error_words(-errno));
}

static int tell_kind(struct input *in, struct pt_error *err)
{
	while (in->head_length < sizeof in->head) {
		ssize_t n = read_raw(in, in->head + in->head_length,
		                     sizeof in->head - in->head_length, err);
		if (n < 0 && !(in->at_end && !unpack_is_open(in->head, in->head_length)))
			return (int)n;
		if (n <= 0)
			break;
		in->head_length += (size_t)n;
	}
	in->told = true;
	in->kind = unpack_kind(in->head, in->head_length);
	if (!in->kind)
		return 0;
	in->unpacker = in->kind->make();
	if (!in->unpacker) {
		in->kind = NULL;
		return -ENOMEM;
	}
	if (in->kind->bound && in->memory)
		in->kind->bound(in->unpacker, in->memory);
	if (!in->packed)
		in->packed = must_calloc(1, PACKED_ROOM);
	memcpy(in->packed, in->head, in->head_length);
	in->packed_end = in->head_length;
	in->head_length = 0;
	in->whole = false;
	return 0;
}

static ssize_t read_plain(struct input *in, uint8_t *room, size_t length, struct pt_error *err)
{
	size_t given = in->head_length < length ? in->head_length : length;
	memcpy(room, in->head, given);
	in->head_length -= given;
	memmove(in->head, in->head + given, in->head_length);
	if (given == length)
		return (ssize_t)given;
	ssize_t n = read_raw(in, room + given, length - given, given ? NULL : err);
	if (n < 0)
		return given ? (ssize_t)given : n;
	return (ssize_t)given + n;
}

static size_t unpack_some(struct input *in, uint8_t *room, size_t length)
{
	struct unpack_span s = {in->packed + in->packed_at, in->packed_end - in->packed_at, room,
	                        length};
	in->fault = in->kind->run(in->unpacker, &s, &in->whole);
	in->packed_at = in->packed_end - s.in_left;
	return length - s.out_left;
}

static ssize_t packed_fault(struct input *in, struct pt_error *err)
{
	if (in->fault == unpack_too_large)
		return pt_fail(err, -ENOBUFS, "fname",
		               "'%s' looks back over more than an engine may hold (see [limits] "
		               "memory) in its %s data; pack it anew without --long",
		               in->name, in->kind->name);
	uint64_t at = in->done - (in->packed_end - in->packed_at);
	return pt_fail(err, -EBADMSG, "fname",
	               "'%s' is damaged: %s in its %s data, near byte %llu of the file", in->name,
	               in->fault, in->kind->name, (unsigned long long)at);
}

static ssize_t packed_over(struct input *in, struct pt_error *err)
{
	if (in->whole)
		return 0;
	return pt_fail(err, -EBADMSG, "fname",
	               "'%s' is cut off: its %s data ends in the middle, at byte %llu of the file",
	               in->name, in->kind->name, (unsigned long long)in->done);
}

static ssize_t read_packed(struct input *in, uint8_t *room, size_t length, struct pt_error *err)
{
	for (int round = 0; round < BARREN_ROUNDS; round++) {
		size_t got = in->fault ? 0 : unpack_some(in, room, length);
		if (got)
			return (ssize_t)got;
		if (in->fault)
			return packed_fault(in, err);
		if (in->packed_at < in->packed_end)
			continue;
		ssize_t n = read_raw(in, in->packed, PACKED_ROOM, err);
		if (n < 0)
			return n;
		if (n == 0)
			return packed_over(in, err);
		in->packed_at = 0;
		in->packed_end = (size_t)n;
	}
	return -EAGAIN;
}

void input_bound(struct input *in, size_t memory)
{
	if (!memory || in->memory == memory)
		return;
	in->memory = memory;
	if (in->kind && in->kind->bound)
		in->kind->bound(in->unpacker, memory);
}

ssize_t input_read(struct input *in, uint8_t *room, size_t length, struct pt_error *err)
{
	if (!in->told) {
		int rc = tell_kind(in, err);
		if (rc)
			return rc;
	}
	return in->kind ? read_packed(in, room, length, err) : read_plain(in, room, length, err);
}

int input_rewind(struct input *in, struct pt_error *err)
{
	if (in->left || lseek(in->fd, 0, SEEK_SET) < 0)
		return pt_fail(err, in->left ? -ESPIPE : -errno, "fname",
		               "'%s' cannot be read again: it is not a regular file", in->name);
	if (!in->growing)
		lock(in, F_RDLCK);
	stop_unpacking(in);
	in->told = false;
	in->head_length = 0;
	in->done = 0;
	return 0;
}

void input_leave(struct input *in)
{
	int nothing = waits(in->mode, in->fd) ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	if (nothing < 0)
		return;
	restore_flags(in);
	in->left = true;
	dup3(nothing, in->fd, O_CLOEXEC);
	close(nothing);
}

void input_grow(struct input *in, bool growing)
{
	in->growing = growing && S_ISREG(in->mode);
	in->at_end = false;
	if (in->growing)
		input_unlock(in);
}

bool input_at_end(const struct input *in)
{
	return in->at_end;
}

bool input_has(const struct input *in, size_t length)
{
	struct stat st;
	if (!S_ISREG(in->mode) || in->kind || fstat(in->fd, &st) < 0)
		return true;
	return in->done - in->head_length + length <= (uint64_t)st.st_size;
}

bool input_skip(struct input *in, uint32_t length)
{
	if (!in->told || in->kind || in->head_length || in->done + length > in->size)
		return false;
	if (lseek(in->fd, (off_t)length, SEEK_CUR) < 0)
		return false;
	in->done += length;
	return true;
}

const char *input_name(const struct input *in)
{
	return in->name;
}

int input_fd(const struct input *in)
{
	return in->fd;
}

bool input_may_wait(const struct input *in)
{
	return waits(in->mode, in->fd);
}

bool input_is_regular(const struct input *in)
{
	return S_ISREG(in->mode);
}

const char *input_packing(const struct input *in)
{
	return in->kind ? in->kind->name : "none";
}

void input_progress(const struct input *in, uint64_t *done, uint64_t *size)
{
	struct stat st;
	*done = in->done;
	*size = in->growing && fstat(in->fd, &st) == 0 ? (uint64_t)st.st_size : in->size;
}
