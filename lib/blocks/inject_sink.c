/* SPDX-License-Identifier: BSD-2-Clause */
/* InjectSink: sends packets out of a network interface, as frames. */
#include <pipetool/queue.h>

#include "base/error.h"
#include "capture/interface.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define BATCH         64
#define QUEUE_MAX     (16 * 1024 * 1024) /* bytes that wait for the interface */
#define RETRY_NS      1000000u
#define RETRIES       1000 /* without one packet sent, before one is given up */
#define LOOK_AGAIN_NS 1000000000u

struct inject_sink {
	char *iface;

	int fd;
	uv_poll_t poll;
	bool polled;
	struct pt_queue queue; /* kept until the interface takes them */
	struct pt_timer timer;
	unsigned retries;
	bool down;          /* told, and not up since */
	uint64_t looked_ns; /* for an interface that was made anew */
};

static int bind_to(int fd, int index)
{
	const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = index};
	return bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	s->fd = -1;
	return 0;
}

/* Protocol 0: it sends, and receives nothing. */
static int open_socket(struct pt_block *b, struct pt_error *err)
{
	struct inject_sink *s = pt_state(b);
	int index = interface_index(s->iface, err);
	if (index < 0)
		return index;
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 && (errno == EPERM || errno == EACCES))
		return interface_not_permitted(s->iface, "send", err);
	int rc = s->fd < 0 ? -errno : bind_to(s->fd, index);
	if (rc)
		return pt_fail(err, rc, "iface", "cannot send on '%s': %s", s->iface,
		               error_words(rc));
	return 0;
}

static void start(struct pt_block *b)
{
	struct inject_sink *s = pt_state(b);
	s->retries = 0;
	s->down = false;
	int rc = uv_poll_init(pt_loop(b), &s->poll, s->fd);
	s->polled = rc == 0;
	if (rc)
		pt_failed(b, rc, "cannot wait for '%s': %s", s->iface, error_words(rc));
	else
		pt_adopt(b, (uv_handle_t *)&s->poll);
}

/* ---- sending ---- */

static int send_some(const struct inject_sink *s, struct pt_msg *const *messages, unsigned count)
{
	struct iovec iov[BATCH];
	struct mmsghdr headers[BATCH];
	for (unsigned i = 0; i < count; i++) {
		iov[i] = (struct iovec){(void *)(uintptr_t)messages[i]->bytes, messages[i]->length};
		headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
	}
	int n;
	do
		n = sendmmsg(s->fd, headers, count, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* An interface that was deleted and made again has another number. */
static bool found_again(struct pt_block *b, struct inject_sink *s)
{
	uint64_t now = pt_now(b);
	if (s->looked_ns && now - s->looked_ns < LOOK_AGAIN_NS)
		return false;
	s->looked_ns = now;
	unsigned index = if_nametoindex(s->iface);
	return index && bind_to(s->fd, (int)index) == 0;
}

static void tell_down(struct pt_block *b, struct inject_sink *s, int code)
{
	if (!s->down)
		pt_report(b, code, "interface '%s' is %s: what comes is dropped until it is up",
		          s->iface, code == -ENETDOWN ? "down" : "gone");
	s->down = true;
}

/* What to do about the first message that could not be sent: a reason to drop it, or NULL to try
   again. */
static const char *reason(struct pt_block *b, struct inject_sink *s, const struct pt_msg *m,
                          int code)
{
	switch (-code) {
	case ENETDOWN: tell_down(b, s, code); return "interface-down";
	case ENXIO:
	case ENODEV:
		if (found_again(b, s))
			return NULL;
		tell_down(b, s, code);
		return "interface-down";
	case EMSGSIZE:
		pt_report(b, code, "a packet of %u bytes is too long for '%s', whose MTU is %u",
		          m->length, s->iface, interface_mtu(s->iface));
		return "too-long";
	case EINVAL:
		pt_report(b, code, "a packet of %u bytes is too short for a frame on '%s'",
		          m->length, s->iface);
		return "too-short";
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
		int n = send_some(s, messages, count);
		if (n > 0) {
			s->retries = 0;
			s->down = false;
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

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct inject_sink *s = pt_state(b);
	unsigned at = 0;
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
	s->fd = -1;
	return 0;
}

static const struct pt_param params[] = {
	{"iface", "The interface to send on.", PT_STRING(struct inject_sink, iface),
         .flags = PT_REQUIRED},
	{NULL},
};

static const struct pt_type inject_sink = {
	.api = PT_API,
	.name = "InjectSink",
	.summary = "Sends the packets of the low entry out of an interface, as frames",
	.help = "The bytes go out as they are, from the link layer's header on, whatever they are. "
		"What "
		"the interface refuses is dropped and counted: too long for its MTU, too short for "
		"a "
		"frame, or the interface is down; when it is up again packets go out again. When "
		"it is "
		"merely slow the sources wait. The daemon needs CAP_NET_RAW.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "   >-|--[iface]  |\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){"RdpcapSource('in.pcap', speed=1) > InjectSink('lo')", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.outside = "wire",
	.params = params,
	.size = sizeof(struct inject_sink),
	.init = init,
	.open = open_socket,
	.start = start,
	.push_many = push_many,
	.stop = stop,
	.close = close_socket,
};

PT_TYPES(inject_sink, &inject_sink);
