/* SPDX-License-Identifier: BSD-2-Clause */
/* A pipe by net/stream.h, a pidfd to hear of the end, and a timer for who does not read. */
#include "net/viewer.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/program.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS 5000000000u

/* ---- its end ---- */

static void ended(struct pt_block *b)
{
	struct viewer *v = pt_state(b);
	v->closed = true;
	pt_full(b, false);
	pt_exhausted(b);
	pt_note(b, "%s was closed", v->name);
}

/* Children of its own may still read: for them it is the end of the stream. */
static void shut(struct viewer *v)
{
	v->closed = true;
	pt_queue_drop(v->block, &v->stream.queue, v->stream.gone);
	stream_detach(&v->stream);
	pt_full(v->block, false);
}

static void on_exit_of(uv_poll_t *poll, int status, int events)
{
	struct viewer *v = pt_state(poll->data);
	int how;
	uv_poll_stop(poll);
	if (waitpid(v->pid, &how, WNOHANG) != v->pid)
		return;
	v->pid = 0;
	char *fate = program_fate(how);
	if (fate)
		pt_failed(v->block, -EIO, "%s %s", v->name, fate);
	else if (!v->closed)
		ended(v->block);
	shut(v);
	free(fate);
}

/* ---- life ---- */

void viewer_init(struct viewer *v, struct pt_block *b, const uint64_t *limit)
{
	v->block = b;
	v->fd = v->pidfd = -1;
	v->name = "the viewer";
	stream_init(&v->stream, b, limit, ended);
	v->stream.gone = "viewer-closed";
}

int viewer_open(struct viewer *v, char *const *argv, enum viewer_input input, const char *param,
                struct pt_error *err)
{
	int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || pipe2(ends, O_CLOEXEC)) {
		int error = errno;
		if (null >= 0)
			close(null);
		return pt_fail(err, -error, NULL, "no pipe: %s", error_words(error));
	}
	const struct program_ends places = {
		.in = input == VIEWER_STDIN ? ends[0] : null,
		.out = STDERR_FILENO,
		.more = input == VIEWER_THREE ? ends[0] : -1,
		.detached = true,
	};
	int rc = program_start(argv, &places, param, &v->pid, err);
	close(null);
	close(ends[0]);
	if (rc) {
		close(ends[1]);
		return rc;
	}
	v->pidfd = (int)syscall(SYS_pidfd_open, v->pid, 0);
	v->fd = ends[1];
	return 0;
}

void viewer_open_fd(struct viewer *v, int fd)
{
	v->fd = fd;
}

int viewer_greet(const struct viewer *v, const void *bytes, size_t length, struct pt_error *err)
{
	ssize_t n = write(v->fd, bytes, length);
	if (n == (ssize_t)length ||
	    (n < 0 && errno == EPIPE)) /* it has ended: that is told later */
		return 0;
	return pt_fail(err, -EIO, NULL, "%s cannot be written to", v->name);
}

static void watch_exit(struct viewer *v)
{
	if (v->pidfd >= 0 && !uv_poll_init(pt_loop(v->block), &v->exit, v->pidfd)) {
		pt_adopt(v->block, (uv_handle_t *)&v->exit);
		uv_poll_start(&v->exit, UV_READABLE, on_exit_of);
	}
}

void viewer_start(struct viewer *v)
{
	bool goes_on = v->taken_over;
	v->taken_over = v->stalled = false;
	if (!goes_on)
		v->closed = false;
	stream_start(&v->stream);
	if (v->fd >= 0)
		viewer_begin(v);
	else if (goes_on)
		watch_exit(v);
	if (v->closed)
		pt_exhausted(v->block);
}

void viewer_begin(struct viewer *v)
{
	int fd = v->fd;
	v->fd = -1;
	stream_begin(&v->stream, fd);
	watch_exit(v);
}

void viewer_carry(struct viewer *v, struct pt_carry *carry, char *key)
{
	if (!v->closed && v->stream.fd >= 0)
		stream_carry(&v->stream, carry, key);
	free(key);
}

bool viewer_carried(struct viewer *v, char *key)
{
	v->taken_over = pt_carried_fd(v->block, key, &v->fd);
	free(key);
	return v->taken_over;
}

void viewer_take_over(struct viewer *v, struct viewer *old)
{
	if (!v->taken_over)
		return;
	stream_take_over(&v->stream, &old->stream);
	v->closed = old->closed;
	v->pid = old->pid;
	v->pidfd = old->pidfd;
	old->pid = 0;
	old->pidfd = -1;
}

void viewer_fail(struct viewer *v, int code, const char *words)
{
	pt_failed(v->block, code, "%s", words);
	shut(v);
}

void viewer_stop(struct viewer *v)
{
	stream_stop(&v->stream);
}

/* What waits is for a program that has not come yet. */
void viewer_stop_early(struct viewer *v)
{
	stream_keep_rest(&v->stream);
	stream_stop(&v->stream);
}

static int write_late(struct viewer *v, struct pt_error *err)
{
	if (v->fd < 0)
		pt_fail(err, -PT_EIO, NULL, "%s could not be opened", v->name);
	else
		fcntl(v->fd, F_SETFL, fcntl(v->fd, F_GETFL) | O_NONBLOCK);
	return stream_write_rest(&v->stream, v->fd, err);
}

int viewer_close(struct viewer *v, struct pt_error *err)
{
	bool is_late = v->stream.fd < 0 && v->stream.rest.length;
	int rc = is_late ? write_late(v, err) : 0;
	int closed = stream_close(&v->stream, err);
	if (v->fd >= 0)
		close(v->fd);
	if (v->pidfd >= 0)
		close(v->pidfd);
	if (v->pid)
		program_reap(v->pid);
	v->fd = v->pidfd = -1;
	v->pid = 0;
	v->taken_over = false;
	return rc ? rc : closed;
}

void viewer_fini(struct viewer *v)
{
	stream_fini(&v->stream);
}

/* ---- feeding ---- */

static void look(struct pt_block *b);

static void be_patient(struct viewer *v)
{
	v->seen = v->stream.queue.head;
	v->seen_written = v->stream.written;
	pt_timer_at(v->block, &v->patience, pt_now(v->block) + PATIENCE_NS, look);
}

static bool is_behind(const struct viewer *v)
{
	return v->stream.queue.bytes >= *v->stream.limit / 2;
}

/* Whether it has read anything meanwhile. */
static void look(struct pt_block *b)
{
	struct viewer *v = pt_state(b);
	if (v->closed || v->stalled || !is_behind(v))
		return;
	if (v->seen != v->stream.queue.head || v->seen_written != v->stream.written) {
		be_patient(v);
		return;
	}
	v->stalled = true;
	pt_full(b, false);
	pt_report(b, -ETIMEDOUT, "%s does not read; what comes is dropped until it does", v->name);
}

void viewer_push(struct viewer *v, struct pt_msg **messages, unsigned count)
{
	if (v->stalled && !is_behind(v))
		v->stalled = false;
	if (v->stalled || v->closed) {
		for (unsigned i = 0; i < count; i++)
			pt_drop(v->block, messages[i],
			        v->closed ? v->stream.gone : "viewer-stalled");
		return;
	}
	stream_push(&v->stream, messages, count);
	if (v->stream.queue.bytes >= *v->stream.limit && !v->patience.place)
		be_patient(v);
}
