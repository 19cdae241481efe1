/* SPDX-License-Identifier: BSD-2-Clause */
/* TCPListenPipe: the first TCP connection that comes, as source and sink. */
#include <pipetool/block.h>

#include "base/error.h"
#include "net/address.h"
#include "net/stream.h"
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS 100000000u

struct tcp_listen {
	char *addr;
	int64_t port;
	bool again;
	uint64_t limit;
	double keepalive_s;
	struct stream stream;
	int listener;
	int fd; /* a peer's, from open to start: carried by an earlier daemon */
	char address[ADDRESS_TEXT];
	uv_poll_t poll;
	bool polled, shut; /* no more connections are taken */
	bool taken_over;   /* another block's socket, which is taken over */
	struct pt_timer timer;
};

static void on_connection(uv_poll_t *handle, int status, int events);

static void listen_on(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	if (t->shut) {
		listen(t->listener, SOMAXCONN);
		address_of(t->listener, false, t->address); /* a new number, if any was asked for */
	}
	t->shut = false;
	uv_poll_start(&t->poll, UV_READABLE, on_connection);
}

/* From now on the kernel refuses; a number that was asked for stays taken. */
static void stop_listening(struct tcp_listen *t)
{
	uv_poll_stop(&t->poll);
	if (!t->shut)
		shutdown(t->listener, SHUT_RDWR);
	t->shut = true;
}

static void ended(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	if (!t->again) {
		pt_exhausted(b);
		return;
	}
	stream_finish(&t->stream);
	listen_on(b);
}

static void check_peer(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	stream_check(&t->stream);
}

static void finish(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	stream_cut(&t->stream);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	t->listener = t->fd = -1;
	stream_init(&t->stream, b, &t->limit, ended);
	t->stream.keepalive_s = &t->keepalive_s;
	t->stream.check = check_peer;
	return 0;
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct tcp_listen *t = pt_state(b);
	address_carry_bound(carry, "tcp-listen", t->addr, (int)t->port, t->listener);
	stream_carry(&t->stream, carry, "tcp-peer");
}

static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	t->taken_over = address_carried(b, "tcp-listen", t->addr, (int)t->port, &t->listener);
	if (t->listener >= 0) { /* an earlier daemon's, and perhaps shut */
		t->shut = true;
		address_of(t->listener, false, t->address);
		pt_carried_fd(b, "tcp-peer", &t->fd);
	}
	if (t->taken_over)
		return 0;
	int rc = address_bind(SOCK_STREAM, t->addr, (int)t->port, &t->listener, err);
	if (rc == 0)
		address_of(t->listener, false, t->address);
	return rc;
}

/* A connection that is over for both sides makes room for the first one of the new block. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct tcp_listen *t = pt_state(b), *before = pt_state(old);
	if (!t->taken_over)
		return;
	t->listener = before->listener;
	t->shut = before->shut;
	memcpy(t->address, before->address, sizeof t->address);
	before->listener = -1;
	if (before->stream.fd < 0 || !stream_is_over(&before->stream))
		stream_take_over(&t->stream, &before->stream);
}

static void start(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	int rc = uv_poll_init(pt_loop(b), &t->poll, t->listener);
	t->polled = rc == 0;
	t->taken_over = false;
	if (rc) {
		pt_failed(b, rc, "cannot watch the listening socket: %s", error_words(rc));
		return;
	}
	pt_adopt(b, (uv_handle_t *)&t->poll);
	if ((t->stream.fd < 0 && t->fd < 0) || t->again)
		listen_on(b);
	else
		stop_listening(t);
	stream_start(&t->stream);
	if (t->fd >= 0)
		stream_begin(&t->stream, t->fd);
	t->fd = -1;
}

/* Another connection is reset at once: nobody shall wait for an answer that never comes. */
static void refuse(int fd)
{
	const struct linger reset = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
}

static void tell_peer(struct pt_block *b, const struct sockaddr_storage *peer)
{
	char text[ADDRESS_TEXT];
	address_print(peer, text);
	struct pt_msg *m = pt_msg_new(pt_pool(b), text, strlen(text));
	if (m) {
		pt_made(b, 1);
		pt_send(b, PT_HIGH, m);
	} else {
		pt_lost(b, 1, "memory");
	}
	pt_trigger(b);
}

/* Where descriptors are short the connection waits in the kernel. */
static void cannot_accept(struct pt_block *b, struct tcp_listen *t, int error)
{
	if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
		return;
	pt_report(b, -error, "cannot accept a connection: %s", error_words(error));
	uv_poll_stop(&t->poll);
	pt_timer_at(b, &t->timer, pt_now(b) + RETRY_NS, listen_on);
}

/* The peer has closed its side, and what it sent before is still being read. */
static bool is_leaving(const struct tcp_listen *t)
{
	struct pollfd peer = {t->stream.fd, POLLRDHUP, 0};
	return t->again && !t->stream.input_ended && poll(&peer, 1, 0) > 0;
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
	struct pt_block *b = handle->data;
	struct tcp_listen *t = pt_state(b);
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	if (t->stream.fd >= 0 && is_leaving(t)) { /* `ended` takes the next one, which waits */
		uv_poll_stop(handle);
		return;
	}
	int fd = accept4(t->listener, (struct sockaddr *)&peer, &length,
	                 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		cannot_accept(b, t, errno);
	} else if (t->stream.fd >= 0) {
		refuse(fd);
	} else {
		if (!t->again)
			stop_listening(t);
		address_tune(fd);
		tell_peer(b, &peer);
		stream_begin(&t->stream, fd);
	}
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct tcp_listen *t = pt_state(b);
	stream_push(&t->stream, messages, count);
}

static void changed(struct pt_block *b)
{
	const struct tcp_listen *t = pt_state(b);
	pt_queue_changed(b, &t->stream.queue, t->limit, PT_BLOCK);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct tcp_listen *t = pt_state(b);
	stream_produce(&t->stream, max);
}

static void no_more(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	stream_end(&t->stream);
}

static json_t *describe(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	char peer[ADDRESS_TEXT];
	bool connected = t->stream.fd >= 0 && address_of(t->stream.fd, true, peer);
	return json_pack("{s:s, s:b, s:s*}", "address", t->address, "connected", connected, "peer",
	                 connected ? peer : NULL);
}

static void stop(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	stream_stop(&t->stream);
}

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	if (t->listener >= 0)
		close(t->listener);
	t->listener = -1;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->shut = false;
	return stream_close(&t->stream, err);
}

static void fini(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	stream_fini(&t->stream);
}

static const struct pt_type tcp_listen_pipe = {
	.api = PT_API,
	.name = "TCPListenPipe",
	.summary = "Listens for TCP and uses the first connection as source and sink",
	.help = "When the first peer connects, its `address:port` goes out on the high exit and "
		"the "
		"block triggers; then bytes pass both ways on the low canal. What was pushed "
		"before waits for the connection. Further connections are refused. When the peer "
		"has closed its side the source is exhausted, and can still be written to. When "
		"the sources that reach it are exhausted, the peer is told of the end behind what "
		"was sent, and can still answer: `a % b` relays whole conversations. With "
		"again=True it sends what waits, closes too, and listens for the next one. `ptctl "
		"show` tells the port that 0 became, and `ptctl close` cuts the connection.",
	.picture = "     +------^------+\n"
		   "     |    +-[peer]-|->>\n"
		   "     |   /         |\n"
		   "   >-|-[addr:port]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){
			"a = TCPListenPipe('127.0.0.1', 0); c = ConsoleSink(); a > c; "
			"a >> c",
			NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_EXIT | PT_TRIGGER_EXIT,
	.outside = "wire",
	.params =
		(const struct pt_param[]){
			{"addr", "Address to listen on; every one if empty.",
                         PT_STRING(struct tcp_listen, addr), "\"\""},
			{"port", "TCP port; 0: any that is free.", PT_INT(struct tcp_listen, port),
                         "0", .max = 65535},
			{"again", "Waits for the next peer when one has closed.",
                         PT_BOOL(struct tcp_listen, again), "false"},
			{"limit", "Bytes that may wait for the peer before sources are held back.",
                         PT_SIZE(struct tcp_listen, limit), "8MiB", .flags = PT_LIVE, .min = 1,
                         .max = 1e12},
			{"keepalive",
                         "In about so many seconds a peer that has vanished is noticed, and the "
                         "connection cut; None: it is not looked for.",
                         PT_SECONDS(struct tcp_listen, keepalive_s), "60", .flags = PT_OR_NONE,
                         .max = 32767},
			{NULL}},
	.size = sizeof(struct tcp_listen),
	.init = init,
	.open = open_pipe,
	.start = start,
	.produce = produce,
	.push_many = push_many,
	.changed = changed,
	.no_more = no_more,
	.describe = describe,
	.finish = finish,
	.carry = carry,
	.take_over = take_over,
	.stop = stop,
	.close = close_pipe,
	.fini = fini,
};

PT_TYPES(tcp_listen_pipe, &tcp_listen_pipe);
