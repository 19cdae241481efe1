/* SPDX-License-Identifier: BSD-2-Clause */
/* FDSourceSink: a descriptor that somebody handed over, as source and sink. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/streams.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RESTART       "fd" /* what an earlier daemon was handed has no other name */
#define DEV_TTY_SLAVE 136  /* and the seven after it: pseudo-terminals, by Linux's devices.txt */

struct fd_pipe {
	struct streams streams; /* the one */
	int fd;
	uint64_t limit;
	struct stream stream;
	int flags; /* to be put back: whoever handed it over may share them; -1: nothing to do */
	bool taken_over; /* another block's stream, which is taken over */
	bool carried;    /* an earlier daemon's */
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	f->flags = -1;
	f->streams = (struct streams){&f->stream, 1};
	stream_init(&f->stream, b, &f->limit, pt_exhausted);
	f->stream.late = streams_late;
	return 0;
}

/* Opening these once more gives the same thing with flags of its own; it would not elsewhere: a
   file's place would be lost. */
static bool can_be_reopened(int fd)
{
	struct stat st;
	if (fstat(fd, &st))
		return false;
	unsigned slaves = major(st.st_rdev) - DEV_TTY_SLAVE;
	return S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && slaves < 8);
}

static int open_again(int fd, int flags)
{
	char path[32];
	if (!can_be_reopened(fd))
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Pipes and sockets are the same by their inode and direction; files have a place besides. */
static char *key_of(int fd)
{
	struct stat st;
	if (fstat(fd, &st) || S_ISREG(st.st_mode))
		return must_strdup("");
	return must_printf("fd %ju:%ju %d", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
	                   fcntl(fd, F_GETFL) & O_ACCMODE);
}

/* Also what is over: it is so in the next daemon. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct fd_pipe *f = pt_state(b);
	bool restarts = pt_carry_to(carry) != PT_TO_SUCCESSOR;
	char *key = restarts ? must_strdup(RESTART) : key_of(f->fd);
	if (*key && !stream_carry(&f->stream, carry, key) && restarts)
		pt_carry_fd(carry, key, f->fd);
	free(key);
}

static bool is_carried(struct pt_block *b, struct fd_pipe *f)
{
	char *key = key_of(f->fd);
	bool carried = *key && pt_carried_fd(b, key, &f->stream.fd);
	free(key);
	return carried;
}

static int check_fd(int fd, struct pt_error *err)
{
	int listens = 0;
	socklen_t length = sizeof listens;
	if (fd < 0) {
		pt_fail(err, -ESTALE, "fd", "the descriptor was handed to an earlier daemon");
		pt_hint(err, "hand it over again, with replace and --fd");
		return -ESTALE;
	}
	if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) && listens)
		return pt_fail(err, -EINVAL, "fd",
		               "the descriptor is a socket that listens, and carries no bytes; "
		               "systemd passes a connection of it with Accept=yes");
	return 0;
}

/* The parameter keeps its own descriptor, so that the engine can be started again. */
static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	if (f->fd < 0)
		f->carried = pt_carried_fd(b, RESTART, &f->fd);
	if (f->carried)
		stream_open(&f->stream);
	int rc = check_fd(f->fd, err);
	f->flags = -1;
	f->taken_over = !rc && is_carried(b, f);
	if (rc)
		return rc;
	if (f->taken_over)
		return 0;
	int flags = fcntl(f->fd, F_GETFL), fd = open_again(f->fd, flags);
	if (fd < 0) {
		fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
		f->flags = flags & O_NONBLOCK ? -1 : flags;
	}
	if (fd < 0)
		return pt_fail(err, -errno, "fd", "the descriptor cannot be used: %s",
		               error_words(errno));
	f->stream.fd = fd;
	return 0;
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct fd_pipe *f = pt_state(b), *before = pt_state(old);
	if (!f->taken_over)
		return;
	stream_take_over(&f->stream, &before->stream);
	f->flags = before->flags;
	before->flags = -1;
}

static void start(struct pt_block *b)
{
	struct fd_pipe *f = pt_state(b);
	int fd = f->stream.fd;
	if (f->stream.taken_over) {
		stream_start(&f->stream);
		return;
	}
	f->stream.fd = -1;
	stream_start(&f->stream);
	if (f->carried)
		stream_goes_on(&f->stream, fd, RESTART);
	else
		stream_begin(&f->stream, fd);
	f->carried = false;
}

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	int rc = stream_close(&f->stream, err);
	if (f->flags >= 0)
		fcntl(f->fd, F_SETFL, f->flags);
	f->flags = -1;
	return rc;
}

static const struct pt_type fd_source_sink = {
	.api = PT_API,
	.name = "FDSourceSink",
	.summary = "Reads and writes a descriptor that the client hands over",
	.help = "A pipe, a socket, a terminal or a file: `ptctl --fd N` passes descriptor N of the "
		"shell with the request, and {\"fd\": 0} is the first that was passed; a text is "
		"the name of one that systemd gave the daemon (FileDescriptorName=). What is "
		"read is sent on the low exit; at its end the source is exhausted, and what is "
		"open for writing can still be written to. Where the other side takes nothing the "
		"sources are held back. What another process writes to the same TCP connection "
		"counts as written by this one when the daemon is killed.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     |             |\n"
		   "   >-|-[file desc]-|->\n"
		   "     +-------------+\n",
	.examples = (const char *const[]){"FDSourceSink({\"fd\": 0}) > ConsoleSink()", NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.outside = "wire",
	.params =
		(const struct pt_param[]){
			{"fd",
                         "The descriptor that came with the request, counted from 0; or a name.",
                         PT_FD(struct fd_pipe, fd), .flags = PT_REQUIRED},
			{"limit", "Bytes that may wait to be written before sources are held back.",
                         PT_SIZE(struct fd_pipe, limit), "8MiB", .flags = PT_LIVE, .min = 1,
                         .max = 1e12},
			{NULL}},
	.size = sizeof(struct fd_pipe),
	.init = init,
	.open = open_pipe,
	.carry = carry,
	.committed = streams_committed,
	.take_over = take_over,
	.start = start,
	.produce = streams_produce,
	.push_many = streams_push,
	.changed = streams_changed,
	.describe = streams_describe,
	.stop = streams_stop,
	.close = close_pipe,
	.fini = streams_fini,
};

PT_TYPES(fd_source_sink, &fd_source_sink);
