/* SPDX-License-Identifier: BSD-2-Clause */
/* WiresharkSink: a Wireshark that is fed as it is by nobody else. */
#include <pipetool/outside.h>

#include "base/program.h"
#include "capture/feed.h"
#include "net/viewer.h"
#include <stdlib.h>

struct wireshark {
	struct viewer viewer;
	struct feed feed;
	int link_type;
	char **args;
	char *program;
	uint64_t limit;
	struct buf bytes; /* of one message, kept for the next */
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct wireshark *w = pt_state(b);
	viewer_init(&w->viewer, b, &w->limit);
	w->viewer.name = w->program;
	return pt_may_run(b, "program", w->program, err);
}

static int check_display(struct pt_block *b, struct pt_error *err)
{
	struct wireshark *w = pt_state(b);
	if (!program_is(w->program, "wireshark") || program_has_display())
		return 0;
	pt_fail(err, -PT_ESTATE, "program", "the daemon has no display for '%s'", w->program);
	pt_hint(err,
	        "'ptctl wireshark ENGINE.BLOCK' opens one on your side, fed from any block; this "
	        "one, %s, can be a Sink",
	        pt_name(b));
	return -PT_ESTATE;
}

static char *key_of(const struct wireshark *w)
{
	struct buf key = BUF_INIT;
	buf_addf(&key, "viewer %s", w->program);
	for (char **arg = w->args; arg && *arg; arg++)
		buf_addf(&key, "\n%s", *arg);
	return buf_steal(&key);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct wireshark *w = pt_state(b);
	viewer_carry(&w->viewer, carry, key_of(w));
}

static uint16_t plain_type(const struct wireshark *w)
{
	return w->link_type < 0 ? FEED_PLAIN : (uint16_t)w->link_type;
}

/* The stream has begun, and its interfaces are described. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct wireshark *w = pt_state(b), *before = pt_state(old);
	if (!w->viewer.taken_over)
		return;
	viewer_take_over(&w->viewer, &before->viewer);
	w->feed = before->feed;
	w->feed.plain = plain_type(w);
	before->feed = (struct feed){0};
}

/* Also to one that an earlier daemon has fed: a stream may have several sections. */
static int greet(struct pt_block *b, struct pt_error *err)
{
	struct wireshark *w = pt_state(b);
	feed_init(&w->feed, pt_name(b), plain_type(w));
	buf_clear(&w->bytes);
	feed_header(&w->feed, &w->bytes);
	return viewer_greet(&w->viewer, w->bytes.data, w->bytes.length, err);
}

static int open_viewer(struct pt_block *b, struct pt_error *err)
{
	struct wireshark *w = pt_state(b);
	if (viewer_carried(&w->viewer, key_of(w)))
		return w->viewer.fd < 0 ? 0 : greet(b, err);
	int rc = check_display(b, err);
	if (rc)
		return rc;
	char **argv = program_viewer(w->program, (const char *const *)w->args);
	rc = viewer_open(&w->viewer, argv, VIEWER_STDIN, "program", err);
	texts_free(argv);
	return rc ? rc : greet(b, err);
}

static void start(struct pt_block *b)
{
	struct wireshark *w = pt_state(b);
	viewer_start(&w->viewer);
}

/* The message as a block of the stream, in its place. */
static struct pt_msg *wrap(struct pt_block *b, struct pt_msg *m)
{
	struct wireshark *w = pt_state(b);
	buf_clear(&w->bytes);
	feed_packet(&w->feed, &w->bytes, m);
	struct pt_msg *wrapped = pt_msg_new(pt_pool(b), w->bytes.data, w->bytes.length);
	if (wrapped)
		pt_msg_unref(m);
	else
		pt_drop(b, m, "memory");
	return wrapped;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct wireshark *w = pt_state(b);
	unsigned wrapped = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = wrap(b, messages[i]);
		if (m)
			messages[wrapped++] = m;
	}
	viewer_push(&w->viewer, messages, wrapped);
}

static void stop(struct pt_block *b)
{
	struct wireshark *w = pt_state(b);
	viewer_stop(&w->viewer);
}

static int close_viewer(struct pt_block *b, struct pt_error *err)
{
	struct wireshark *w = pt_state(b);
	feed_fini(&w->feed);
	return viewer_close(&w->viewer, err);
}

static void fini(struct pt_block *b)
{
	struct wireshark *w = pt_state(b);
	viewer_fini(&w->viewer);
	buf_free(&w->bytes);
}

static const struct pt_type wireshark_sink = {
	.api = PT_API,
	.name = "WiresharkSink",
	.summary = "Shows packets in a Wireshark of their own",
	.help = "Started with the engine, on the daemon's display, and fed with pcapng: "
		"nanoseconds, and the block's name as the interface. What is no packet is of "
		"linktype. Sources that can wait do so while it reads slowly; if it reads nothing "
		"for five seconds, messages are dropped. It may be closed at any time: what comes "
		"then is dropped, and the engine goes on. When the engine stops it stays open.\n\n"
		"A daemon without display: `ptctl wireshark ENGINE.BLOCK` shows what leaves any "
		"block in a Wireshark on the client's side.",
	.picture = "     +-------------+\n"
		   "     |             |\n"
		   "     |             |\n"
		   "   >-|-[wireshark] |\n"
		   "     +-------------+\n",
	.examples = (const char *const[]){"RdpcapSource(\"in.pcap\") > WiresharkSink()",
                                          "RdpcapSource(\"in.pcap\") > WiresharkSink(args=[\"-Y\", "
                                          "\"tcp.port == 443\"])",
                                          NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.params =
		(const struct pt_param[]){
			{"linktype", "Link type of messages that are not packets; None is 147.",
                         PT_LINKTYPE(struct wireshark, link_type), "None"},
			{"args", "Further arguments for the program.",
                         PT_STRINGS(struct wireshark, args), "None"},
			{"program",
                         "What to run: a wireshark gets -Slki -, a tshark -l -i -, any other "
                         "program its arguments alone.",
                         PT_STRING(struct wireshark, program), "wireshark"},
			{"limit", "Bytes that may wait for it before sources are held back.",
                         PT_SIZE(struct wireshark, limit), "8MiB", .min = 1, .max = 1e12},
			{NULL}},
	.size = sizeof(struct wireshark),
	.init = init,
	.open = open_viewer,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.stop = stop,
	.close = close_viewer,
	.fini = fini,
};

PT_TYPES(wireshark_sink, &wireshark_sink);
