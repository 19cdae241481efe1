/* SPDX-License-Identifier: BSD-2-Clause */
/* Non-blocking reads in the engine's turns, and writes as soon as the descriptor takes them. */
#include "net/stream.h"

#include "base/buf.h"
#include "base/error.h"
#include "net/address.h"
#include "net/linger.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE  (64 * 1024)
#define READ_MOST  (1024 * 1024) /* in one turn */
#define SMALL_READ 2048          /* below this a copy is cheaper than the memory that it pins */
#define VECTOR     64

void stream_init(struct stream *s, struct pt_block *b, const uint64_t *limit,
                 void (*ended)(struct pt_block *))
{
	s->block = b;
	s->limit = limit;
	s->ended = ended;
	s->fd = s->slot = -1;
}

static void set_ready(struct stream *s, bool ready)
{
	s->ready = ready;
	for (unsigned i = 0; i < s->fellow_count && !ready; i++)
		ready = s->fellows[i].ready;
	pt_ready(s->block, ready);
}

static void set_full(struct stream *s, bool full)
{
	s->full = full;
	for (unsigned i = 0; i < s->fellow_count && !full; i++)
		full = s->fellows[i].full;
	pt_full(s->block, full);
}

static void drop_queue(struct stream *s, const char *why)
{
	pt_queue_drop(s->block, &s->queue, why);
	set_full(s, false);
}

void stream_limit_changed(struct stream *s)
{
	set_full(s, s->queue.bytes >= *s->limit);
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
	int events = (s->reading ? UV_READABLE : 0) | (s->writing ? UV_WRITABLE : 0) |
	             (s->gone && !s->output_failed ? UV_DISCONNECT : 0);
	if (events)
		uv_poll_start(&s->poll, events, on_event);
	else
		uv_poll_stop(&s->poll);
}

static void flush(struct stream *s);
static void fail_output(struct stream *s, int error);

/* An error shows in whatever is tried next. */
static void on_event(uv_poll_t *poll, int status, int events)
{
	struct stream *s = of(poll);
	if (s->gone && (status < 0 || events & UV_DISCONNECT) && !s->output_failed)
		fail_output(s, EPIPE);
	if ((status < 0 || events & UV_READABLE) && !s->input_ended) {
		s->reading = false;
		set_ready(s, true);
	}
	if (status < 0 || events & UV_WRITABLE) {
		s->writing = false;
		flush(s);
	}
	watch(s);
}

/* ---- beginning and ending ---- */

static void look_at(struct stream *s, int fd)
{
	struct stat st = {0};
	int type = SOCK_STREAM, access = fcntl(fd, F_GETFL) & O_ACCMODE;
	socklen_t length = sizeof type;
	fstat(fd, &st);
	s->is_socket = S_ISSOCK(st.st_mode);
	if (s->is_socket)
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	s->may_be_empty = s->is_socket && type == SOCK_DGRAM;
	s->has_borders = s->is_socket ? type != SOCK_STREAM : S_ISCHR(st.st_mode) && !isatty(fd);
	s->input_ended = access == O_WRONLY;
	s->output_failed = s->read_only = access == O_RDONLY;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* poll knows a descriptor by its number. */
static void take_slot(struct stream *s, int fd)
{
	if (s->slot < 0) {
		s->slot = fd;
		s->always_ready = uv_poll_init(pt_loop(s->block), &s->poll, fd) != 0;
		if (!s->always_ready)
			pt_adopt(s->block, (uv_handle_t *)&s->poll);
	} else {
		int rc = dup3(fd, s->slot, O_CLOEXEC);
		assert(rc >= 0);
		close(fd);
	}
	s->fd = s->slot;
}

/* ---- a peer that has vanished ---- */

static void check_later(struct stream *s)
{
	uint64_t quarter_ns = (uint64_t)(*s->keepalive_s * 1e9 / 4);
	pt_timer_at(s->block, &s->timer, pt_now(s->block) + quarter_ns, s->check);
}

static void watch_peer(struct stream *s)
{
	s->suspect = false;
	if (!s->check || !s->is_socket)
		return;
	address_keepalive(s->fd, *s->keepalive_s);
	if (*s->keepalive_s > 0)
		check_later(s);
}

/* A peer that does not read answers each probe, and these come ever more seldom: such a one may
   take its time. */
static bool is_silent(const struct stream *s)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	return getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	       (info.tcpi_unacked || info.tcpi_probes > 1) &&
	       info.tcpi_last_ack_recv >= *s->keepalive_s * 1e3;
}

void stream_cut(struct stream *s)
{
	if (s->fd >= 0 && s->is_socket)
		shutdown(s->fd, SHUT_RDWR);
}

void stream_check(struct stream *s)
{
	bool silent = s->fd >= 0 && is_silent(s), before = s->suspect;
	s->suspect = silent;
	if (s->fd < 0)
		return;
	if (silent && before) {
		pt_report(s->block, -ETIMEDOUT,
		          "the peer has not answered for %g s: the "
		          "connection is cut",
		          *s->keepalive_s);
		stream_cut(s);
	} else {
		check_later(s);
	}
}

/* What comes all the same was sent behind the end. */
static void end_if_written(struct stream *s)
{
	if (!s->ending || s->fd < 0 || s->queue.head || s->output_failed)
		return;
	s->output_failed = true;
	if (s->is_socket)
		shutdown(s->fd, SHUT_WR);
}

void stream_end(struct stream *s)
{
	s->ending = true;
	end_if_written(s);
}

static void run(struct stream *s)
{
	watch_peer(s);
	s->reading = !s->always_ready && !s->input_ended;
	if (s->input_ended && !s->gone)
		s->ended(s->block);
	else if (s->always_ready || !frames_are_empty(&s->frames))
		set_ready(s, true);
	flush(s);
	watch(s);
}

void stream_begin(struct stream *s, int fd)
{
	assert(s->fd < 0);
	look_at(s, fd);
	set_nonblocking(fd);
	take_slot(s, fd);
	s->finishing = false;
	s->written = 0;
	s->frames.framing = s->framing;
	frames_clear(&s->frames);
	pt_queue_begun(&s->queue, 0);
	run(s);
	pt_carry_changed(s->block);
}

void stream_goes_on(struct stream *s, const char *key)
{
	if (!framing_is_some(s->framing))
		return;
	if (!frames_carried(&s->frames, s->block, key)) {
		pt_report(s->block, -ESTALE,
		          "the daemon has ended in the middle of a message, whose end cannot be "
		          "found: the connection is cut");
		stream_cut(s);
	} else if (!frames_are_empty(&s->frames)) {
		set_ready(s, true);
	}
}

static void go_on(struct stream *s)
{
	s->taken_over = false;
	s->frames.framing = s->framing;
	take_slot(s, s->fd);
	run(s);
}

void stream_take_over(struct stream *s, struct stream *old)
{
	s->queue = old->queue;
	old->queue = (struct pt_queue){0};
	s->taken_over = old->fd >= 0;
	if (!s->taken_over)
		return;
	s->frames = old->frames;
	old->frames = (struct frames){.framing = NULL};
	s->fd = old->fd;
	s->written = old->written;
	s->is_socket = old->is_socket;
	s->has_borders = old->has_borders;
	s->may_be_empty = old->may_be_empty;
	s->input_ended = old->input_ended;
	s->output_failed = old->output_failed;
	s->read_only = old->read_only;
	s->finishing = old->finishing;
	old->fd = old->slot = -1;
	old->written = 0;
}

/* Of several, after a crash none goes on: messages that wait may be cut in two. */
static bool may_carry(const struct stream *s, enum pt_carry_to to)
{
	if (stream_is_over(s))
		return false;
	return !s->fellow_count || to == PT_TO_SUCCESSOR || (to == PT_AT_END && !s->queue.head);
}

bool stream_carry(struct stream *s, struct pt_carry *carry, const char *key)
{
	bool at_end = pt_carry_to(carry) == PT_AT_END;
	if (at_end)
		flush(s);
	bool carries = may_carry(s, pt_carry_to(carry));
	if (carries) {
		pt_carry_fd(carry, key, s->fd);
		frames_carry(&s->frames, carry, key);
		s->carried = at_end;
	}
	if (s->fellow_count ? s->fd < 0 && s->queue.head : s->fd < 0 || carries)
		pt_queue_carry(s->block, &s->queue, carry);
	return carries;
}

bool stream_is_over(const struct stream *s)
{
	return s->fd < 0 || (s->input_ended && s->output_failed);
}

void stream_start(struct stream *s)
{
	s->stopped = s->carried = false;
	pt_queue_carried(s->block, &s->queue);
	stream_limit_changed(s);
	if (s->taken_over) {
		go_on(s);
		return;
	}
	s->finishing = s->output_failed = s->read_only = s->ending = false;
	s->written = 0;
}

void stream_detach(struct stream *s)
{
	if (s->fd < 0)
		return;
	if (s->keeps && s->output_failed && !s->queue.head) /* what comes next was not ended */
		s->ending = false;
	s->reading = s->writing = s->finishing = s->output_failed = false;
	pt_timer_stop(s->block, &s->timer);
	if (!s->always_ready)
		uv_poll_stop(&s->poll);
	set_ready(s, false);
	if (s->is_socket) /* somebody else may have a copy */
		shutdown(s->slot, SHUT_RDWR);
	pt_carry_changed(s->block);
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

static void detach_if_finished(struct stream *s)
{
	if (s->finishing && (!s->queue.head || s->output_failed))
		stream_detach(s);
}

void stream_finish(struct stream *s)
{
	s->finishing = true;
	flush(s);
	detach_if_finished(s);
}

static void end_input(struct stream *s)
{
	s->input_ended = true;
	s->reading = false;
	set_ready(s, false);
	watch(s);
	s->ended(s->block);
}

/* ---- reading ---- */

static void tell_read_error(struct stream *s, int error)
{
	if (error == ECONNRESET || error == ETIMEDOUT)
		pt_report(s->block, -error, "the connection is lost: %s", error_words(error));
	else if (error != EIO || !isatty(s->fd)) /* so a terminal tells that it hung up */
		pt_report(s->block, -error, "cannot read: %s", error_words(error));
}

static ssize_t receive(const struct stream *s, uint8_t *bytes)
{
	ssize_t n;
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
		pt_send(s->block, PT_LOW, cut_to(s, m, (size_t)n));
		return n;
	}
	pt_msg_unref(m);
	if (n < 0 && error == EAGAIN)
		return -EAGAIN;
	if (n < 0)
		tell_read_error(s, error);
	end_input(s);
	return -EPIPE;
}

static void send_frame(struct stream *s, const uint8_t *bytes, size_t length)
{
	struct pt_msg *m = pt_msg_new(pt_pool(s->block), bytes, length);
	if (!m) {
		pt_lost(s->block, 1, "memory");
		return;
	}
	pt_made(s->block, 1);
	pt_send(s->block, PT_LOW, m);
}

static void end_frames(struct stream *s)
{
	const uint8_t *bytes;
	size_t length;
	if (frames_last(&s->frames, &bytes, &length)) {
		send_frame(s, bytes, length);
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
	if (n > 0 || (n < 0 && error == EAGAIN))
		return n > 0 ? n : -EAGAIN;
	if (n < 0)
		tell_read_error(s, error);
	end_frames(s);
	return -EPIPE;
}

/* A frame, or bytes for the next: how many. */
static ssize_t read_frame(struct stream *s)
{
	const uint8_t *bytes;
	size_t length;
	int rc = frames_next(&s->frames, &bytes, &length);
	if (rc == 0)
		return read_bytes(s);
	if (rc > 0) {
		send_frame(s, bytes, length);
		return (ssize_t)length;
	}
	pt_report(s->block, rc,
	          "a message that came is longer than framing.limit, and is left out");
	pt_lost(s->block, 1, "too-long");
	return 0;
}

static bool is_framed(const struct stream *s)
{
	return framing_is_some(s->framing) || !frames_are_empty(&s->frames);
}

void stream_produce(struct stream *s, unsigned max)
{
	ssize_t n = 0;
	for (size_t sum = 0; max-- && sum < READ_MOST && s->fd >= 0 && !s->input_ended;
	     sum += (size_t)n) {
		n = is_framed(s) ? read_frame(s) : read_one(s);
		if (n < 0)
			break;
	}
	if (n == -EAGAIN && !s->always_ready) {
		set_ready(s, false);
		s->reading = true;
		watch(s);
	}
}

/* ---- writing ---- */

static void fail_output(struct stream *s, int error)
{
	s->output_failed = true;
	s->written = 0;
	if (!s->gone || error != EPIPE)
		pt_report(s->block, -error, "cannot write: %s",
		          error == EPIPE ? "the other side has closed" : error_words(error));
	if (!s->keeps)
		drop_queue(s, s->gone ? s->gone : "unsent");
	if (s->gone)
		s->ended(s->block);
	if (!s->input_ended && !s->always_ready) { /* it will tell of the end, if it has come */
		s->reading = true;
		watch(s);
	}
}

/* Bytes written, or a negative errno. */
static ssize_t write_parts(const struct stream *s, struct iovec *parts, unsigned count)
{
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	size_t wanted = 0;
	ssize_t n;
	for (unsigned i = 0; i < count; i++)
		wanted += parts[i].iov_len;
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

static ssize_t write_queue(const struct stream *s)
{
	struct iovec parts[VECTOR];
	unsigned count = 0, most = s->has_borders ? 1 : VECTOR;
	for (const struct pt_msg *m = s->queue.head; m && count < most; m = m->next) {
		size_t skip = count ? 0 : s->written;
		parts[count++] =
			(struct iovec){(void *)((uintptr_t)m->bytes + skip), m->length - skip};
	}
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
	pt_queue_begun(&s->queue, s->written);
}

static void drop_unsent(struct stream *s, struct pt_msg *m, ssize_t code)
{
	pt_report(s->block, (int)code, "cannot write a message of %u bytes: %s", m->length,
	          error_words((int)code));
	pt_drop(s->block, m, "unsent");
}

/* Writes the queue as far as it goes. */
static void flush(struct stream *s)
{
	while (s->queue.head && s->fd >= 0 && !s->output_failed) {
		ssize_t n = write_queue(s);
		if (n == -EAGAIN) {
			s->writing = true;
			watch(s);
			return;
		}
		if (is_of_message(s, n))
			drop_unsent(s, take(s), n);
		else if (n < 0)
			fail_output(s, (int)-n);
		else if (s->written + (size_t)n >= s->queue.head->length)
			take_written(s, (size_t)n);
		else
			pt_queue_begun(&s->queue, s->written += (size_t)n);
	}
	end_if_written(s);
	detach_if_finished(s);
}

/* Writes of a vector that nothing waits before; returns how many messages are dealt with. */
static unsigned write_vector(struct stream *s, struct pt_msg **messages, unsigned count)
{
	struct iovec parts[VECTOR];
	unsigned done = 0, most = s->has_borders ? 1 : count;
	for (unsigned i = 0; i < most; i++)
		parts[i] =
			(struct iovec){(void *)(uintptr_t)messages[i]->bytes, messages[i]->length};
	ssize_t n = write_parts(s, parts, most);
	if (is_of_message(s, n)) {
		drop_unsent(s, messages[0], n);
		return 1;
	}
	if (n < 0) {
		if (n != -EAGAIN)
			fail_output(s, (int)-n);
		return 0;
	}
	size_t left = (size_t)n;
	while (done < most && left >= messages[done]->length) {
		left -= messages[done]->length;
		pt_done(s->block, messages[done++]);
	}
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

/* As they are to be written; how many are left. */
static unsigned wrap(struct stream *s, struct pt_msg **messages, unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = frames_wrap(s->framing, s->block, messages[i]);
		if (m)
			messages[kept++] = m;
	}
	return kept;
}

void stream_push(struct stream *s, struct pt_msg **messages, unsigned count)
{
	unsigned done = 0;
	if (framing_is_some(s->framing))
		count = wrap(s, messages, count);
	while (done < count && s->fd >= 0 && !s->queue.head && !s->output_failed && !s->stopped) {
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
	if (s->written)
		pt_queue_begun(&s->queue, s->written);
	if (s->written && !s->queue.head) /* half of it is out, and the rest could not be held */
		fail_output(s, ENOMEM);
	if (s->queue.head && s->fd >= 0 && !s->writing && !s->output_failed) {
		s->writing = true;
		watch(s);
		if (s->always_ready)
			flush(s);
	}
}

/* ---- the end ---- */

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

void stream_stop(struct stream *s)
{
	if (!s->carried)
		flush(s);
	if (s->fd < 0 || s->output_failed || s->has_borders)
		drop_queue(s, "unsent");
	stream_keep_rest(s);
	s->reading = s->writing = s->finishing = false;
	s->stopped = true;
}

int stream_close(struct stream *s, struct pt_error *err)
{
	int rc = s->fd < 0 || s->carried ? 0 : stream_write_rest(s, s->fd, err);
	buf_free(&s->rest);
	buf_free(&s->rest_ends);
	if (s->slot >= 0 || s->fd >= 0)
		close(s->slot >= 0 ? s->slot : s->fd);
	s->slot = s->fd = -1;
	s->written = 0;
	return rc;
}

void stream_fini(struct stream *s)
{
	pt_queue_clear(&s->queue);
	buf_free(&s->frames.bytes);
	buf_free(&s->rest);
	buf_free(&s->rest_ends);
}
