/* SPDX-License-Identifier: BSD-2-Clause */
/* TCPListenPipe: the first TCP connection that comes, as source and sink. */
#include <pipetool/block.h>

#include "base/error.h"
#include "net/address.h"
#include "net/stream.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct tcp_listen {
	char *addr;
	int64_t port;
	bool again;
	uint64_t limit;
	struct stream stream;
	int listener; /* -1: a connection came, and no other will */
	uv_poll_t poll;
	bool listening, connected;
};

static void on_connection(uv_poll_t *poll, int status, int events);

static void ended(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	t->connected = false;
	if (t->again)
		stream_detach(&t->stream);
	else
		pt_exhausted(b);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	t->listener = -1;
	stream_init(&t->stream, b, t->limit, ended);
	return 0;
}

static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	return address_bind(SOCK_STREAM, t->addr, (int)t->port, &t->listener, err);
}

static void start(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	t->connected = false;
	if (uv_poll_init(pt_loop(b), &t->poll, t->listener)) {
		pt_failed(b, -EMFILE, "cannot watch the listening socket");
		return;
	}
	pt_adopt(b, (uv_handle_t *)&t->poll);
	uv_poll_start(&t->poll, UV_READABLE, on_connection);
}

/* A second connection is reset at once: nobody shall wait for an answer that never comes. */
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

static void stop_listening(struct tcp_listen *t)
{
	uv_poll_stop(&t->poll);
	shutdown(t->listener,
	         SHUT_RDWR); /* from now on the kernel refuses; the number stays taken */
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct pt_block *b = poll->data;
	struct tcp_listen *t = pt_state(b);
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	int fd = accept4(t->listener, (struct sockaddr *)&peer, &length,
	                 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pt_report(b, -errno, "cannot accept a connection: %s", error_words(errno));
		return;
	}
	if (t->connected) {
		refuse(fd);
		return;
	}
	t->connected = true;
	if (!t->again)
		stop_listening(t);
	tell_peer(b, &peer);
	stream_begin(&t->stream, fd);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct tcp_listen *t = pt_state(b);
	stream_push(&t->stream, messages, count);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct tcp_listen *t = pt_state(b);
	stream_produce(&t->stream, max);
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
                "the block "
		"triggers; then bytes pass both ways on the low canal. What was pushed before "
                "waits for "
		"the connection. Further connections are refused. When the peer has closed, the "
                "source "
		"is exhausted, or with again=True waits for the next one.",
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
                         PT_SIZE(struct tcp_listen, limit), "8MiB", .min = 1, .max = 1e12},
			{NULL}},
	.size = sizeof(struct tcp_listen),
	.init = init,
	.open = open_pipe,
	.start = start,
	.produce = produce,
	.push_many = push_many,
	.stop = stop,
	.close = close_pipe,
	.fini = fini,
};

PT_TYPES(tcp_listen_pipe, &tcp_listen_pipe);
