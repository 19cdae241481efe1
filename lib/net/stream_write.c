/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes out: as soon as the descriptor takes them; what cannot go yet is held. */
#include "net/stream.h"

#include "base/buf.h"
#include "base/error.h"
#include "net/linger.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define VECTOR   64
#define PARTS    256  /* of what waits, in one write */
#define MESSAGES 4096 /* likewise, if they lie behind one another */

/* What comes at once when the queue is full already: a vector of long messages. */
#define QUEUE_BEYOND ((uint64_t)8 * 1024 * 1024)

static void set_full(struct stream *s, bool full)
{
	s->full = full;
	for (unsigned i = 0; i < s->fellow_count && !full; i++)
		full = s->fellows[i].full;
	pt_full(s->block, full);
}

void stream_drop_queue(struct stream *s, const char *why)
{
	pt_queue_drop(s->block, &s->queue, why);
	set_full(s, false);
}

/* For the next daemon, where the kernel does not count it: then the message stays whole, for
   another connection. */
static void note_written(struct stream *s)
{
	if (!s->counts)
		pt_queue_begun(&s->queue, s->written);
}

void stream_limit_changed(struct stream *s)
{
	pt_queue_set_room(s->block, &s->queue, *s->limit + QUEUE_BEYOND);
	note_written(s);
	set_full(s, s->queue.bytes >= *s->limit);
}

/* What comes all the same was sent behind the end. */
void stream_say_end(struct stream *s)
{
	if (!s->ending || s->fd < 0 || s->queue.head || s->output_failed)
		return;
	s->output_failed = true;
	if (s->is_socket)
		shutdown(s->fd, SHUT_WR);
}

static void end_if_written(struct stream *s)
{
	if (s->ending && s->fd >= 0 && !s->queue.head && !stream_end_waits(s))
		stream_say_end(s);
}

void stream_end(struct stream *s)
{
	s->ending = true;
	end_if_written(s);
}

static void detach_if_finished(struct stream *s)
{
	if (s->finishing && (!s->queue.head || s->output_failed))
		stream_detach(s);
}

void stream_finish(struct stream *s)
{
	s->finishing = true;
	stream_flush(s);
	detach_if_finished(s);
}

void stream_fail_output(struct stream *s, int error)
{
	s->output_failed = true;
	s->written = 0;
	if (!s->gone || error != EPIPE)
		pt_report(s->block, -error, "cannot write: %s",
		          error == EPIPE ? "the other side has closed" : error_words(error));
	if (!s->keeps)
		stream_drop_queue(s, s->gone ? s->gone : "unsent");
	if (s->gone)
		s->ended(s->block);
	if (!s->input_ended && !s->always_ready) { /* it will tell of the end, if it has come */
		s->reading = true;
		stream_watch(s);
	}
}

/* Bytes written, or a negative errno. */
static ssize_t write_parts(struct stream *s, struct iovec *parts, unsigned count)
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	size_t wanted = 0;
	ssize_t n;
	for (unsigned i = 0; i < count; i++)
		wanted += parts[i].iov_len;
	stream_set_torn(s, true);
	do
		n = s->is_socket ? sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
		                 : writev(s->fd, parts, (int)count);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 && wanted ? -EIO : n;
}

/* The message itself is at fault, not the descriptor. */
static bool is_of_message(const struct stream *s, ssize_t code)
{
	return s->has_borders && (code == -EMSGSIZE || code == -EINVAL);
}

/* Behind those that are there; what lies behind the last of them becomes part of that. */
static unsigned add_part(struct iovec *parts, unsigned count, const struct pt_msg *m, size_t skip)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)m->bytes + skip;
	struct iovec *last = count ? &parts[count - 1] : NULL;
	if (last && (uint8_t *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += m->length;
		return count;
	}
	parts[count] = (struct iovec){bytes, m->length - skip};
	return count + 1;
}

static ssize_t write_queue(struct stream *s)
{
	struct iovec parts[PARTS];
	unsigned count = 0, most = s->has_borders ? 1 : MESSAGES;
	for (const struct pt_msg *m = s->queue.head; m && most-- && count < PARTS; m = m->next)
		count = add_part(parts, count, m, count ? 0 : s->written);
	return write_parts(s, parts, count);
}

static struct pt_msg *take(struct stream *s)
{
	enum pt_canal canal;
	struct pt_msg *m = pt_queue_take(s->block, &s->queue, &canal, *s->limit);
	if (s->full && s->queue.bytes <= *s->limit / 2)
		s->full = false;
	if (s->fellow_count) /* the others may be */
		set_full(s, s->full);
	return m;
}

static void take_written(struct stream *s, size_t length)
{
	s->written += length;
	do {
		s->written -= s->queue.head->length;
		pt_done(s->block, take(s));
	} while (!s->has_borders && s->queue.head && s->written >= s->queue.head->length);
}

static void note_stalled(struct stream *s)
{
	if (!s->stalled_ns)
		s->stalled_ns = pt_now(s->block);
}

double stream_unread_s(const struct stream *s)
{
	bool stalls = s->stalled_ns && s->queue.head && s->fd >= 0;
	return stalls ? (double)(pt_now(s->block) - s->stalled_ns) / 1e9 : 0;
}

void stream_wrote(struct stream *s, size_t length)
{
	s->stalled_ns = 0;
	if (s->written + length >= s->queue.head->length)
		take_written(s, length);
	else
		s->written += length;
	note_written(s);
}

static void drop_unsent(struct stream *s, struct pt_msg *m, ssize_t code)
{
	pt_report(s->block, (int)code, "cannot write a message of %u bytes: %s", m->length,
	          error_words((int)code));
	pt_drop(s->block, m, "unsent");
}

/* Writes the queue as far as it goes. */
void stream_flush(struct stream *s)
{
	while (s->queue.head && s->fd >= 0 && !s->output_failed) {
		ssize_t n = write_queue(s);
		if (n == -EAGAIN) {
			note_stalled(s);
			s->writing = true;
			stream_watch(s);
			return;
		}
		if (is_of_message(s, n))
			drop_unsent(s, take(s), n);
		else if (n < 0)
			stream_fail_output(s, (int)-n);
		else
			stream_wrote(s, (size_t)n);
	}
	stream_set_torn(s, s->queue.head);
	end_if_written(s);
	detach_if_finished(s);
}

/* Writes of a vector that nothing waits before; returns how many messages are dealt with. */
static unsigned write_vector(struct stream *s, struct pt_msg **messages, unsigned count)
{
	struct iovec parts[VECTOR];
	unsigned done = 0, most = s->has_borders ? 1 : count, part = 0;
	for (unsigned i = 0; i < most; i++)
		part = add_part(parts, part, messages[i], 0);
	ssize_t n = write_parts(s, parts, part);
	if (is_of_message(s, n)) {
		drop_unsent(s, messages[0], n);
		return 1;
	}
	if (n < 0) {
		if (n != -EAGAIN)
			stream_fail_output(s, (int)-n);
		return 0;
	}
	size_t left = (size_t)n;
	while (done < most && left >= messages[done]->length)
		left -= messages[done++]->length;
	pt_done_many(s->block, messages, done);
	s->written = left;
	return done;
}

static void hold(struct stream *s, struct pt_msg *m)
{
	pt_queue_add(s->block, &s->queue, PT_LOW, m, *s->limit + PT_OVERRUN, PT_DROP_NEWEST);
	if (s->queue.bytes >= *s->limit)
		set_full(s, true);
}

static void refuse(struct stream *s, struct pt_msg *m)
{
	if (s->read_only)
		pt_report(s->block, -EBADF,
		          "cannot write: the descriptor is open for reading alone");
	pt_drop(s->block, m,
	        s->stopped     ? "stopped"
	        : s->read_only ? "read-only"
	        : s->gone      ? s->gone
	                       : "unsent");
}

/* Not through the queue. */
static bool may_write_at_once(const struct stream *s)
{
	return s->fd >= 0 && !s->queue.head && !s->output_failed && !s->stopped && !s->counts;
}

static void write_soon(struct stream *s)
{
	if (!s->counts) {
		note_stalled(s);
		s->writing = true;
		stream_watch(s);
	}
	if (s->counts || s->always_ready)
		stream_flush(s);
}

void stream_push(struct stream *s, struct pt_msg **messages, unsigned count)
{
	unsigned done = 0;
	if (framing_is_some(s->framing))
		count = frames_wrap(s->framing, s->block, messages, count);
	while (done < count && may_write_at_once(s)) {
		unsigned n = write_vector(s, messages + done, count - done);
		done += n;
		if (!n || s->written)
			break;
	}
	for (; done < count; done++)
		if (s->stopped || (s->output_failed && !s->keeps))
			refuse(s, messages[done]);
		else
			hold(s, messages[done]);
	stream_set_torn(s, s->queue.head);
	if (s->written)
		note_written(s);
	if (s->written && !s->queue.head) /* half of it is out, and the rest could not be held */
		stream_fail_output(s, ENOMEM);
	if (s->queue.head && s->fd >= 0 && !s->writing && !s->output_failed)
		write_soon(s);
}

/* ---- behind the stop ---- */

void stream_keep_rest(struct stream *s)
{
	for (struct pt_msg *m; (m = take(s));) {
		buf_add(&s->rest, m->bytes + s->written, m->length - s->written);
		buf_add(&s->rest_ends, &s->rest.length, sizeof s->rest.length);
		s->written = 0;
		pt_done(s->block, m);
	}
}

static uint64_t count_unsent(const struct stream *s, size_t written)
{
	uint64_t count = 0;
	for (size_t at = s->rest_ends.length, end; at > 0; count++) {
		at -= sizeof end;
		memcpy(&end, s->rest_ends.data + at, sizeof end);
		if (end <= written)
			break;
	}
	return count;
}

int stream_write_rest(struct stream *s, int fd, struct pt_error *err)
{
	size_t written = 0;
	int rc = fd < 0 ? -PT_EIO
	                : linger(fd, (const uint8_t *)s->rest.data, s->rest.length, &written, err);
	uint64_t unsent = rc ? count_unsent(s, written) : 0;
	if (unsent)
		pt_undone(s->block, unsent, "unsent");
	return rc;
}
