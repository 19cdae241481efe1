/* SPDX-License-Identifier: BSD-2-Clause */
/* recvmmsg and sendmmsg in the engine's turns. */
#include "net/datagram.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VECTOR  64
#define AT_ONCE 16 /* datagrams of a read: each may have 64 KiB */

void datagram_init(struct datagram *d, struct pt_block *b, uint64_t limit,
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

static bool is_full(int error)
{
	return error == EAGAIN || error == ENOBUFS;
}

/* The peer's port was closed when something was sent before: that is told, not the message's fault. */
static bool is_of_earlier(int error)
{
	return error == ECONNREFUSED || error == EINTR;
}

static void report(struct datagram *d, int error)
{
	pt_report(d->block, -error, "cannot send: %s", error_words(error));
}

/* Sends from the vector until the socket is full; returns how many are dealt with. */
static unsigned send_some(struct datagram *d, struct pt_msg *const *messages, unsigned count)
{
	unsigned done = 0;
	bool again = true;
	while (done < count) {
		int error;
		unsigned sent = send_vector(d, messages + done, count - done, &error);
		for (unsigned i = 0; i < sent; i++)
			pt_done(d->block, messages[done++]);
		if (sent || !error)
			continue;
		if (is_full(error))
			break;
		if (error != EINTR)
			report(d, error);
		if (is_of_earlier(error) && again) {
			again = false;
			continue;
		}
		pt_drop(d->block, messages[done++], "unsent");
	}
	return done;
}

static void flush(struct datagram *d)
{
	while (d->queue.head && d->has_peer) {
		struct pt_msg *m = d->queue.head;
		int error;
		unsigned sent = send_vector(d, &m, 1, &error);
		if (!sent && is_full(error)) {
			d->writing = true;
			return;
		}
		enum pt_canal canal;
		pt_queue_take(d->block, &d->queue, &canal, d->limit);
		if (sent || is_of_earlier(error)) {
			pt_done(d->block, m);
		} else {
			report(d, error);
			pt_drop(d->block, m, "unsent");
		}
	}
}

void datagram_push(struct datagram *d, struct pt_msg **messages, unsigned count)
{
	unsigned done = d->has_peer && !d->queue.head ? send_some(d, messages, count) : 0;
	for (unsigned i = done; i < count; i++)
		pt_queue_add(d->block, &d->queue, PT_LOW, messages[i], d->limit, PT_BLOCK);
	if (d->queue.head && d->has_peer && !d->writing) {
		d->writing = true;
		watch(d);
	}
}

void datagram_has_peer(struct datagram *d)
{
	d->has_peer = true;
	flush(d);
	watch(d);
}

/* ---- receiving ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct datagram *d = (struct datagram *)((char *)poll - offsetof(struct datagram, poll));
	if (status < 0 || events & UV_READABLE) {
		d->reading = false;
		pt_ready(d->block, true);
	}
	if (events & UV_WRITABLE) {
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
		pt_report(b, -errno, "the peer cannot be reached: %s", error_words(errno));
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
	d->reading = d->writing = false;
	if (uv_poll_init(pt_loop(d->block), &d->poll, d->fd)) {
		pt_failed(d->block, -EMFILE, "cannot watch the socket");
		return;
	}
	pt_adopt(d->block, (uv_handle_t *)&d->poll);
	d->reading = true;
	flush(d);
	watch(d);
}

void datagram_stop(struct datagram *d)
{
	flush(d);
	pt_queue_drop(d->block, &d->queue, "unsent");
}

void datagram_close(struct datagram *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	free(d->buffers);
	d->buffers = NULL;
}

void datagram_fini(struct datagram *d)
{
	pt_queue_clear(&d->queue);
}
