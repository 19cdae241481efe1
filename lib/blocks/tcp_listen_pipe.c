/* SPDX-License-Identifier: BSD-2-Clause */
/* TCPListenPipe: the first TCP connection that comes, as source and sink. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/address.h"
#include "net/streams.h"
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS 100000000u
#define VECTOR   64
#define TAKEN    "taken"

struct tcp_listen {
	struct streams streams; /* a place for each client */
	char *addr;
	int64_t port, clients;
	bool again;
	uint64_t limit;
	double keepalive_s;
	struct framing framing;
	int *carried;          /* for each, from open to start: an earlier daemon's, or -1 */
	unsigned taken;        /* places, of which each is taken once if not again … */
	unsigned taken_before; /* … and not again in the next daemon */
	unsigned turn;         /* whose it is to be read from */
	int listener;
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

/* For the next client, and for what waits for one; NULL: there is none. */
static struct stream *next_place(const struct tcp_listen *t)
{
	struct stream *place = NULL;
	if (!t->again)
		return t->taken < t->clients ? &t->streams.all[t->taken] : NULL;
	FOR_STREAMS (&t->streams, s)
		if (s->fd < 0 && (!place || s->queue.head)) /* what waits does so in one of them */
			place = s;
	return place;
}

/* Of the places that it has had all are taken, and have ended. */
static bool is_over(const struct tcp_listen *t)
{
	FOR_STREAMS (&t->streams, s)
		if (s->fd >= 0 && !s->input_ended)
			return false;
	return t->taken == t->clients;
}

static void ended(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	if (!t->again) {
		if (is_over(t))
			pt_exhausted(b);
		return;
	}
	FOR_STREAMS (&t->streams, s) /* but those whose turn to start is yet to come */
		if (s->fd >= 0 && s->input_ended && !s->finishing && !s->taken_over)
			stream_finish(s);
	listen_on(b);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	size_t count = (size_t)t->clients;
	t->listener = -1;
	t->streams = (struct streams){must_calloc(count, sizeof(struct stream)), (unsigned)count};
	t->carried = must_calloc(count, sizeof *t->carried);
	FOR_STREAMS (&t->streams, s) {
		stream_init(s, b, &t->limit, ended);
		s->keepalive_s = &t->keepalive_s;
		s->check = streams_check;
		s->framing = &t->framing;
		s->tells_peer = true;
		s->late = streams_late;
		s->fellows = t->streams.all;
		s->fellow_count = count > 1 ? (unsigned)count : 0;
		t->carried[s - t->streams.all] = -1;
	}
	return framing_check(&t->framing, err);
}

/* ---- handing over ---- */

static char *key_of(size_t place)
{
	return place ? must_printf("tcp-peer %zu", place) : must_strdup("tcp-peer");
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct tcp_listen *t = pt_state(b);
	size_t place = 0;
	address_carry_bound(carry, "tcp-listen", t->addr, (int)t->port, t->listener);
	if (pt_carry_to(carry) != PT_TO_SUCCESSOR)
		pt_carry_bytes(carry, TAKEN, &t->taken, sizeof t->taken);
	FOR_STREAMS (&t->streams, s) {
		char *key = key_of(place);
		place += stream_carry(s, carry, key);
		free(key);
	}
}

static void take_carried(struct pt_block *b, struct tcp_listen *t)
{
	size_t length;
	const void *taken = pt_carried_bytes(b, TAKEN, &length);
	if (taken && length == sizeof t->taken)
		memcpy(&t->taken_before, taken, length);
	for (int64_t i = 0; i < t->clients; i++) {
		char *key = key_of((size_t)i);
		pt_carried_fd(b, key, &t->carried[i]);
		free(key);
	}
}

static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	t->taken = 0;
	stream_open(t->streams.all);
	t->taken_over = address_carried(b, "tcp-listen", t->addr, (int)t->port, &t->listener);
	if (t->listener >= 0) { /* an earlier daemon's, and perhaps shut */
		t->shut = true;
		address_of(t->listener, false, t->address);
		take_carried(b, t);
	}
	if (t->taken_over)
		return 0;
	int rc = address_bind(SOCK_STREAM, t->addr, (int)t->port, &t->listener, err);
	if (rc == 0)
		address_of(t->listener, false, t->address);
	return rc;
}

/* A connection that is over for both sides makes room for the first one of the new block. */
static void take_over_peers(struct tcp_listen *t, struct tcp_listen *before, bool connected)
{
	FOR_STREAMS (&before->streams, s) {
		bool goes_on = connected ? !stream_is_over(s) : s->fd < 0 && s->queue.head;
		if (!goes_on || t->taken >= t->clients)
			continue;
		stream_take_over(&t->streams.all[t->taken], s);
		t->taken += connected;
	}
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct tcp_listen *t = pt_state(b), *before = pt_state(old);
	if (!t->taken_over)
		return;
	t->listener = before->listener;
	t->shut = before->shut;
	memcpy(t->address, before->address, sizeof t->address);
	before->listener = -1;
	take_over_peers(t, before, true);
	take_over_peers(t, before, false);
}

static void start_peers(struct tcp_listen *t)
{
	FOR_STREAMS (&t->streams, s) {
		int *carried = &t->carried[s - t->streams.all];
		stream_start(s);
		if (*carried >= 0) {
			char *key = key_of((size_t)(s - t->streams.all));
			stream_goes_on(s, *carried, key);
			t->taken++;
			free(key);
		}
		*carried = -1;
	}
}

/* Those that had come and gone by then. */
static void count_taken(struct pt_block *b, struct tcp_listen *t)
{
	if (!t->again && t->taken < t->taken_before)
		t->taken = t->taken_before < t->clients ? t->taken_before : (unsigned)t->clients;
	t->taken_before = 0;
	if (!t->again && is_over(t))
		pt_exhausted(b);
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
	start_peers(t);
	count_taken(b, t);
	pt_exact(b);
	if (t->again || next_place(t))
		listen_on(b);
	else
		stop_listening(t);
}

/* ---- who comes ---- */

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
	pt_send_bytes(b, PT_HIGH, text, strlen(text));
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

/* A peer has closed its side, and what it sent before is still being read. */
static bool some_are_leaving(const struct tcp_listen *t)
{
	FOR_STREAMS (&t->streams, s) {
		struct pollfd peer = {s->fd, POLLRDHUP, 0};
		if (t->again && !s->input_ended && poll(&peer, 1, 0) > 0)
			return true;
	}
	return false;
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
	struct pt_block *b = handle->data;
	struct tcp_listen *t = pt_state(b);
	struct stream *place = next_place(t);
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	if (!place && some_are_leaving(t)) { /* `ended` takes the next one, which waits */
		uv_poll_stop(handle);
		return;
	}
	int fd = accept4(t->listener, (struct sockaddr *)&peer, &length,
	                 SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		cannot_accept(b, t, errno);
	} else if (!place) {
		refuse(fd);
	} else {
		t->taken++;
		if (!t->again && t->taken == t->clients)
			stop_listening(t);
		address_tune(fd);
		stream_begin(place, fd);
		tell_peer(b, &peer);
	}
}

/* ---- what is sent ---- */

static bool listens(const struct stream *s)
{
	return s->fd >= 0 && !s->output_failed;
}

static void push_copy(struct pt_block *b, struct stream *s, struct pt_msg *const *messages,
                      unsigned count)
{
	struct pt_msg *copies[VECTOR];
	for (unsigned i = 0; i < count; i++)
		copies[i] = pt_msg_ref(messages[i]);
	pt_made(b, count);
	stream_push(s, copies, count);
}

/* Each client has a copy, the last of them what came. Where there is none, it waits. */
static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct tcp_listen *t = pt_state(b);
	struct stream *last = NULL;
	FOR_STREAMS (&t->streams, s) {
		if (!listens(s))
			continue;
		if (last)
			push_copy(b, last, messages, count);
		last = s;
	}
	if (!last)
		last = next_place(t);
	stream_push(last ? last : t->streams.all, messages, count);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct tcp_listen *t = pt_state(b);
	for (int64_t i = 0; i < t->clients; i++) {
		struct stream *s = &t->streams.all[t->turn];
		t->turn = t->turn + 1 < t->clients ? t->turn + 1 : 0;
		if (s->ready) {
			stream_produce(s, max);
			return;
		}
	}
	pt_ready(b, false);
}

static json_t *describe(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	json_t *peers = json_array();
	char peer[ADDRESS_TEXT];
	FOR_STREAMS (&t->streams, s)
		if (s->fd >= 0 && address_of(s->fd, true, peer))
			json_array_append_new(peers, json_string(peer));
	json_t *now = json_pack("{s:s, s:b}", "address", t->address, "connected",
	                        json_array_size(peers) > 0);
	if (t->clients > 1)
		json_object_set(now, "peers", peers);
	else if (json_array_size(peers))
		json_object_set(now, "peer", json_array_get(peers, 0));
	json_decref(peers);
	streams_describe_unread(&t->streams, now);
	return now;
}

/* ---- the end ---- */

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_listen *t = pt_state(b);
	int rc = 0;
	if (t->listener >= 0)
		close(t->listener);
	t->listener = -1;
	t->shut = false;
	FOR_STREAMS (&t->streams, s) {
		int *carried = &t->carried[s - t->streams.all], one = stream_close(s, err);
		if (*carried >= 0)
			close(*carried);
		*carried = -1;
		rc = rc ? rc : one;
	}
	return rc;
}

static void fini(struct pt_block *b)
{
	struct tcp_listen *t = pt_state(b);
	streams_fini(b);
	free(t->streams.all);
	free(t->carried);
}

static const struct pt_type tcp_listen_pipe = {
	.api = PT_API,
	.name = "TCPListenPipe",
	.summary = "Listens for TCP and uses the first connection as source and sink",
	.help = "When the first peer connects, its `address:port` goes out on the high exit and "
		"the block triggers; then bytes pass both ways on the low canal. What was pushed "
		"before waits for the connection. Further connections are refused. When the peer "
		"has closed its side the source is exhausted, and can still be written to. When "
		"the sources that reach it are exhausted, the peer is told of the end behind what "
		"was sent, and can still answer: `a % b` relays whole conversations. With "
		"again=True it sends what waits, closes too, and listens for the next one. With "
		"clients=10 there may be so many at once, each told on the high exit: what is "
		"pushed goes to all that are connected then, and the source is exhausted when so "
		"many have come and closed (with again=True others take their places). `ptctl "
		"show` tells the port that 0 became, and `ptctl close` cuts the connections.",
	.picture = "     +------^------+\n"
		   "     |    +-[peer]-|->>\n"
		   "     |   /         |\n"
		   "   >-|-[addr:port]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){
			"a = TCPListenPipe('127.0.0.1', 0); c = ConsoleSink(); a > c; a >> c",
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
			FRAMING_ROW(struct tcp_listen, framing),
			{"clients",
                         "How many peers at once: each gets what is pushed, and what any of "
                         "them does not take holds the sources back.",
                         PT_INT(struct tcp_listen, clients), "1", .min = 1, .max = 1000},
			{NULL}},
	.size = sizeof(struct tcp_listen),
	.init = init,
	.open = open_pipe,
	.start = start,
	.produce = produce,
	.push_many = push_many,
	.changed = streams_changed,
	.no_more = streams_no_more,
	.describe = describe,
	.finish = streams_finish,
	.carry = carry,
	.committed = streams_committed,
	.take_over = take_over,
	.stop = streams_stop,
	.close = close_pipe,
	.fini = fini,
};

PT_TYPES(tcp_listen_pipe, &tcp_listen_pipe);
