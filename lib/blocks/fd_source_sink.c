/* SPDX-License-Identifier: BSD-2-Clause */
/* FDSourceSink: a descriptor that somebody handed over, as source and sink. */
#include <pipetool/block.h>

#include "base/error.h"
#include "net/stream.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct fd_pipe {
	int fd;
	uint64_t limit;
	struct stream stream;
};

static void ended(struct pt_block *b)
{
	pt_exhausted(b);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	stream_init(&f->stream, b, f->limit, ended);
	return 0;
}

/* The parameter keeps its own descriptor, so that the engine can be started again. */
static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return pt_fail(err, -errno, "fd", "the descriptor cannot be used: %s",
		               error_words(errno));
	f->stream.fd = fd;
	return 0;
}

static void start(struct pt_block *b)
{
	struct fd_pipe *f = pt_state(b);
	int fd = f->stream.fd, access = fcntl(fd, F_GETFL) & O_ACCMODE;
	f->stream.fd = -1;
	stream_begin(&f->stream, fd);
	if (access == O_WRONLY)
		stream_write_only(&f->stream);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct fd_pipe *f = pt_state(b);
	stream_push(&f->stream, messages, count);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct fd_pipe *f = pt_state(b);
	stream_produce(&f->stream, max);
}

static void stop(struct pt_block *b)
{
	struct fd_pipe *f = pt_state(b);
	stream_stop(&f->stream);
}

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	struct fd_pipe *f = pt_state(b);
	return stream_close(&f->stream, err);
}

static void fini(struct pt_block *b)
{
	struct fd_pipe *f = pt_state(b);
	stream_fini(&f->stream);
}

static const struct pt_type fd_source_sink = {
	.api = PT_API,
	.name = "FDSourceSink",
	.summary = "Reads and writes a descriptor that the client hands over",
	.help = "A pipe, a socket, a terminal or a file: `ptctl --fd N` passes descriptor N of the "
                "shell "
		"with the request, and {\"fd\": 0} is the first that was passed. What is read is "
                "sent on "
		"the low exit; at its end the source is exhausted.",
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
			{"fd", "The descriptor that came with the request, counted from 0.",
                         PT_FD(struct fd_pipe, fd), .flags = PT_REQUIRED},
			{"limit", "Bytes that may wait to be written before sources are held back.",
                         PT_SIZE(struct fd_pipe, limit), "8MiB", .min = 1, .max = 1e12},
			{NULL}},
	.size = sizeof(struct fd_pipe),
	.init = init,
	.open = open_pipe,
	.start = start,
	.produce = produce,
	.push_many = push_many,
	.stop = stop,
	.close = close_pipe,
	.fini = fini,
};

PT_TYPES(fd_source_sink, &fd_source_sink);
