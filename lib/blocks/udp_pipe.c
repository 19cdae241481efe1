/* SPDX-License-Identifier: BSD-2-Clause */
/* UDPClientPipe and UDPServerPipe: datagrams as messages. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/address.h"
#include "net/datagram.h"
#include "net/group.h"
#include "net/watch.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct udp {
	char *addr;
	int64_t port;
	uint64_t limit;
	char *interface;
	int64_t ttl;
	double retry_s;
	struct datagram datagram;
	bool failed;
	unsigned index; /* of the interface that it was opened on; 0: any */
	struct net_watch *watch;
	bool taken_over; /* another block's socket and peer, which are taken over */
};

static struct datagram *datagram(struct pt_block *b)
{
	struct udp *u = pt_state(b);
	return &u->datagram;
}

static void client_received(struct pt_block *b, struct pt_msg *m,
                            const struct sockaddr_storage *from, socklen_t from_length)
{
	pt_send(b, PT_LOW, m);
}

/* The datagram goes on first, then the first one's peer is known. */
static void server_received(struct pt_block *b, struct pt_msg *m,
                            const struct sockaddr_storage *from, socklen_t from_length)
{
	struct datagram *d = datagram(b);
	pt_send(b, PT_LOW, m);
	if (d->has_peer)
		return;
	char text[ADDRESS_TEXT];
	d->peer = *from;
	d->peer_length = from_length;
	pt_trigger(b);
	address_print(from, text);
	pt_send_bytes(b, PT_HIGH, text, strlen(text));
	datagram_has_peer(d);
}

/* ---- a socket that is of no use any more ---- */

/* Until it is opened anew, it is still tried. */
static void failed(struct pt_block *b, int code, const char *what)
{
	struct udp *u = pt_state(b);
	if (u->retry_s <= 0 || u->failed) {
		pt_report(b, code, "%s: %s", what, error_words(code));
		return;
	}
	u->failed = true;
	pt_failed(b, code, "%s: %s; it is opened anew", what, error_words(code));
	pt_retry(b, u->retry_s);
	pt_ready(b, true);
}

static struct group_way way_of(const struct udp *u)
{
	return (struct group_way){u->interface, u->ttl};
}

static unsigned interface_of(struct udp *u)
{
	const struct group_way way = way_of(u);
	const struct datagram *d = &u->datagram;
	return group_interface(&way, d->fd, d->peer_length ? &d->peer : NULL);
}

/* The kernel does not tell those who are bound to one that it is another now. */
static void on_news(void *arg)
{
	struct udp *u = pt_state(arg);
	if (interface_of(u) != u->index)
		failed(arg, -ENODEV, u->interface ? u->interface : u->addr);
}

static void start(struct pt_block *b)
{
	struct udp *u = pt_state(b);
	u->failed = false;
	u->index = u->retry_s > 0 ? interface_of(u) : 0;
	if (u->index)
		u->watch = net_watch_new(pt_loop(b), on_news, b);
	datagram_start(&u->datagram);
}

static int client_init(struct pt_block *b, struct pt_error *err)
{
	struct udp *u = pt_state(b);
	datagram_init(&u->datagram, b, &u->limit, client_received);
	u->datagram.failed = failed;
	u->datagram.has_peer = true;
	return 0;
}

static int server_init(struct pt_block *b, struct pt_error *err)
{
	struct udp *u = pt_state(b);
	datagram_init(&u->datagram, b, &u->limit, server_received);
	u->datagram.failed = failed;
	return 0;
}

/* What a socket is for, with all that it is told when it is made. */
static char *purpose_of(const struct udp *u, const char *what)
{
	if (!u->interface && !u->ttl)
		return must_strdup(what);
	return must_printf("%s by %s %d", what, u->interface ? u->interface : "", (int)u->ttl);
}

static bool is_carried(struct pt_block *b, struct udp *u, const char *what)
{
	char *purpose = purpose_of(u, what);
	u->taken_over = address_carried(b, purpose, u->addr, (int)u->port, &u->datagram.fd);
	free(purpose);
	if (u->taken_over)
		datagram_carried(&u->datagram);
	return u->taken_over;
}

static void client_carry(struct pt_block *b, struct pt_carry *carry)
{
	struct udp *u = pt_state(b);
	char *purpose = purpose_of(u, "udp-connect");
	address_carry(carry, purpose, u->addr, (int)u->port, u->datagram.fd);
	free(purpose);
	datagram_carry(&u->datagram, carry);
}

static void server_carry(struct pt_block *b, struct pt_carry *carry)
{
	struct udp *u = pt_state(b);
	char *purpose = purpose_of(u, "udp-bind");
	address_carry_bound(carry, purpose, u->addr, (int)u->port, u->datagram.fd);
	free(purpose);
	datagram_carry(&u->datagram, carry);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct udp *u = pt_state(b);
	if (u->taken_over)
		datagram_take_over(&u->datagram, datagram(old));
}

static int client_open(struct pt_block *b, struct pt_error *err)
{
	struct udp *u = pt_state(b);
	const struct group_way way = way_of(u);
	u->datagram.peer_length = 0;
	if (is_carried(b, u, "udp-connect"))
		return 0;
	return group_connect(u->addr, (int)u->port, &way, &u->datagram.fd, &u->datagram.peer,
	                     &u->datagram.peer_length, err);
}

static int server_open(struct pt_block *b, struct pt_error *err)
{
	struct udp *u = pt_state(b);
	const struct group_way way = way_of(u);
	if (!pt_comes_back(b)) {
		u->datagram.has_peer = false;
		u->datagram.peer_length = 0;
	}
	if (is_carried(b, u, "udp-bind"))
		return 0;
	return group_bind(u->addr, (int)u->port, &way, &u->datagram.fd, err);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	datagram_push(datagram(b), messages, count);
}

static void changed(struct pt_block *b)
{
	const struct udp *u = pt_state(b);
	pt_queue_changed(b, &u->datagram.queue, u->limit, PT_BLOCK);
}

static void produce(struct pt_block *b, unsigned max)
{
	datagram_produce(datagram(b), max);
}

static void refresh(struct pt_block *b)
{
	datagram_refresh(datagram(b));
}

static json_t *describe(struct pt_block *b)
{
	const struct datagram *d = datagram(b);
	char local[ADDRESS_TEXT], peer[ADDRESS_TEXT];
	if (!address_of(d->fd, false, local))
		return NULL;
	bool has_peer = address_of(d->fd, true, peer);
	if (d->peer_length) {
		address_print(&d->peer, peer);
		has_peer = true;
	}
	return json_pack("{s:s, s:s*}", "address", local, "peer", has_peer ? peer : NULL);
}

static void stop(struct pt_block *b)
{
	struct udp *u = pt_state(b);
	net_watch_free(u->watch);
	u->watch = NULL;
	datagram_stop(&u->datagram);
}

static int close_pipe(struct pt_block *b, struct pt_error *err)
{
	datagram_close(datagram(b));
	return 0;
}

static void fini(struct pt_block *b)
{
	datagram_fini(datagram(b));
}

#define UDP_PIPE                                                                              \
	.api = PT_API, .role = PT_SOURCE, .size = sizeof(struct udp), .outside = "wire",      \
	.describe = describe, .refresh = refresh, .produce = produce, .push_many = push_many, \
	.changed = changed, .start = start, .stop = stop, .take_over = take_over,             \
	.close = close_pipe, .fini = fini

#define LIMIT_ROW                                                                        \
	{                                                                                \
		"limit", "Bytes that may wait to be sent before sources are held back.", \
			PT_SIZE(struct udp, limit), "8MiB", .flags = PT_LIVE, .min = 1,  \
							    .max = 1e12                  \
	}

#define WAY_ROWS                                                                                  \
	{"interface", "By which interface it sends and receives, above all to and from a group.", \
	 PT_STRING(struct udp, interface), "None"},                                               \
		{"ttl",                                                                           \
	         "How many hops a datagram may go; of groups 1 where nothing is said.",           \
	         PT_INT(struct udp, ttl),                                                         \
	         "None",                                                                          \
	         .min = 1,                                                                        \
	         .max = 255},                                                                     \
	{                                                                                         \
		"retry_s",                                                                        \
			"Opens the socket anew, and asks for names again, when it can neither "   \
			"send nor receive, or its interface is another: at once, then every so "  \
			"many seconds; None: does not.",                                          \
			PT_SECONDS(struct udp, retry_s), "None", .max = 1e6                       \
	}

static const struct pt_type udp_client_pipe = {
	UDP_PIPE,
	.name = "UDPClientPipe",
	.summary = "Sends and receives UDP datagrams to and from one peer",
	.help = "Each message on the low entry is sent as a datagram, and each that the peer "
		"answers is a message on the low exit. What comes while a sink is full waits in "
		"the kernel; what that cannot keep is dropped (kernel). A multicast group is "
		"joined; of it, and of a broadcast address, whoever answers is heard.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     |             |\n"
		   "   >-|-[addr:port]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){"CLIFeeder() > UDPClientPipe('127.0.0.1', 9) > ConsoleSink()",
                                      NULL},
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.params =
		(const struct pt_param[]){
			{"addr", "The peer, by name or address; this host if empty.",
                         PT_STRING(struct udp, addr), "\"\""},
			{"port", "The peer's UDP port, which must be said by the start.",
                         PT_INT(struct udp, port), "0", .max = 65535},
			LIMIT_ROW,
			WAY_ROWS,
			{NULL}},
	.init = client_init,
	.open = client_open,
	.carry = client_carry,
};

static const struct pt_type udp_server_pipe = {
	UDP_PIPE,
	.name = "UDPServerPipe",
	.summary = "Receives UDP datagrams, and answers the first peer",
	.help = "Every datagram is a message on the low exit. After the first one the block "
		"triggers, sends its peer's `address:port` on the high exit, and from then on "
		"sends what comes on the low entry to that peer; what was pushed before waits for "
		"it. `ptctl show` tells the port that 0 became. What comes while a sink is full "
		"waits in the kernel; what that cannot keep is dropped (kernel). An address that "
		"is a multicast group is joined, and others may listen to it, too.",
	.picture = "     +------^------+\n"
		   "     |    +-[peer]-|->>\n"
		   "     |   /         |\n"
		   "   >-|-[addr:port]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){
			"a = UDPServerPipe('127.0.0.1', 0); c = ConsoleSink(); a > c; a >> c",
			NULL},
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_EXIT | PT_TRIGGER_EXIT,
	.params = (const struct pt_param[]){{"addr", "Address to listen on; every one if empty.",
                                             PT_STRING(struct udp, addr), "\"\""},
                                            {"port", "UDP port; 0: any that is free.",
                                             PT_INT(struct udp, port), "0", .max = 65535},
                                            LIMIT_ROW,
                                            WAY_ROWS,
                                            {NULL}},
	.init = server_init,
	.open = server_open,
	.carry = server_carry,
};

PT_TYPES(udp_pipe, &udp_client_pipe, &udp_server_pipe);
