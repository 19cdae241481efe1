/* SPDX-License-Identifier: BSD-2-Clause */
/* PcapOverIPSink: packets to whoever connects. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "capture/feed.h"
#include "net/address.h"
#include "net/stream.h"
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS 100000000u

struct client {
	struct stream stream;
	struct feed feed;
	uint64_t lost, lost_told;
};

struct pcap_sink {
	char *addr;
	int64_t port, clients_max;
	int format;
	uint64_t limit;
	bool public;

	uint64_t no_limit; /* of the streams: what is too much is lost before it comes to them */
	int listener;
	bool taken_over;
	char address[ADDRESS_TEXT];
	uv_poll_t poll;
	struct pt_timer timer;
	struct client *clients;
	struct buf bytes;
};

static const char *const formats_words[] = {"pcap", "pcapng", NULL};

#define FOR_CLIENTS(p, c) \
	for (struct client *c = (p)->clients; c < (p)->clients + (p)->clients_max; c++)

/* ---- clients ---- */

static bool is_there(const struct client *c)
{
	return c->stream.fd >= 0 && !c->stream.output_failed;
}

static void woken(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	FOR_CLIENTS(p, c)
	if (c->stream.fd >= 0 && c->stream.output_failed) {
		pt_queue_drop(b, &c->stream.queue, "unsent");
		stream_detach(&c->stream);
		feed_fini(&c->feed);
	}
}

static void send_bytes(struct pt_block *b, struct pcap_sink *p, struct client *c)
{
	struct pt_msg *m =
		p->bytes.length ? pt_msg_new(pt_pool(b), p->bytes.data, p->bytes.length) : NULL;
	if (!m)
		return;
	pt_made(b, 1);
	stream_push(&c->stream, &m, 1);
}

static void welcome(struct pt_block *b, struct pcap_sink *p, struct client *c, int fd)
{
	address_tune(fd);
	feed_init(&c->feed, pt_name(b), FEED_PLAIN);
	c->feed.is_pcap = p->format == 0;
	c->lost = c->lost_told = 0;
	stream_begin(&c->stream, fd);
	buf_clear(&p->bytes);
	feed_header(&c->feed, &p->bytes);
	send_bytes(b, p, c);
}

static struct client *free_place(struct pcap_sink *p)
{
	FOR_CLIENTS(p, c)
	if (c->stream.fd < 0)
		return c;
	return NULL;
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void listen_on(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	uv_poll_start(&p->poll, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct pt_block *b = poll->data;
	struct pcap_sink *p = pt_state(b);
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c = free_place(p);
	if (fd >= 0 && c) {
		welcome(b, p, c, fd);
	} else if (fd >= 0) {
		close(fd);
		pt_note(b, "a client was refused: %d are connected already", (int)p->clients_max);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		pt_report(b, -errno, "cannot accept a connection: %s", error_words(errno));
		uv_poll_stop(poll);
		pt_timer_at(b, &p->timer, pt_now(b) + RETRY_NS, listen_on);
	}
}

/* ---- life ---- */

static bool is_loopback(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	if (a->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct pcap_sink *p = pt_state(b);
	p->listener = -1;
	p->no_limit = UINT64_MAX / 2;
	p->clients = must_calloc((size_t)p->clients_max, sizeof *p->clients);
	FOR_CLIENTS(p, c)
	{
		/* Who has left goes in `woken`: not while something is written to it. */
		stream_init(&c->stream, b, &p->no_limit, pt_wake);
		c->stream.gone = "unsent";
		c->stream.writes_only = true;
		c->stream.fellows = &c->stream; /* nothing is carried */
		c->stream.fellow_count = 1;
	}
	return 0;
}

static int check_public(struct pcap_sink *p, struct pt_error *err)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t length = sizeof own;
	getsockname(p->listener, (struct sockaddr *)&own, &length);
	if (p->public || is_loopback(&own))
		return 0;
	close(p->listener);
	p->listener = -1;
	return pt_fail(err, -EPERM, "public",
	               "'%s' is not this machine alone: packets would be given to whoever can "
	               "connect; say public=True if that is meant",
	               p->addr);
}

static int open_sink(struct pt_block *b, struct pt_error *err)
{
	struct pcap_sink *p = pt_state(b);
	p->taken_over = address_carried(b, "pcap-over-ip", p->addr, (int)p->port, &p->listener);
	if (!p->taken_over) {
		int rc = address_bind(SOCK_STREAM, p->addr, (int)p->port, &p->listener, err);
		rc = rc ? rc : check_public(p, err);
		if (rc)
			return rc;
	}
	if (p->listener >= 0)
		address_of(p->listener, false, p->address);
	return 0;
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct pcap_sink *p = pt_state(b);
	address_carry_bound(carry, "pcap-over-ip", p->addr, (int)p->port, p->listener);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct pcap_sink *p = pt_state(b), *before = pt_state(old);
	if (!p->taken_over || p->listener >= 0)
		return;
	p->listener = before->listener;
	memcpy(p->address, before->address, sizeof p->address);
	before->listener = -1;
}

static void start(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	FOR_CLIENTS(p, c)
	stream_start(&c->stream);
	if (p->listener < 0 || uv_poll_init(pt_loop(b), &p->poll, p->listener)) {
		pt_failed(b, -EIO, "cannot wait for clients");
		return;
	}
	pt_adopt(b, (uv_handle_t *)&p->poll);
	listen_on(b);
}

/* ---- packets ---- */

static void give(struct pt_block *b, struct pcap_sink *p, struct client *c, const struct pt_msg *m)
{
	if (c->stream.queue.bytes + m->length > p->limit) {
		c->lost++;
		pt_lost(b, 1, "overflow");
		return;
	}
	buf_clear(&p->bytes);
	if (feed_packet_after(&c->feed, &p->bytes, m, c->lost - c->lost_told)) {
		c->lost_told = c->lost;
		send_bytes(b, p, c);
	} else {
		pt_lost(b, 1, "link-type");
	}
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct pcap_sink *p = pt_state(b);
	FOR_CLIENTS(p, c)
	for (unsigned i = 0; i < count && is_there(c); i++)
		give(b, p, c, messages[i]);
	pt_done_many(b, messages, count);
}

static json_t *describe(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	json_t *clients = json_array();
	char peer[ADDRESS_TEXT];
	FOR_CLIENTS(p, c)
	if (is_there(c) && address_of(c->stream.fd, true, peer))
		json_array_append_new(clients, json_pack("{s:s, s:I}", "peer", peer, "lost",
		                                         (json_int_t)c->lost));
	return json_pack("{s:s, s:o}", "address", p->address, "clients", clients);
}

static void stop(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	FOR_CLIENTS(p, c)
	{
		stream_stop(&c->stream);
		feed_fini(&c->feed);
	}
}

static int close_sink(struct pt_block *b, struct pt_error *err)
{
	struct pcap_sink *p = pt_state(b);
	FOR_CLIENTS(p, c)
	stream_close(&c->stream, NULL);
	if (p->listener >= 0)
		close(p->listener);
	p->listener = -1;
	return 0;
}

static void fini(struct pt_block *b)
{
	struct pcap_sink *p = pt_state(b);
	for (struct client *c = p->clients; c && c < p->clients + p->clients_max; c++)
		stream_fini(&c->stream);
	free(p->clients);
	buf_free(&p->bytes);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"addr", "The address to listen on.", PT_STRING(struct pcap_sink, addr),
	 .fallback = "127.0.0.1"},
	{"port", "TCP port; 0 takes a free one, which show tells.",
	 PT_INT(struct pcap_sink, port), .fallback = "57012", .max = 65535},
	{"format", "pcap (nanoseconds, of the first packet's link type) or pcapng.",
	 PT_CHOICE(struct pcap_sink, format), .fallback = "pcapng", .choices = formats_words},
	{"clients", "So many at the same time; others are refused.",
	 PT_INT(struct pcap_sink, clients_max), .fallback = "64", .min = 1, .max = 1024},
	{"limit", "Bytes that may wait for a client before it loses packets.",
	 PT_SIZE(struct pcap_sink, limit), .fallback = "4MiB", .flags = PT_LIVE, .min = 1,
	 .max = 1e12},
	{"public", "Listens on addresses that others can reach, too.",
	 PT_BOOL(struct pcap_sink, public), .fallback = "False"},
	{NULL},
};
/* clang-format on */

static const struct pt_type pcap_over_ip_sink = {
	.api = PT_API,
	.name = "PcapOverIPSink",
	.summary = "Gives packets to whoever connects, as a capture over TCP",
	.help = "Each client gets a capture of what passes from then on, as `wireshark -k -i "
		"TCP@127.0.0.1:57012` and others read it. A client that reads too slowly loses "
		"what is beyond limit, and holds up nobody: its next packet tells how many "
		"(epb_dropcount), and so does show. What clients send is not read.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     |             |\n"
		   "   >-|-[addr:port] |\n"
		   "     +-------------+\n",
	.examples = (const char *const[]){"SniffSource('lo') > PcapOverIPSink()", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.params = params,
	.size = sizeof(struct pcap_sink),
	.init = init,
	.open = open_sink,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.woken = woken,
	.describe = describe,
	.stop = stop,
	.close = close_sink,
	.fini = fini,
};

PT_TYPES(pcap_over_ip_sink, &pcap_over_ip_sink);
