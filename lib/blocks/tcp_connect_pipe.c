/* SPDX-License-Identifier: BSD-2-Clause */
/* TCPConnectPipe: a TCP connection as source and sink. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "net/address.h"
#include "net/reconnect.h"
#include "net/streams.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OVER "over" /* the connection that there was */

struct tcp_connect {
	struct streams streams; /* the one */
	char *addr;
	int64_t port;
	double retry_s;
	uint64_t limit;
	double keepalive_s;
	struct framing framing;
	struct stream stream; /* of the connection that there is, or will be */
	struct reconnect reconnect;
	int fd;        /* from open to start … */
	bool carried;  /* … and an earlier daemon's */
	bool was_over; /* which it was for that */
};

static void due(struct pt_block *b)
{
	struct tcp_connect *t = pt_state(b);
	reconnect_try(&t->reconnect);
}

static void begin(struct pt_block *b, int fd)
{
	struct tcp_connect *t = pt_state(b);
	stream_begin(&t->stream, fd);
}

static void ended(struct pt_block *b)
{
	struct tcp_connect *t = pt_state(b);
	if (t->retry_s <= 0) {
		pt_exhausted(b);
		return;
	}
	stream_detach(&t->stream);
	reconnect_later(&t->reconnect);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct tcp_connect *t = pt_state(b);
	t->fd = -1;
	t->streams = (struct streams){&t->stream, 1};
	stream_init(&t->stream, b, &t->limit, ended);
	t->stream.keepalive_s = &t->keepalive_s;
	t->stream.check = streams_check;
	t->stream.framing = &t->framing;
	t->stream.late = streams_late;
	t->reconnect = (struct reconnect){.block = b,
	                                  .host = t->addr,
	                                  .port = &t->port,
	                                  .retry_s = &t->retry_s,
	                                  .due = due,
	                                  .connected = begin};
	return framing_check(&t->framing, err);
}

static char *key_of(const struct tcp_connect *t)
{
	return must_printf("tcp-connect %s:%d", t->addr, (int)t->port);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct tcp_connect *t = pt_state(b);
	char *key = key_of(t);
	bool goes_on = stream_carry(&t->stream, carry, key);
	if (!goes_on && t->retry_s <= 0 && pt_carry_to(carry) != PT_TO_SUCCESSOR)
		pt_carry_bytes(carry, OVER, NULL, 0);
	free(key);
}

/* With retry_s a server that is not there yet is no fault. */
static int open_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_connect *t = pt_state(b);
	char *key = key_of(t);
	size_t length;
	t->carried = pt_carried_fd(b, key, &t->fd);
	free(key);
	stream_open(&t->stream);
	t->was_over = pt_carried_bytes(b, OVER, &length);
	if (t->was_over || t->carried || (t->retry_s > 0 && t->port))
		return 0;
	return address_connect(SOCK_STREAM, t->addr, (int)t->port, &t->fd, err);
}

/* What waits for a connection goes along, too. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct tcp_connect *t = pt_state(b), *before = pt_state(old);
	bool same_peer = t->port == before->port && !strcmp(t->addr, before->addr);
	bool waits = before->stream.fd < 0;
	if (same_peer && (waits || (t->fd < 0 && !stream_is_over(&before->stream))))
		stream_take_over(&t->stream, &before->stream);
}

static void begin_with(struct pt_block *b, struct tcp_connect *t)
{
	char *key = key_of(t);
	if (t->carried)
		stream_goes_on(&t->stream, t->fd, key);
	else
		stream_begin(&t->stream, t->fd);
	free(key);
}

static void start(struct pt_block *b)
{
	struct tcp_connect *t = pt_state(b);
	bool goes_on = t->stream.fd >= 0;
	t->stream.keeps = t->retry_s > 0;
	stream_start(&t->stream);
	pt_exact(b);
	if (t->fd >= 0)
		begin_with(b, t);
	else if (!goes_on && t->retry_s > 0)
		reconnect_try(&t->reconnect);
	else if (!goes_on)
		pt_exhausted(b); /* or it was lost while it was being handed over */
	t->fd = -1;
}

static void woken(struct pt_block *b)
{
	struct tcp_connect *t = pt_state(b);
	reconnect_woken(&t->reconnect);
}

static json_t *describe(struct pt_block *b)
{
	struct tcp_connect *t = pt_state(b);
	char local[ADDRESS_TEXT], peer[ADDRESS_TEXT];
	if (t->stream.fd < 0 || !address_of(t->stream.fd, false, local) ||
	    !address_of(t->stream.fd, true, peer))
		return json_pack("{s:b}", "connected", 0);
	json_t *now = json_pack("{s:b, s:s, s:s}", "connected", 1, "address", local, "peer", peer);
	streams_describe_unread(&t->streams, now);
	return now;
}

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	struct tcp_connect *t = pt_state(b);
	reconnect_close(&t->reconnect);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	return stream_close(&t->stream, err);
}

static const struct pt_type tcp_connect_pipe = {
	.api = PT_API,
	.name = "TCPConnectPipe",
	.summary = "Connects by TCP and uses the connection as source and sink",
	.help = "Bytes that come are messages on the low exit, messages on the low entry are sent. "
		"What the peer does not take holds the sources back. When the peer closes its "
		"side the source is exhausted, and can still be written to. When the sources that "
		"reach it are exhausted, the peer is told of the end behind what was sent, and can "
		"still answer: `a % b` relays whole conversations. With retry_s it "
		"connects again instead, and what could not be sent waits for that; a message "
		"that was on its way is sent again as a whole. `ptctl close` cuts the connection.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     |             |\n"
		   "   >-|-[addr:port]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){"CLIFeeder() > TCPConnectPipe('127.0.0.1', 7, retry_s=1) > "
                                      "ConsoleSink()",
                                      NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.outside = "wire",
	.params =
		(const struct pt_param[]){
			{"addr", "Host to connect to, by name or address; this one if empty.",
                         PT_STRING(struct tcp_connect, addr), "\"\""},
			{"port", "TCP port, which must be said by the start.",
                         PT_INT(struct tcp_connect, port), "0", .max = 65535},
			{"retry_s", "Connects again after so many seconds; None: does not.",
                         PT_SECONDS(struct tcp_connect, retry_s), "None", .max = 1e6},
			{"limit", "Bytes that may wait for the peer before sources are held back.",
                         PT_SIZE(struct tcp_connect, limit), "8MiB", .flags = PT_LIVE, .min = 1,
                         .max = 1e12},
			{"keepalive",
                         "In about so many seconds a peer that has vanished is noticed, and the "
                         "connection cut; None: it is not looked for.",
                         PT_SECONDS(struct tcp_connect, keepalive_s), "60", .flags = PT_OR_NONE,
                         .max = 32767},
			FRAMING_ROW(struct tcp_connect, framing),
			{NULL}},
	.size = sizeof(struct tcp_connect),
	.init = init,
	.open = open_pipe,
	.start = start,
	.produce = streams_produce,
	.push_many = streams_push,
	.changed = streams_changed,
	.no_more = streams_no_more,
	.woken = woken,
	.describe = describe,
	.finish = streams_finish,
	.carry = carry,
	.committed = streams_committed,
	.take_over = take_over,
	.stop = streams_stop,
	.close = close_pipe,
	.fini = streams_fini,
};

PT_TYPES(tcp_connect_pipe, &tcp_connect_pipe);
