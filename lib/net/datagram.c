/* SPDX-License-Identifier: BSD-2-Clause */
/* recvmmsg and sendmmsg in the engine's turns. */
#include "net/datagram.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VECTOR  64
#define AT_ONCE 16 /* datagrams of a read: each may have 64 KiB */

void datagram_init(struct datagram *d, struct pt_block *b, const uint64_t *limit,
                   void (*received)(struct pt_block *, struct pt_msg *,
                                    const struct sockaddr_storage *, socklen_t))
{
	d->block = b;
	d->fd = -1;
	d->limit = limit;
	d->received = received;
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct datagram *d)
{
	int events = (d->reading ? UV_READABLE : 0) | (d->writing ? UV_WRITABLE : 0);
	if (events)
		uv_poll_start(&d->poll, events, on_event);
	else
		uv_poll_stop(&d->poll);
}

/* ---- sending ---- */

/* Sends as many as go; `error` is that of the first that does not. */
static unsigned send_vector(struct datagram *d, struct pt_msg *const *messages, unsigned count,
                            int *error)
{
	struct mmsghdr headers[VECTOR] = {0};
	struct iovec parts[VECTOR];
	for (unsigned i = 0; i < count; i++) {
		parts[i] =
			(struct iovec){(void *)(uintptr_t)messages[i]->bytes, messages[i]->length};
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
		if (d->peer_length) {
			headers[i].msg_hdr.msg_name = &d->peer;
			headers[i].msg_hdr.msg_namelen = d->peer_length;
		}
	}
	int sent = sendmmsg(d->fd, headers, count, MSG_NOSIGNAL);
	*error = sent < 0 ? errno : 0;
	return sent > 0 ? (unsigned)sent : 0;
}

/* Not a word of the kernel's about one message, or that it has no room. */
static bool is_of_socket(int error)
{
	return error != EMSGSIZE && error != EPERM && error != EACCES && error != ENOMEM;
}

static void tell(struct datagram *d, int error, const char *what)
{
	if (d->failed && is_of_socket(error))
		d->failed(d->block, -error, what);
	else
		pt_report(d->block, -error, "%s: %s", what, error_words(error));
}

/* What became of the first messages: sent, or the first one dropped; none: the socket is full. */
struct fate {
	unsigned count;
	const char *why;
};

static void tell_unsent(struct datagram *d, const struct pt_msg *m, int error)
{
	char *what = must_printf("cannot send %u bytes", m->length);
	tell(d, error, what);
	free(what);
}

/* ECONNREFUSED: what was sent before found nobody at the peer's port, which is told only now and is
   not this message's fault. */
static struct fate try_to_send(struct datagram *d, struct pt_msg *const *messages, unsigned count)
{
	for (int refused = 0;; refused++) {
		int error;
		unsigned sent = send_vector(d, messages, count, &error);
		if (sent)
			return (struct fate){.count = sent};
		if (error == EAGAIN || error == ENOBUFS)
			return (struct fate){.count = 0};
		if (error == EINTR)
			continue;
		tell_unsent(d, messages[0], error);
		if (error != ECONNREFUSED || refused)
			return (struct fate){.count = 1,
			                     .why = error == EMSGSIZE ? "too-long" : "unsent"};
	}
}

static void finish(struct datagram *d, struct pt_msg *m, const char *why)
{
	if (why)
		pt_drop(d->block, m, why);
	else
		pt_done(d->block, m);
}

static struct pt_msg *take(struct datagram *d)
{
	enum pt_canal canal;
	return pt_queue_take(d->block, &d->queue, &canal, *d->limit);
}

/* What waits, as far as it goes. */
static void flush(struct datagram *d)
{
	while (d->queue.head && d->has_peer) {
		struct pt_msg *messages[VECTOR];
		unsigned count = 0;
		for (struct pt_msg *m = d->queue.head; m && count < VECTOR; m = m->next)
			messages[count++] = m;
		struct fate fate = try_to_send(d, messages, count);
		if (!fate.count) {
			d->writing = true;
			return;
		}
		while (fate.count--)
			finish(d, take(d), fate.why);
	}
}

static void hold(struct datagram *d, struct pt_msg *m)
{
	pt_queue_add(d->block, &d->queue, PT_LOW, m, *d->limit + PT_OVERRUN, PT_DROP_NEWEST);
	if (d->queue.bytes >= *d->limit)
		pt_full(d->block, true);
}

void datagram_push(struct datagram *d, struct pt_msg **messages, unsigned count)
{
	unsigned done = 0;
	while (done < count && d->has_peer && !d->queue.head && !d->stopped) {
		struct fate fate = try_to_send(d, messages + done, count - done);
		if (!fate.count)
			break;
		while (fate.count--)
			finish(d, messages[done++], fate.why);
	}
	for (; done < count; done++)
		if (d->stopped)
			pt_drop(d->block, messages[done], "stopped");
		else
			hold(d, messages[done]);
	if (d->queue.head && d->has_peer && !d->writing) {
		d->writing = true;
		watch(d);
	}
}

void datagram_has_peer(struct datagram *d)
{
	d->has_peer = true;
	pt_carry_changed(d->block);
	flush(d);
	watch(d);
}

/* ---- receiving ---- */

/* An error shows in whatever is tried next. */
static void on_event(uv_poll_t *poll, int status, int events)
{
	struct datagram *d = (struct datagram *)((char *)poll - offsetof(struct datagram, poll));
	if (status < 0 || events & UV_READABLE) {
		d->reading = false;
		pt_ready(d->block, true);
	}
	if (status < 0 || events & UV_WRITABLE) {
		d->writing = false;
		flush(d);
	}
	watch(d);
}

static int receive(struct datagram *d, struct mmsghdr *headers, struct sockaddr_storage *from,
                   unsigned count)
{
	struct iovec parts[AT_ONCE];
	for (unsigned i = 0; i < count; i++) {
		parts[i] = (struct iovec){d->buffers + i * (size_t)DATAGRAM_MAX, DATAGRAM_MAX};
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
		                                     .msg_iovlen = 1,
		                                     .msg_name = &from[i],
		                                     .msg_namelen = sizeof from[i]};
	}
	return recvmmsg(d->fd, headers, count, MSG_DONTWAIT, NULL);
}

void datagram_produce(struct datagram *d, unsigned max)
{
	struct mmsghdr headers[AT_ONCE];
	struct sockaddr_storage from[AT_ONCE];
	struct pt_block *b = d->block;
	int n = receive(d, headers, from, max < AT_ONCE ? max : AT_ONCE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		pt_ready(b, false);
		d->reading = true;
		watch(d);
		return;
	}
	if (n < 0) /* told by ICMP: nobody listens at the peer's port; it may later */
		tell(d, errno, "the peer cannot be reached");
	for (int i = 0; i < n; i++) {
		struct pt_msg *m = pt_msg_new(pt_pool(b), d->buffers + (size_t)i * DATAGRAM_MAX,
		                              headers[i].msg_len);
		if (m) {
			pt_made(b, 1);
			d->received(b, m, &from[i], headers[i].msg_hdr.msg_namelen);
		} else {
			pt_lost(b, 1, "memory");
		}
	}
}

/* ---- life ---- */

void datagram_start(struct datagram *d)
{
	d->buffers = must_calloc(AT_ONCE, DATAGRAM_MAX);
	d->reading = d->writing = d->stopped = false;
	if (uv_poll_init(pt_loop(d->block), &d->poll, d->fd)) {
		pt_failed(d->block, -EMFILE, "cannot watch the socket");
		return;
	}
	pt_adopt(d->block, (uv_handle_t *)&d->poll);
	d->reading = true;
	pt_queue_carried(d->block, &d->queue);
	pt_full(d->block, d->queue.bytes >= *d->limit);
	flush(d);
	watch(d);
}

void datagram_take_over(struct datagram *d, struct datagram *old)
{
	d->fd = old->fd;
	d->peer = old->peer;
	d->peer_length = old->peer_length;
	d->has_peer = old->has_peer;
	d->queue = old->queue;
	d->lost = old->lost;
	old->fd = -1;
	old->queue = (struct pt_queue){0};
}

void datagram_carry(struct datagram *d, struct pt_carry *carry)
{
	if (d->peer_length)
		pt_carry_bytes(carry, "peer", &d->peer, d->peer_length);
	datagram_refresh(d);
	pt_carry_bytes(carry, "lost", &d->lost, sizeof d->lost);
	if (pt_carry_to(carry) == PT_AT_END && d->has_peer)
		flush(d);
	pt_queue_carry(d->block, &d->queue, carry);
}

void datagram_carried(struct datagram *d)
{
	size_t length;
	const void *lost = pt_carried_bytes(d->block, "lost", &length);
	if (lost && length == sizeof d->lost)
		memcpy(&d->lost, lost, length);
	const void *peer = pt_carried_bytes(d->block, "peer", &length);
	if (!peer || length > sizeof d->peer)
		return;
	memcpy(&d->peer, peer, length);
	d->peer_length = (socklen_t)length;
	d->has_peer = true;
}

void datagram_refresh(struct datagram *d)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t length = sizeof info;
	if (d->fd < 0 || getsockopt(d->fd, SOL_SOCKET, SO_MEMINFO, info, &length))
		return;
	uint32_t more = info[SK_MEMINFO_DROPS] - d->lost;
	d->lost = info[SK_MEMINFO_DROPS];
	if (more)
		pt_lost(d->block, more, "kernel");
}

void datagram_stop(struct datagram *d)
{
	datagram_refresh(d);
	flush(d);
	pt_queue_drop(d->block, &d->queue, "unsent");
	d->stopped = true;
}

void datagram_close(struct datagram *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->lost = 0;
	free(d->buffers);
	d->buffers = NULL;
}

void datagram_fini(struct datagram *d)
{
	pt_queue_clear(&d->queue);
}
