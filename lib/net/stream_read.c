/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes in: reads in the engine's turns, and cuts messages out of what came. */
#include "net/stream.h"

#include "base/error.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE  (64 * 1024)
#define READ_MOST  (1024 * 1024) /* in one turn */
#define SMALL_READ 2048          /* below this a copy is cheaper than the memory that it pins */
#define VECTOR     64

/* What came at once goes on at once. */
struct batch {
	struct pt_msg *messages[VECTOR];
	unsigned count;
};

static void end_input(struct stream *s)
{
	s->input_ended = true;
	s->reading = false;
	stream_set_ready(s, false);
	stream_watch(s);
	s->ended(s->block);
}

static void tell_read_error(struct stream *s, int error)
{
	if (error == ECONNRESET || error == ETIMEDOUT)
		pt_report(s->block, -error, "the connection is lost: %s", error_words(error));
	else if (error != EIO || !isatty(s->fd)) /* so a terminal tells that it hung up */
		pt_report(s->block, -error, "cannot read: %s", error_words(error));
}

static ssize_t receive(struct stream *s, uint8_t *bytes)
{
	ssize_t n;
	if (s->who && ((n = stream_receive_kept(s, bytes)) >= 0 || s->who))
		return n;
	do
		n = s->is_socket ? recv(s->fd, bytes, READ_SIZE, MSG_DONTWAIT)
		                 : read(s->fd, bytes, READ_SIZE);
	while (n < 0 && errno == EINTR);
	return n;
}

/* A few bytes shall not pin the whole room that was made for them. */
static struct pt_msg *cut_to(struct stream *s, struct pt_msg *m, size_t length)
{
	struct pt_msg *small =
		length < SMALL_READ ? pt_msg_new(pt_pool(s->block), m->bytes, length) : NULL;
	if (small) {
		pt_msg_unref(m);
		return small;
	}
	pt_msg_truncate(&m, length);
	return m;
}

/* One read: the bytes that came, -EAGAIN where there are none for now, or -EPIPE at the end. */
static ssize_t read_one(struct stream *s)
{
	uint8_t *bytes;
	struct pt_msg *m = pt_msg_room(pt_pool(s->block), READ_SIZE, &bytes);
	if (!m)
		return -EAGAIN; /* the memory limit: poll will say so again */
	ssize_t n = receive(s, bytes);
	int error = errno;
	if (n > 0 || (n == 0 && s->may_be_empty)) {
		pt_made(s->block, 1);
		m = cut_to(s, m, (size_t)n);
		pt_msg_set_origin(m, s->origin);
		stream_send(s, &m, 1);
		return n;
	}
	pt_msg_unref(m);
	if (n < 0 && (error == EAGAIN || error == ENOBUFS))
		return -error;
	if (n < 0)
		tell_read_error(s, error);
	end_input(s);
	return -EPIPE;
}

static void send_batch(struct stream *s, struct batch *batch)
{
	unsigned count = batch->count;
	batch->count = 0;
	if (!count)
		return;
	pt_made(s->block, count);
	stream_send(s, batch->messages, count);
}

static void add_frame(struct stream *s, struct batch *batch, const uint8_t *bytes, size_t length)
{
	struct pt_msg *m = pt_msg_new(pt_pool(s->block), bytes, length);
	if (!m) {
		pt_lost(s->block, 1, "memory");
		return;
	}
	pt_msg_set_origin(m, s->origin);
	batch->messages[batch->count++] = m;
	if (batch->count == VECTOR)
		send_batch(s, batch);
}

static void end_frames(struct stream *s)
{
	struct batch batch = {.count = 0};
	const uint8_t *bytes;
	size_t length;
	if (frames_last(&s->frames, &bytes, &length)) {
		add_frame(s, &batch, bytes, length);
		send_batch(s, &batch);
	} else if (length) {
		pt_report(s->block, -EPROTO,
		          "the end came in the middle of a message: %zu bytes of it are lost",
		          length);
		pt_lost(s->block, 1, "truncated");
	}
	end_input(s);
}

static ssize_t read_bytes(struct stream *s)
{
	ssize_t n = receive(s, frames_room(&s->frames, READ_SIZE));
	int error = errno;
	if (n > 0)
		frames_came(&s->frames, (size_t)n);
	if (n > 0 || (n < 0 && (error == EAGAIN || error == ENOBUFS)))
		return n > 0 ? n : -error;
	if (n < 0)
		tell_read_error(s, error);
	end_frames(s);
	return -EPIPE;
}

static bool may_read(const struct stream *s)
{
	return s->fd >= 0 && !s->input_ended && !s->held;
}

/* A frame, or bytes for the next: how many. What came before is sent before more is waited for. */
static ssize_t read_frame(struct stream *s, struct batch *batch)
{
	const uint8_t *bytes;
	size_t length;
	int rc = frames_next(&s->frames, &bytes, &length);
	if (rc == 0) {
		send_batch(s, batch);
		return may_read(s) ? read_bytes(s) : 0;
	}
	if (rc > 0) {
		add_frame(s, batch, bytes, length);
		return (ssize_t)length;
	}
	pt_report(s->block, rc,
	          "a message that came is longer than the limit of its framing, %llu bytes, and is "
	          "left out",
	          (unsigned long long)s->framing->limit);
	pt_lost(s->block, 1, "too-long");
	return 0;
}

static bool is_framed(const struct stream *s)
{
	return framing_is_some(s->framing) || !frames_are_empty(&s->frames);
}

void stream_produce(struct stream *s, unsigned max)
{
	struct batch batch = {.count = 0};
	ssize_t n = 0;
	s = stream_left(s);
	for (size_t sum = 0; max-- && sum < READ_MOST && may_read(s); sum += (size_t)n) {
		n = is_framed(s) ? read_frame(s, &batch) : read_one(s);
		if (n < 0)
			break;
	}
	send_batch(s, &batch);
	stream_came_on(s);
	if (s->held || n == -ENOBUFS) {
		stream_set_ready(s, false);
		stream_wait(s);
	} else if (n == -EAGAIN && !s->always_ready && !stream_has_left(s)) {
		stream_set_ready(s, false);
		s->reading = true;
		stream_watch(s);
	}
}
