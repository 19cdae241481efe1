/* SPDX-License-Identifier: BSD-2-Clause */
/* SniffSource: packets of a network interface, as they come. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "capture/capture.h"
#include "capture/live.h"
#include "capture/live_carry.h"
#include "capture/live_filter.h"
#include "capture/live_gap.h"
#include "capture/live_span.h"
#include "net/watch.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define BATCH   64
#define MS_NS   1000000u
#define REST_NS (50 * MS_NS)  /* in which what came before has come out of the ring */
#define PIN_NS  (500 * MS_NS) /* and as long again: then what is held has memory of its own */

struct sniff_source {
	char *iface, *filter, *netns;
	int socket, direction, fanout_by;
	bool promisc, immediate;
	int64_t snaplen, fanout;
	uint64_t buffer_size;
	double retry_s;
	struct live_span span;

	char *taken; /* the interface that was captured last, waited for where it has gone */
	struct live *live;
	struct live_filter *change; /* for another block's capture, which is taken over */
	struct live_marks told;     /* of the checkpoint that it was asked for last */
	struct pt_error trouble;    /* with what is there for after a crash, until it is told */
	bool resumed;               /* it goes on where an earlier daemon was */
	bool other_buffer;          /* which cannot be had while the capture goes on */
	/* What the successor wants of the socket, done in close: the kernel takes its time. */
	bool promisc_wanted;
	int promisc_fd;
	uv_poll_t poll;
	bool polled; /* the handle is there */
	bool paused;
	bool failed;
	bool woken;              /* and nothing read since */
	bool down;               /* told, and no packet since */
	struct net_watch *watch; /* while it is down */
	struct pt_timer timer, pinned, look;
	/* Its end, where the span says so. */
	bool muted, last, ended;
	struct pt_timer deadline;
};

static const struct pt_carried carries[] = {
	{"so_far", PT_CARRY_BYTES(struct sniff_source, span.so_far)},
	{NULL},
};

static int check(struct pt_block *b, struct pt_error *err)
{
	struct sniff_source *s = pt_state(b);
	s->promisc_fd = -1;
	if (s->iface && s->socket >= 0)
		return pt_fail(err, -EINVAL, "socket",
		               "iface and socket cannot go together: the socket has its interface");
	if (s->netns && s->socket >= 0)
		return pt_fail(err, -EINVAL, "netns",
		               "netns and socket cannot go together: the socket has its namespace");
	return s->filter ? live_check_filter(s->filter, err) : 0;
}

static struct live_config config_of(const struct sniff_source *s)
{
	return (struct live_config){
		.netns = s->netns,
		.iface = s->iface    ? s->iface
	                 : s->failed ? s->taken
	                             : NULL,
		.socket = s->socket,
		.filter = s->filter,
		.snaplen = (uint32_t)s->snaplen,
		.promisc = s->promisc,
		.immediate = s->immediate,
		.buffer_size = s->buffer_size,
		.fanout = (int)s->fanout,
		.fanout_by = s->fanout_by,
		.direction = (enum live_direction)s->direction,
	};
}

/* ---- handing over ---- */

static char *key_of(const struct sniff_source *s, const char *iface)
{
	struct stat st = {.st_ino = 0};
	if (s->socket < 0)
		return must_printf("interface %s%s%s", iface ? iface : "", s->netns ? " in " : "",
		                   s->netns ? s->netns : "");
	fstat(s->socket, &st);
	return must_printf("packet-socket %ju", (uintmax_t)st.st_ino);
}

static void carry_as(struct pt_block *b, struct pt_carry *carry, const char *iface)
{
	char *key = key_of(pt_state(b), iface);
	pt_carry_fd(carry, key, -1);
	free(key);
}

static void forget_read(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	if (s->live)
		live_pass(s->live, &s->told);
}

/* What was chosen because nothing was named goes by its name, too. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct sniff_source *s = pt_state(b);
	if (pt_carry_to(carry) != PT_TO_SUCCESSOR) {
		live_carry_tell(s->live, s->netns, &s->told, carry);
		bool known = pt_carry_to(carry) == PT_AT_END && s->live && !s->netns;
		live_gap_carry(carry, known ? live_name(s->live) : NULL);
		return;
	}
	if (s->failed)
		return;
	carry_as(b, carry, s->iface);
	if (!s->iface)
		carry_as(b, carry, live_name(s->live));
}

static bool is_carried(struct pt_block *b, const struct sniff_source *s)
{
	int fd;
	char *key = key_of(s, s->iface);
	bool carried = pt_carried_fd(b, key, &fd);
	free(key);
	return carried;
}

static int open_interface(struct pt_block *b, struct pt_error *err)
{
	struct sniff_source *s = pt_state(b);
	s->failed = s->failed && pt_comes_back(b);
	s->other_buffer = false;
	pt_error_clear(&s->trouble);
	struct live_config config = config_of(s);
	config.stored = pt_is_stored(b);
	if (s->failed && live_span_is_late(&s->span))
		return 0;
	if ((s->resumed = live_carry_resume(b, &config, s->iface, &s->live, &s->trouble)))
		return 0;
	if (s->socket == PT_FD_GONE) {
		pt_fail(err, -ESTALE, "socket", "the socket was handed to an earlier daemon");
		pt_hint(err, "hand it over again, with replace and --fd");
		return -ESTALE;
	}
	return is_carried(b, s) ? live_filter_new(&config, &s->change, err)
	                        : live_open(&config, &s->live, &s->trouble, err);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct sniff_source *s = pt_state(b), *before = pt_state(old);
	if (!s->change)
		return;
	const struct live_config config = config_of(s);
	s->live = before->live;
	before->live = NULL;
	live_set_direction(s->live, config.direction);
	s->other_buffer = live_is_other(s->live, &config);
	int rc = live_change(s->live, s->change);
	if (rc)
		pt_report(b, rc, "the kernel refuses the filter, and the old one stays: %s",
		          error_words(rc));
	if (s->promisc != before->promisc) {
		before->promisc_fd = fcntl(live_socket(s->live), F_DUPFD_CLOEXEC, 0);
		before->promisc_wanted = s->promisc;
	}
}

/* ---- reading ---- */

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct sniff_source *s = pt_state(poll->data);
	uv_poll_stop(poll);
	s->woken = true;
	pt_ready(poll->data, true);
}

/* ---- an interface that goes and comes ---- */

static void is_no_fault(struct pt_block *b, struct sniff_source *s, const char *words)
{
	if (!s->down)
		return;
	s->down = false;
	net_watch_free(s->watch);
	s->watch = NULL;
	pt_mended(b, "interface '%s' %s", s->taken, words);
}

static void is_up(struct pt_block *b, struct sniff_source *s)
{
	is_no_fault(b, s, "is up again");
}

static void on_news(void *arg)
{
	struct sniff_source *s = pt_state(arg);
	bool there = live_is_there(s->live);
	if (s->down && there && !live_is_down(s->live))
		is_up(arg, s);
	else if (s->down && !there) /* reading tells that it is gone */
		pt_ready(arg, true);
}

/* Another namespace's news are not heard here. */
static void on_look(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	on_news(b);
	if (s->down)
		pt_timer_at(b, &s->look, pt_now(b) + (uint64_t)(s->retry_s * 1e9), on_look);
}

/* The capture stays: when the interface is up no packet is missed. */
static void tell_if_down(struct pt_block *b, struct sniff_source *s)
{
	if (s->down || !live_is_down(s->live))
		return;
	s->down = true;
	pt_failed(b, -ENETDOWN, "interface '%s' is down%s", live_name(s->live),
	          s->retry_s > 0 ? ": it is captured again when it is up" : "");
	if (s->retry_s <= 0)
		return;
	pt_waits(b);
	if (s->netns)
		pt_timer_at(b, &s->look, pt_now(b) + (uint64_t)(s->retry_s * 1e9), on_look);
	else
		s->watch = net_watch_new(pt_loop(b), on_news, b);
}

static void has_gone(struct pt_block *b, struct sniff_source *s, int code, const char *words)
{
	bool again = s->retry_s > 0 && s->socket < 0;
	s->failed = true;
	pt_failed(b, code, "%s%s", words, again ? ": it is captured again when it is back" : "");
	if (!again)
		return;
	if (s->span.timeout_s > 0)
		pt_retry_by(b, pt_now(b) + live_span_left_ns(&s->span) + REST_NS);
	pt_retry(b, s->retry_s);
}

/* ---- its end ---- */

static bool count_losses(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	uint64_t kernel, memory;
	if (!s->live || s->ended)
		return false;
	live_lost(s->live, &kernel, &memory);
	if (kernel)
		pt_lost(b, kernel, "kernel");
	if (memory)
		pt_lost(b, memory, "memory");
	return kernel || memory;
}

/* The kernel has forgotten what it has told, so that a checkpoint is to have it soon. */
static void refresh(struct pt_block *b)
{
	if (count_losses(b))
		pt_brims(b);
}

/* The interface stays open for a successor that wants more. */
static void end(struct pt_block *b, struct sniff_source *s)
{
	count_losses(b);
	is_no_fault(b, s, "was down until the time was over");
	live_mute(s->live);
	s->ended = true;
	uv_poll_stop(&s->poll);
	pt_exhausted(b);
}

/* By hand, or since nobody wants more. */
static void finish(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	if (s->polled && !s->ended)
		end(b, s);
}

/* What came before is still read. */
static void on_deadline(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	if (s->muted) {
		s->last = true;
		pt_ready(b, true);
		return;
	}
	live_mute(s->live);
	s->muted = true;
	pt_timer_at(b, &s->deadline, pt_now(b) + REST_NS, on_deadline);
}

/* How far it had come, if it does not begin now. What another block has captured is read first. */
static void begin_counting(struct pt_block *b, struct sniff_source *s)
{
	s->muted = s->last = s->ended = false;
	if (!pt_goes_on(b) && !s->failed)
		live_span_begin(&s->span);
	bool late = live_span_is_late(&s->span) && !s->change;
	if (late || live_span_is_full(&s->span))
		end(b, s);
	else if (s->span.timeout_s > 0)
		pt_timer_at(b, &s->deadline, pt_now(b) + live_span_left_ns(&s->span), on_deadline);
}

static void have_passed(struct pt_block *b, struct sniff_source *s, unsigned count)
{
	s->span.so_far.packets += count;
	if (live_is_behind(s->live))
		pt_brims(b);
	else
		pt_came_on(b);
	if (live_span_is_full(&s->span))
		end(b, s);
}

static bool tell_progress(struct pt_block *b, uint64_t *done, uint64_t *size)
{
	const struct sniff_source *s = pt_state(b);
	*done = s->span.so_far.packets;
	*size = (uint64_t)s->span.count;
	return s->span.count > 0;
}

/* ---- packets ---- */

static void wait_for_packets(struct pt_block *b, struct sniff_source *s)
{
	pt_ready(b, false);
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void on_timer(struct pt_block *b)
{
	pt_ready(b, true);
}

static void end_without(struct pt_block *b, struct sniff_source *s)
{
	s->ended = true;
	pt_note(b, "interface '%s' was gone until the time was over", s->taken);
	pt_exhausted(b);
}

/* The kernel has filled the ring meanwhile. */
static void go_on(struct pt_block *b, struct sniff_source *s)
{
	uint64_t poison = pt_poisoned(b) ? live_leave_out(s->live) : 0;
	pt_waited(b, live_waiting(s->live));
	if (!poison)
		return;
	pt_lost(b, poison, "poison");
	pt_report(b, -EBADMSG,
	          "three times the daemon has died behind a checkpoint: %" PRIu64 " packets of "
	          "'%s' that come next are left out",
	          poison, live_name(s->live));
}

static void start(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	live_carry_tell_trouble(b, &s->trouble);
	if (!s->live) {
		end_without(b, s);
		return;
	}
	int rc = uv_poll_init(pt_loop(b), &s->poll, live_fd(s->live));
	s->polled = rc == 0;
	s->paused = s->woken = s->down = false;
	free(s->taken);
	s->taken = must_strdup(live_name(s->live));
	if (rc) {
		pt_failed(b, rc, "cannot wait for packets of '%s': %s", live_name(s->live),
		          error_words(rc));
		return;
	}
	pt_adopt(b, (uv_handle_t *)&s->poll);
	wait_for_packets(b, s);
	begin_counting(b, s);
	if (!s->ended && !s->resumed)
		live_gap_tell(b, live_name(s->live), s->filter);
	if (s->resumed)
		go_on(b, s);
	if (live_mark(s->live, &s->told))
		pt_exact(b);
	if (s->failed)
		pt_note(b, "interface '%s' is captured again", s->taken);
	else if (!s->iface && s->socket < 0)
		pt_note(b, "captures on '%s', the first that is up", s->taken);
	s->failed = false;
	if (s->other_buffer)
		pt_note(b, "the capture goes on: buffer_size, immediate, fanout and a greater "
		           "snaplen count from the engine's next start on");
}

static void on_pinned(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	live_unpin(s->live, PIN_NS);
	if (live_is_pinned(s->live))
		pt_timer_at(b, &s->pinned, pt_now(b) + PIN_NS, on_pinned);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct sniff_source *s = pt_state(b);
	struct pt_msg *messages[BATCH];
	struct pt_error err = PT_ERROR_INIT;
	int n = live_read(s->live, pt_pool(b), messages, live_span_room(&s->span, max), &err);
	if (n > 0) {
		s->woken = false;
		is_up(b, s);
		pt_made(b, (unsigned)n);
		pt_send_many(b, PT_LOW, messages, (unsigned)n);
		have_passed(b, s, (unsigned)n);
		if (live_is_pinned(s->live) && !s->pinned.place)
			pt_timer_at(b, &s->pinned, pt_now(b) + PIN_NS, on_pinned);
	} else if (n == 0 && s->last) {
		end(b, s);
	} else if (n == 0) {
		if (s->woken)
			tell_if_down(b, s);
		s->woken = false;
		wait_for_packets(b, s);
	} else if (n == -ENOMEM) {
		pt_ready(b, false);
		pt_timer_at(b, &s->timer, pt_now(b) + MS_NS, on_timer);
	} else {
		has_gone(b, s, n, pt_error_text(&err, error_words(n)));
	}
	pt_error_clear(&err);
}

/* Held back, it need not be woken: what the kernel cannot keep meanwhile it counts. */
static void pause_polling(struct pt_block *b, bool paused)
{
	struct sniff_source *s = pt_state(b);
	if (!s->polled || s->paused == paused || s->ended)
		return;
	s->paused = paused;
	if (paused)
		uv_poll_stop(&s->poll);
	else
		pt_ready(b, true);
}

static void stop(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	count_losses(b);
	if (s->live)
		live_release(s->live);
	s->polled = false;
	net_watch_free(s->watch);
	s->watch = NULL;
}

static int close_interface(struct pt_block *b, struct pt_error *err)
{
	struct sniff_source *s = pt_state(b);
	live_close(s->live);
	live_filter_free(s->change);
	s->live = NULL;
	s->change = NULL;
	if (s->promisc_fd >= 0) {
		live_set_promisc(s->promisc_fd, s->promisc_wanted);
		close(s->promisc_fd);
	}
	s->promisc_fd = -1;
	return 0;
}

static void fini(struct pt_block *b)
{
	struct sniff_source *s = pt_state(b);
	free(s->taken);
	pt_error_clear(&s->trouble);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"iface", "The interface; None takes the first that is up, \"any\" all of them.",
	 PT_STRING(struct sniff_source, iface), .fallback = "None"},
	{"filter", "Which packets, as pcap-filter(7) has it.",
	 PT_STRING(struct sniff_source, filter), .fallback = "None"},
	{"socket", "A packet socket that is handed over, instead of iface; a datagram socket's "
	 "packets are cooked.",
	 PT_FD(struct sniff_source, socket), .fallback = "None"},
	{"snaplen", "At most so many bytes of each packet.",
	 PT_INT(struct sniff_source, snaplen), .fallback = "262144", .min = 1,
	 .max = LINK_TYPE_PACKET_MAX},
	{"promisc", "Also packets that are for others.",
	 PT_BOOL(struct sniff_source, promisc), .fallback = "true"},
	{"buffer_size", "What the kernel may keep until it is read.",
	 PT_SIZE(struct sniff_source, buffer_size), .fallback = "32MiB", .min = 65536,
	 .max = 2147483647},
	{"immediate",
	 "Each packet at once, for more work; otherwise within 2 ms. Each takes as much of "
	 "buffer_size as the longest that may come: 64 KiB, on the loopback 128, or what snaplen "
	 "needs.",
	 PT_BOOL(struct sniff_source, immediate), .fallback = "false"},
	{"fanout", "A number that several share to have the flows divided among them.",
	 PT_INT(struct sniff_source, fanout), .fallback = "None", .min = 1, .max = 65535},
	{"retry_s", "How often to look for an interface that has gone, beside news of the "
	 "kernel's; None: the block fails.",
	 PT_SECONDS(struct sniff_source, retry_s), .fallback = "5",
	 .flags = PT_OR_NONE, .max = 1e6},
	{"count", "Ends after so many packets; 0: does not.",
	 PT_INT(struct sniff_source, span.count), .fallback = "0", .min = 0, .max = 1e15},
	{"timeout", "Ends after so long.",
	 PT_SECONDS(struct sniff_source, span.timeout_s), .fallback = "None", .min = 0.001,
	 .max = 1e9},
	{"direction", "What comes in, goes out, or both; what goes out of a loopback interface "
	 "comes in.", PT_CHOICE(struct sniff_source, direction), .fallback = "inout",
	 .choices = live_directions},
	{"fanout_by", "How those that share a number have their part: each whole flows, one packet "
	 "after the other, or what a processor takes in.",
	 PT_CHOICE(struct sniff_source, fanout_by), .fallback = "flow",
	 .choices = live_fanout_words},
	{"netns", "The network namespace that the interface is in: a name of ip-netns(8), or a "
	 "path. The daemon needs CAP_SYS_ADMIN for that; see pipetoold(8). `ptctl run` opens one "
	 "that iface names itself, where its user may.",
	 PT_STRING(struct sniff_source, netns), .fallback = "None"},
	{NULL},
};
/* clang-format on */

static const struct pt_type sniff_source = {
	.api = PT_API,
	.name = "SniffSource",
	.summary = "Captures packets from an interface and sends them to the low exit",
	.help = "Packets have times of nanoseconds. What the kernel had to drop, because this "
		"engine or a sink was too slow, is shown as dropped for the reason kernel. The "
		"daemon needs CAP_NET_RAW. An interface that goes down or away is waited for, and "
		"captured again when it is back; meanwhile the block has failed. One that is not "
		"there at the start is refused. With count or timeout the source is exhausted "
		"after that, and with `ptctl close` at once; count and timeout go on where it is "
		"replaced, or the daemon started anew. Where descriptors are stored the capture "
		"itself goes on then: the kernel keeps buffer_size of packets meanwhile, or, "
		"without fanout and socket, 10 s at least of a slow link, for which it has a "
		"second ring of that size; and none is lost or comes twice.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "     | [iface]---|->\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){"SniffSource('lo') > ConsoleSink()",
                                      "SniffSource('lo', filter='tcp port 443', promisc=false) >\n"
                                      "    WrpcapSink('https.pcap')",
                                      NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params = params,
	.carries = carries,
	.size = sizeof(struct sniff_source),
	.init = check,
	.open = open_interface,
	.carry = carry,
	.take_over = take_over,
	.committed = forget_read,
	.start = start,
	.produce = produce,
	.pause = pause_polling,
	.refresh = refresh,
	.progress = tell_progress,
	.finish = finish,
	.stop = stop,
	.close = close_interface,
	.fini = fini,
};

PT_TYPES(sniff_source, &sniff_source);
