/* SPDX-License-Identifier: BSD-2-Clause */
/* PcapOverIPSource: packets of a server that gives them away, or of clients. */
#include <pipetool/outside.h>

#include "base/error.h"
#include "capture/incoming.h"
#include "net/address.h"
#include "net/reconnect.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define PEERS 64

struct peer {
	struct incoming incoming; /* first */
	bool ready;
	char address[ADDRESS_TEXT];
};

struct pcap_source {
	char *addr;
	int64_t port;
	bool listen;
	double retry_s;

	int fd;
	char address[ADDRESS_TEXT];
	bool taken_over, finished;
	uv_poll_t poll;
	struct reconnect reconnect;
	struct peer peers[PEERS]; /* one, but of a listener */
	unsigned turn;
};

static void tell_ready(struct pt_block *b, const struct pcap_source *p)
{
	bool ready = false;
	for (int i = 0; i < PEERS; i++)
		ready |= p->peers[i].ready;
	pt_ready(b, ready);
}

static void ended(struct incoming *in, const char *why)
{
	struct pt_block *b = in->block;
	struct pcap_source *p = pt_state(b);
	const struct peer *peer = (const struct peer *)(const void *)in;
	if (why)
		pt_report(b, -EBADMSG, "%s: %s", peer->address, why);
	if (p->listen)
		return;
	if (p->retry_s > 0)
		reconnect_later(&p->reconnect);
	else if (why)
		pt_failed(b, -EBADMSG, "%s", why);
	else
		pt_exhausted(b);
}

/* Packets without an interface of their own came from the peer. */
static void begin(struct pt_block *b, struct peer *peer, int fd)
{
	struct pt_error err = PT_ERROR_INIT;
	if (!address_of(fd, true, peer->address))
		peer->address[0] = 0;
	pt_origin_unref(peer->incoming.origin);
	peer->incoming.origin = pt_origin_new(peer->address);
	int rc = incoming_begin(&peer->incoming, fd, peer->address, &err);
	if (rc)
		ended(&peer->incoming, pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
}

static void connected(struct pt_block *b, int fd)
{
	struct pcap_source *p = pt_state(b);
	begin(b, &p->peers[0], fd);
}

static void due(struct pt_block *b)
{
	struct pcap_source *p = pt_state(b);
	reconnect_try(&p->reconnect);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct pcap_source *p = pt_state(b);
	p->fd = -1;
	for (int i = 0; i < PEERS; i++)
		p->peers[i].incoming = (struct incoming){
			.block = b, .ended = ended, .ready = &p->peers[i].ready, .slot = -1};
	p->reconnect = (struct reconnect){.block = b,
	                                  .host = p->addr,
	                                  .port = &p->port,
	                                  .retry_s = &p->retry_s,
	                                  .due = due,
	                                  .connected = connected};
	return 0;
}

static int open_source(struct pt_block *b, struct pt_error *err)
{
	struct pcap_source *p = pt_state(b);
	int rc = 0;
	p->taken_over = p->listen &&
	                address_carried(b, "pcap-over-ip-source", p->addr, (int)p->port, &p->fd);
	if (p->listen && !p->taken_over)
		rc = address_bind(SOCK_STREAM, p->addr, (int)p->port, &p->fd, err);
	else if (!p->listen && p->retry_s <= 0)
		rc = address_connect(SOCK_STREAM, p->addr, (int)p->port, &p->fd, err);
	if (!rc && p->fd >= 0)
		address_of(p->fd, !p->listen, p->address);
	return rc;
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct pcap_source *p = pt_state(b);
	if (p->listen)
		address_carry_bound(carry, "pcap-over-ip-source", p->addr, (int)p->port, p->fd);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct pcap_source *p = pt_state(b), *before = pt_state(old);
	if (!p->taken_over || p->fd >= 0)
		return;
	p->fd = before->fd;
	before->fd = -1;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct pt_block *b = poll->data;
	struct pcap_source *p = pt_state(b);
	struct peer *place = NULL;
	for (int i = 0; i < PEERS && !place; i++)
		place = p->peers[i].incoming.reader ? NULL : &p->peers[i];
	int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0 && place)
		begin(b, place, fd);
	else if (fd >= 0)
		close(fd);
}

static void start(struct pt_block *b)
{
	struct pcap_source *p = pt_state(b);
	int fd = p->fd;
	p->finished = false;
	if (p->listen && fd >= 0 && !uv_poll_init(pt_loop(b), &p->poll, fd)) {
		pt_adopt(b, (uv_handle_t *)&p->poll);
		uv_poll_start(&p->poll, UV_READABLE, on_connection);
	} else if (!p->listen && fd >= 0) {
		p->fd = -1;
		begin(b, &p->peers[0], fd);
	} else if (!p->listen) {
		reconnect_try(&p->reconnect);
	}
}

static void produce(struct pt_block *b, unsigned max)
{
	struct pcap_source *p = pt_state(b);
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *peer = &p->peers[p->turn++ % PEERS];
		if (peer->ready && incoming_produce(&peer->incoming, max))
			break;
	}
	if (!p->finished)
		tell_ready(b, p);
}

static void woken(struct pt_block *b)
{
	struct pcap_source *p = pt_state(b);
	reconnect_woken(&p->reconnect);
}

/* What has come is sent; nothing more is read. */
static void finish(struct pt_block *b)
{
	struct pcap_source *p = pt_state(b);
	p->finished = true;
	for (int i = 0; i < PEERS; i++)
		incoming_end(&p->peers[i].incoming);
	if (p->listen)
		uv_poll_stop(&p->poll);
	pt_exhausted(b);
}

static json_t *describe(struct pt_block *b)
{
	const struct pcap_source *p = pt_state(b);
	json_t *peers = json_array();
	for (int i = 0; i < PEERS; i++)
		if (p->peers[i].incoming.reader)
			json_array_append_new(peers, json_string(p->peers[i].address));
	return json_pack("{s:s, s:o}", "address", p->address, "peers", peers);
}

static void stop(struct pt_block *b)
{
	struct pcap_source *p = pt_state(b);
	for (int i = 0; i < PEERS; i++) {
		incoming_end(&p->peers[i].incoming);
		pt_origin_unref(p->peers[i].incoming.origin);
		p->peers[i].incoming.origin = NULL;
	}
}

static int close_source(struct pt_block *b, struct pt_error *err)
{
	struct pcap_source *p = pt_state(b);
	reconnect_close(&p->reconnect);
	for (int i = 0; i < PEERS; i++)
		incoming_close(&p->peers[i].incoming);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	return 0;
}

/* clang-format off */
static const struct pt_param params[] = {
	{"addr", "The host to connect to, or the address to listen on.",
	 PT_STRING(struct pcap_source, addr), .flags = PT_REQUIRED},
	{"port", "TCP port; of a listener 0 takes a free one, which show tells.",
	 PT_INT(struct pcap_source, port), .fallback = "57012", .max = 65535},
	{"listen", "Waits for clients that send captures, until ptctl close.",
	 PT_BOOL(struct pcap_source, listen), .fallback = "False"},
	{"retry_s", "Connects again after so many seconds; None: does not.",
	 PT_SECONDS(struct pcap_source, retry_s), .fallback = "None", .max = 1e6},
	{NULL},
};
/* clang-format on */

static const struct pt_type pcap_over_ip_source = {
	.api = PT_API,
	.name = "PcapOverIPSource",
	.summary = "Reads packets that come as a capture over TCP",
	.help = "From a server such as PcapOverIPSink, or with listen from up to 64 clients at "
		"once: pcap or pcapng, compressed or not. A stream that is no capture, or is "
		"damaged, is told and its connection closed; others go on. The interface of "
		"packets is the stream's own, or the peer. At the end of the connection the "
		"source is exhausted, or with retry_s connects again.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     | [addr:port] |\n"
		   "     |      `------|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){"PcapOverIPSource('127.0.0.1', listen=True) > Sink()", NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params = params,
	.size = sizeof(struct pcap_source),
	.init = init,
	.open = open_source,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.produce = produce,
	.woken = woken,
	.finish = finish,
	.describe = describe,
	.stop = stop,
	.close = close_source,
};

PT_TYPES(pcap_over_ip_source, &pcap_over_ip_source);
