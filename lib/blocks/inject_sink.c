/* SPDX-License-Identifier: BSD-2-Clause */
/* InjectSink and Inject3Sink: send packets out of a network interface, as frames or from IP on. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "base/error.h"
#include "capture/interface.h"
#include "capture/netns.h"
#include "packet/packet.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define BATCH     64
#define QUEUE_MAX (16 * 1024 * 1024) /* bytes that wait for the interface */
#define RETRY_NS  1000000u
#define RETRIES   1000 /* without one packet sent, before one is given up */

struct inject_sink {
	char *iface, *netns;
	double retry_s; /* 0: fails when the interface goes */

	int fd;  /* for frames; or for IPv4 */
	int fd6; /* for IPv6; -1: frames, or this machine has none */
	bool from_ip;
	uv_poll_t poll;
	bool polled;
	struct pt_queue queue; /* held until the interface takes them */
	struct pt_timer timer;
	unsigned retries;
	bool away; /* the interface is down or gone, and has not been opened since */
	unsigned index;
	uint16_t link_type; /* of its frames */
};

static int bind_frames(int fd, int index)
{
	const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = index};
	return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int bind_ip(int fd, const char *iface)
{
	int rc = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface, (socklen_t)strlen(iface));
	return rc ? -errno : 0;
}

static int bind_all(const struct inject_sink *s, int index)
{
	if (!s->from_ip)
		return bind_frames(s->fd, index);
	int rc = bind_ip(s->fd, s->iface);
	return rc || s->fd6 < 0 ? rc : bind_ip(s->fd6, s->iface);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	s->fd = s->fd6 = -1;
	return 0;
}

static int init_from_ip(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	s->from_ip = true;
	return init(b, err);
}

/* Raw IP sockets take a packet with its header, and the kernel finds the way; Linux's raw(7). */
static int open_ip(struct inject_sink *s)
{
	const int yes = 1;
	s->fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int error = errno;
	s->fd6 = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
	return s->fd < 0 ? -error : 0;
}

/* Protocol 0: it sends, and receives nothing. */
static int open_frames(struct inject_sink *s)
{
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return s->fd < 0 ? -errno : 0;
}

static int open_here(struct inject_sink *s, struct pt_error *err)
{
	int index = interface_index(-1, s->iface, err);
	if (index < 0)
		return index;
	if (s->away && interface_is_down(-1, s->iface))
		return pt_fail(err, -ENETDOWN, "iface", "interface '%s' is down", s->iface);
	int rc = s->from_ip ? open_ip(s) : open_frames(s);
	if (rc == -EPERM || rc == -EACCES)
		return interface_not_permitted(s->iface, "send", err);
	if (rc == 0)
		rc = bind_all(s, index);
	s->index = (unsigned)index;
	s->link_type = interface_link_type(-1, s->iface);
	if (rc)
		return pt_fail(err, rc, "iface", "cannot send on '%s': %s", s->iface,
		               error_words(rc));
	return 0;
}

static int open_socket(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	int back, rc = netns_enter(s->netns, &back, err);
	if (rc)
		return rc;
	rc = open_here(s, err);
	netns_leave(back);
	return rc;
}

static void start(struct pt_block *b)
{
	struct inject_sink *s = pt_state(b);
	s->retries = 0;
	if (s->away)
		pt_note(b, "interface '%s' is up again", s->iface);
	s->away = false;
	int rc = s->from_ip ? 0 : uv_poll_init(pt_loop(b), &s->poll, s->fd);
	s->polled = rc == 0 && !s->from_ip;
	if (rc)
		pt_failed(b, rc, "cannot wait for '%s': %s", s->iface, error_words(rc));
	else if (s->polled)
		pt_adopt(b, (uv_handle_t *)&s->poll);
}

/* ---- sending ---- */

static int send_headers(int fd, struct mmsghdr *headers, unsigned count)
{
	int n;
	do
		n = sendmmsg(fd, headers, count, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int send_frames(const struct inject_sink *s, struct pt_msg *const *messages, unsigned count)
{
	struct iovec iov[BATCH];
	struct mmsghdr headers[BATCH];
	for (unsigned i = 0; i < count; i++) {
		iov[i] = (struct iovec){(void *)(uintptr_t)messages[i]->bytes, messages[i]->length};
		headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
	}
	return send_headers(s->fd, headers, count);
}

struct ip_packet {
	struct iovec bytes;
	int fd;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
};

static bool find_ip4(struct ip_packet *p)
{
	struct iphdr ip;
	memcpy(&ip, p->bytes.iov_base, sizeof ip);
	size_t length = ntohs(ip.tot_len) ? ntohs(ip.tot_len) : p->bytes.iov_len;
	bool whole = length >= sizeof ip && length <= p->bytes.iov_len;
	p->bytes.iov_len = length;
	p->to.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {ip.daddr}};
	return whole;
}

static bool find_ip6(struct ip_packet *p, unsigned index)
{
	struct ip6_hdr ip;
	memcpy(&ip, p->bytes.iov_base, sizeof ip);
	size_t length = ip.ip6_plen ? sizeof ip + ntohs(ip.ip6_plen) : p->bytes.iov_len;
	bool whole = length <= p->bytes.iov_len;
	p->bytes.iov_len = length;
	p->to.in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_addr = ip.ip6_dst, .sin6_scope_id = index};
	return whole;
}

/* Without the frame's header and padding. Bytes that are no packet are taken as one of IP. 0, or
   -EPROTO: there is no IP in it, -ENODATA: not all of it is there, -EAFNOSUPPORT. */
static int find_ip(const struct inject_sink *s, const struct pt_msg *m, struct ip_packet *p)
{
	struct packet_view v;
	packet_dissect_bytes(m->bytes, m->length,
	                     pt_msg_is_packet(m) ? m->link_type : PACKET_LINK_RAW, &v);
	bool ip6 = packet_has(&v, PACKET_IP6) && !packet_has(&v, PACKET_IP);
	if (!ip6 && !packet_has(&v, PACKET_IP))
		return -EPROTO;
	uint32_t offset = v.offset[ip6 ? PACKET_IP6 : PACKET_IP];
	p->fd = ip6 ? s->fd6 : s->fd;
	p->bytes.iov_base = (void *)((uintptr_t)m->bytes + offset);
	p->bytes.iov_len = m->length - offset;
	if (p->fd < 0)
		return -EAFNOSUPPORT;
	return (ip6 ? find_ip6(p, s->index) : find_ip4(p)) ? 0 : -ENODATA;
}

/* The first ones, of one family; a fault is that of the very first. */
static int send_ip(const struct inject_sink *s, struct pt_msg *const *messages, unsigned count)
{
	struct ip_packet packets[BATCH];
	struct mmsghdr headers[BATCH];
	unsigned n = 0;
	int rc = 0;
	for (; n < count && rc == 0; n++) {
		struct ip_packet *p = &packets[n];
		rc = find_ip(s, messages[n], p);
		if (rc || p->fd != packets[0].fd)
			break;
		headers[n] =
			(struct mmsghdr){.msg_hdr = {.msg_name = &p->to,
		                                     .msg_namelen = p->to.any.sa_family == AF_INET
		                                                            ? sizeof p->to.in
		                                                            : sizeof p->to.in6,
		                                     .msg_iov = &p->bytes,
		                                     .msg_iovlen = 1}};
	}
	return n ? send_headers(packets[0].fd, headers, n) : rc;
}

static void went_away(struct pt_block *b, struct inject_sink *s, int code)
{
	if (s->away)
		return;
	s->away = true;
	pt_failed(b, code, "interface '%s' is %s: what comes is unsent until it is back", s->iface,
	          code == -ENETDOWN ? "down" : "gone");
	pt_retry(b, s->retry_s);
}

/* What to do about the first message that could not be sent: a reason to drop it, or NULL to try
   again. */
static const char *reason(struct pt_block *b, struct inject_sink *s, const struct pt_msg *m,
                          int code)
{
	switch (-code) {
	case ENETDOWN:
	case ENXIO:
	case ENODEV: went_away(b, s, code); return "unsent";
	case EMSGSIZE:
		pt_report(b, code, "a packet of %u bytes is too long for '%s', whose MTU is %u",
		          m->length, s->iface, interface_mtu(s->fd, s->iface));
		return "too-long";
	case EINVAL:
		pt_report(b, code,
		          s->from_ip ? "a packet of %u bytes with a wrong IP header for '%s'"
		                     : "a packet of %u bytes is too short for a frame on '%s'",
		          m->length, s->iface);
		return s->from_ip ? "bad-header" : "too-short";
	case EPROTO: pt_report(b, code, "a message without an IP header"); return "not-ip";
	case ENODATA:
		pt_report(b, code, "a packet of which only %u bytes were captured", m->length);
		return "truncated";
	case EAFNOSUPPORT: pt_report(b, code, "this machine has no IPv6"); return "no-ipv6";
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		if (s->away || interface_is_down(s->fd, s->iface)) {
			went_away(b, s, -ENETDOWN);
			return "unsent";
		}
		pt_report(b, code, "no route by '%s': %s", s->iface, error_words(code));
		return "no-route";
	case EPERM:
	case EACCES:
		pt_report(b, code, "the firewall or the kernel refuses a packet on '%s': %s",
		          s->iface, error_words(code));
		return "refused";
	case EAGAIN:
	case ENOBUFS:
		if (s->retries < RETRIES)
			return NULL;
		pt_report(b, code, "'%s' takes no packets", s->iface);
		s->retries = 0;
		return "no-buffers";
	}
	pt_report(b, code, "cannot send on '%s': %s", s->iface, error_words(code));
	return "send-error";
}

/* What became of the first messages: sent, or the first one dropped; none: waiting is of use. */
struct fate {
	unsigned count;
	const char *why; /* dropped */
	int code;        /* to wait for */
};

static struct fate try_to_send(struct pt_block *b, struct inject_sink *s,
                               struct pt_msg *const *messages, unsigned count)
{
	for (;;) {
		int n = s->from_ip ? send_ip(s, messages, count) : send_frames(s, messages, count);
		if (n > 0) {
			s->retries = 0;
			return (struct fate){.count = (unsigned)n};
		}
		const char *why = reason(b, s, messages[0], n);
		if (why)
			return (struct fate){.count = 1, .why = why};
		if (n == -EAGAIN || n == -ENOBUFS)
			return (struct fate){.code = n};
	}
}

static void finish(struct pt_block *b, struct pt_msg *m, const char *why)
{
	if (why)
		pt_drop(b, m, why);
	else
		pt_done(b, m);
}

static void go_on(struct pt_block *b);

static void on_writable(uv_poll_t *poll, int status, int events)
{
	uv_poll_stop(poll);
	go_on(poll->data);
}

/* A full socket buffer can be polled for; a full queue of the device (ENOBUFS) cannot. */
static void wait_for_room(struct pt_block *b, struct inject_sink *s, int code)
{
	pt_full(b, true);
	s->retries++;
	if (code == -EAGAIN && s->polled)
		uv_poll_start(&s->poll, UV_WRITABLE, on_writable);
	else
		pt_timer_at(b, &s->timer, pt_now(b) + RETRY_NS, go_on);
}

static void go_on(struct pt_block *b)
{
	struct inject_sink *s = pt_state(b);
	while (s->queue.count) {
		enum pt_canal canal;
		struct pt_msg *messages[BATCH];
		unsigned count = 0;
		for (struct pt_msg *m = s->queue.head; m && count < BATCH; m = m->next)
			messages[count++] = m;
		struct fate fate = try_to_send(b, s, messages, count);
		if (!fate.count) {
			wait_for_room(b, s, fate.code);
			return;
		}
		while (fate.count--)
			finish(b, pt_queue_take(b, &s->queue, &canal, QUEUE_MAX), fate.why);
	}
	pt_full(b, false);
}

/* Bytes that are no packet are taken to be a frame. */
static bool is_frame(const struct inject_sink *s, const struct pt_msg *m)
{
	return !pt_msg_is_packet(m) || m->link_type == s->link_type ||
	       (packet_link_is_ip(m->link_type) && packet_link_is_ip((uint16_t)s->link_type));
}

static void drop_other(struct pt_block *b, const struct inject_sink *s, struct pt_msg *m)
{
	pt_report(b, -EPROTOTYPE, "a packet of link type %u (%s) is no frame for '%s' (%s)",
	          m->link_type, interface_link_words(m->link_type), s->iface,
	          interface_link_words(s->link_type));
	pt_drop(b, m, "link-type");
}

static unsigned drop_others(struct pt_block *b, const struct inject_sink *s,
                            struct pt_msg **messages, unsigned count)
{
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		if (is_frame(s, messages[i]))
			messages[left++] = messages[i];
		else
			drop_other(b, s, messages[i]);
	}
	return left;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct inject_sink *s = pt_state(b);
	unsigned at = 0;
	for (; s->away && at < count; at++)
		pt_drop(b, messages[at], "unsent");
	if (!s->from_ip && at < count)
		count = drop_others(b, s, messages, count);
	while (at < count && !s->queue.count) {
		struct fate fate = try_to_send(b, s, messages + at, count - at);
		if (!fate.count) {
			wait_for_room(b, s, fate.code);
			break;
		}
		while (fate.count--)
			finish(b, messages[at++], fate.why);
	}
	while (at < count)
		pt_queue_add(b, &s->queue, canal, messages[at++], QUEUE_MAX, PT_DROP_NEWEST);
}

static void stop(struct pt_block *b)
{
	struct inject_sink *s = pt_state(b);
	go_on(b);
	pt_queue_drop(b, &s->queue, "stopped");
}

static int close_socket(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	if (s->fd >= 0)
		close(s->fd);
	if (s->fd6 >= 0)
		close(s->fd6);
	s->fd = s->fd6 = -1;
	return 0;
}

static const struct pt_param params[] = {
	{"iface", "The interface to send on.", PT_STRING(struct inject_sink, iface),
         .flags = PT_REQUIRED},
	{"retry_s",
         "How often to look for the interface when it is down or gone; None: the block fails.",
         PT_SECONDS(struct inject_sink, retry_s), "5", .flags = PT_OR_NONE, .max = 1e6},
	{"netns",
         "The network namespace that the interface is in: a name of ip-netns(8), or a path. The "
         "daemon needs CAP_SYS_ADMIN for that; see pipetoold(8).",
         PT_STRING(struct inject_sink, netns), "None"},
	{NULL},
};

#define INJECT                                                                                     \
	.api = PT_API, .role = PT_SINK, .ports = PT_LOW_ENTRY, .outside = "wire",                  \
	.params = params, .size = sizeof(struct inject_sink), .open = open_socket, .start = start, \
	.push_many = push_many, .stop = stop, .close = close_socket

static const struct pt_type inject_sink = {
	.name = "InjectSink",
	.summary = "Sends the packets of the low entry out of an interface, as frames",
	.help = "The bytes go out as they are, from the link layer's header on. A packet of "
		"another link type than the interface's is dropped and counted (link-type); bytes "
		"that are no packet are taken as a frame. What the interface refuses is dropped, "
		"too: too-long for its MTU, too-short for a frame. While it is down or gone what "
		"comes is unsent, and as soon as it is back packets go out again. When it is "
		"merely slow the sources wait. The daemon needs CAP_NET_RAW.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "   >-|--[iface]  |\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){"RdpcapSource('in.pcap', speed=1) > InjectSink('lo')", NULL},
	INJECT,
	.init = init,
};

static const struct pt_type inject3_sink = {
	INJECT,
	.name = "Inject3Sink",
	.summary = "Sends the packets of the low entry out of an interface, from the IP header on",
	.help = "The header of the link layer, if there is one, is left out; the kernel finds the "
		"next hop, IPv4 and IPv6, and puts the IPv4 header's checksum and length right. "
		"Dropped and counted are: not-ip, truncated (captures that are cut), no-route, "
		"too-long for the MTU (nothing is fragmented), bad-header, refused (by a "
		"firewall), unsent (while the interface is down or gone). When the interface is "
		"merely slow the sources wait. The daemon needs CAP_NET_RAW.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "   >-|--[iface]  |\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){
			"CLIHighFeeder() >> UDPDrain('127.0.0.1', 9) > Inject3Sink('lo')", NULL},
	.init = init_from_ip,
};

PT_TYPES(inject_sink, &inject_sink, &inject3_sink);
