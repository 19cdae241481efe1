/* SPDX-License-Identifier: BSD-2-Clause */
/* Non-blocking reads in the engine's turns, and writes as soon as the descriptor takes them. */
#include "net/stream.h"

#include "base/buf.h"
#include "base/error.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE  (64 * 1024)
#define SMALL_READ 2048 /* below this a copy is cheaper than the memory that it pins */
#define VECTOR     64
#define REST_MS    5000

void stream_init(struct stream *s, struct pt_block *b, uint64_t limit,
                 void (*ended)(struct pt_block *))
{
	s->block = b;
	s->limit = limit;
	s->ended = ended;
	s->fd = s->slot = -1;
}

/* ---- watching ---- */

static void on_event(uv_poll_t *poll, int status, int events);

static struct stream *of(uv_poll_t *poll)
{
	return (struct stream *)((char *)poll - offsetof(struct stream, poll));
}

static void watch(struct stream *s)
{
	if (s->fd < 0 || s->always_ready)
		return;
	int events = (s->reading ? UV_READABLE : 0) | (s->writing ? UV_WRITABLE : 0);
	if (events)
		uv_poll_start(&s->poll, events, on_event);
	else
		uv_poll_stop(&s->poll);
}

static void flush(struct stream *s);

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct stream *s = of(poll);
	if (status < 0 || events & UV_READABLE) {
		s->reading = false;
		pt_ready(s->block, true);
	}
	if (status < 0 || events & UV_WRITABLE) {
		s->writing = false;
		flush(s);
	}
	watch(s);
}

/* ---- beginning and ending ---- */

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void stream_begin(struct stream *s, int fd)
{
	set_nonblocking(fd);
	if (s->slot < 0) {
		s->slot = fd;
		s->always_ready = uv_poll_init(pt_loop(s->block), &s->poll, fd) != 0;
		if (!s->always_ready)
			pt_adopt(s->block, (uv_handle_t *)&s->poll);
	} else if (fd != s->slot) {
		int rc = dup3(fd, s->slot, O_CLOEXEC);
		assert(rc >= 0);
		close(fd);
	}
	s->fd = s->slot;
	s->input_ended = s->output_failed = false;
	s->reading = !s->always_ready;
	if (s->always_ready)
		pt_ready(s->block, true);
	flush(s);
	watch(s);
}

void stream_write_only(struct stream *s)
{
	s->input_ended = true;
	s->reading = false;
	pt_exhausted(s->block);
	watch(s);
}

void stream_detach(struct stream *s)
{
	if (s->fd < 0)
		return;
	s->reading = s->writing = false;
	watch(s);
	pt_ready(s->block, false);
	/* The number stays taken: poll knows the descriptor by it. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup3(null, s->slot, O_CLOEXEC);
		close(null);
	} else {
		shutdown(s->slot, SHUT_RDWR);
	}
	s->fd = -1;
	s->written = 0;
}

static void end_input(struct stream *s)
{
	if (s->input_ended)
		return;
	s->input_ended = true;
	s->reading = false;
	pt_ready(s->block, false);
	watch(s);
	s->ended(s->block);
}

/* ---- reading ---- */

/* One read. Returns false if there is no more for now. */
static bool read_one(struct stream *s)
{
	struct pt_block *b = s->block;
	uint8_t *bytes;
	struct pt_msg *m = pt_msg_room(pt_pool(b), READ_SIZE, &bytes);
	if (!m)
		return true; /* the memory limit: the next turn tries again */
	ssize_t n = read(s->fd, bytes, READ_SIZE);
	int error = errno;
	if (n > 0 && n < SMALL_READ) {
		struct pt_msg *small = pt_msg_new(pt_pool(b), bytes, (size_t)n);
		if (small) {
			pt_msg_unref(m);
			m = small;
		}
	}
	if (n <= 0) {
		pt_msg_unref(m);
		if (n < 0 && (error == EAGAIN || error == EINTR))
			return false;
		if (n < 0 && error != ECONNRESET && error != EIO)
			pt_report(b, -error, "cannot read: %s", error_words(error));
		else if (n < 0 && error == ECONNRESET)
			pt_report(b, -error, "the peer has reset the connection");
		end_input(s);
		return false;
	}
	pt_msg_truncate(&m, (size_t)n);
	pt_made(b, 1);
	pt_send(b, PT_LOW, m);
	return true;
}

void stream_produce(struct stream *s, unsigned max)
{
	while (max-- && s->fd >= 0 && !s->input_ended) {
		if (!read_one(s)) {
			if (!s->input_ended && !s->always_ready && s->fd >= 0) {
				pt_ready(s->block, false);
				s->reading = true;
				watch(s);
			}
			return;
		}
	}
}

/* ---- writing ---- */

static void fail_output(struct stream *s, int error)
{
	s->output_failed = true;
	s->written = 0;
	pt_report(s->block, -error, "cannot write: %s",
	          error == EPIPE ? "the other side has closed" : error_words(error));
	pt_queue_drop(s->block, &s->queue, "closed");
	end_input(s);
}

static ssize_t write_parts(const struct stream *s, struct iovec *parts, unsigned count)
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
	return n < 0 && errno == ENOTSOCK ? writev(s->fd, parts, (int)count) : n;
}

/* Writes the queue as far as it goes. */
static void flush(struct stream *s)
{
	while (s->queue.head && s->fd >= 0 && !s->output_failed) {
		struct iovec parts[VECTOR];
		unsigned count = 0;
		for (struct pt_msg *m = s->queue.head; m && count < VECTOR; m = m->next) {
			size_t skip = count ? 0 : s->written;
			parts[count++] = (struct iovec){(void *)((uintptr_t)m->bytes + skip),
			                                m->length - skip};
		}
		ssize_t n = write_parts(s, parts, count);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			s->writing = true;
			watch(s);
			return;
		}
		if (n < 0) {
			fail_output(s, errno);
			return;
		}
		s->written += (size_t)n;
		for (enum pt_canal canal; s->queue.head && s->written >= s->queue.head->length;) {
			s->written -= s->queue.head->length;
			pt_done(s->block, pt_queue_take(s->block, &s->queue, &canal, s->limit));
		}
	}
}

/* Writes a vector that nothing waits before; returns how many messages went out whole. */
static unsigned write_vector(struct stream *s, struct pt_msg **messages, unsigned count)
{
	struct iovec parts[VECTOR];
	for (unsigned i = 0; i < count; i++)
		parts[i] =
			(struct iovec){(void *)(uintptr_t)messages[i]->bytes, messages[i]->length};
	ssize_t n;
	do
		n = write_parts(s, parts, count);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		fail_output(s, errno);
		return 0;
	}
	size_t left = n > 0 ? (size_t)n : 0;
	unsigned done = 0;
	while (done < count && left >= messages[done]->length)
		left -= messages[done++]->length;
	s->written = left;
	return done;
}

void stream_push(struct stream *s, struct pt_msg **messages, unsigned count)
{
	unsigned done = 0;
	if (s->fd >= 0 && !s->queue.head && !s->output_failed)
		done = write_vector(s, messages, count);
	for (unsigned i = 0; i < count; i++) {
		if (i < done)
			pt_done(s->block, messages[i]);
		else if (s->output_failed)
			pt_drop(s->block, messages[i], "closed");
		else
			pt_queue_add(s->block, &s->queue, PT_LOW, messages[i], s->limit, PT_BLOCK);
	}
	if (s->queue.head && s->fd >= 0 && !s->writing && !s->output_failed) {
		s->writing = true;
		watch(s);
		if (s->always_ready)
			flush(s);
	}
}

/* ---- the end ---- */

void stream_stop(struct stream *s)
{
	enum pt_canal canal;
	struct buf rest = BUF_INIT;
	flush(s);
	if (s->fd < 0 || s->output_failed)
		pt_queue_drop(s->block, &s->queue, "unsent");
	for (struct pt_msg *m; (m = pt_queue_take(s->block, &s->queue, &canal, s->limit));) {
		buf_add(&rest, m->bytes + s->written, m->length - s->written);
		s->written = 0;
		pt_done(s->block, m);
	}
	s->rest_length = rest.length;
	s->rest = (uint8_t *)buf_steal(&rest);
	s->reading = s->writing = false;
}

static int write_rest(struct stream *s, struct pt_error *err)
{
	size_t done = 0;
	while (done < s->rest_length) {
		struct iovec part = {s->rest + done, s->rest_length - done};
		ssize_t n = write_parts(s, &part, 1);
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		struct pollfd wait = {s->slot, POLLOUT, 0};
		if (errno == EINTR || (errno == EAGAIN && poll(&wait, 1, REST_MS) > 0))
			continue;
		return pt_fail(err, errno == EAGAIN ? -ETIMEDOUT : -errno, NULL,
		               "%zu bytes could not be written: %s", s->rest_length - done,
		               errno == EAGAIN ? "the other side does not read"
		                               : error_words(errno));
	}
	return 0;
}

int stream_close(struct stream *s, struct pt_error *err)
{
	int rc = s->rest_length && s->fd >= 0 ? write_rest(s, err) : 0;
	free(s->rest);
	s->rest = NULL;
	s->rest_length = 0;
	if (s->slot >= 0 || s->fd >= 0)
		close(s->slot >= 0 ? s->slot : s->fd);
	s->slot = s->fd = -1;
	s->written = 0;
	return rc;
}

void stream_fini(struct stream *s)
{
	pt_queue_clear(&s->queue);
	free(s->rest);
}
