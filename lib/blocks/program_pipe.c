/* SPDX-License-Identifier: BSD-2-Clause */
/* ProgramPipe: a program as source and sink. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/program.h"
#include "capture/feed.h"
#include "capture/incoming.h"
#include "net/process.h"
#include "net/speaker.h"
#include "net/streams.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REST_NS 2000000000u /* for what its children still print when it has ended */

enum format { LINES, RAW, PCAP, PCAPNG, FRAMES };
static const char *const formats_words[] = {"lines", "raw", "pcap", "pcapng", "frames", NULL};
static const char *const out_words[] = {"lines", "raw", "pcap", "pcapng", NULL};

struct program_pipe {
	struct speaker speaker; /* its program, and frames */
	char **command;
	int format, out; /* out: -1, as format */
	double restart_s;
	uint64_t limit;
	int fd; /* in place of a program; -1: none */
	char *label;

	char **argv;
	struct stream streams[2]; /* to it, and from it: of bytes */
	struct framing framings[2];
	struct feed feed; /* of captures */
	struct buf bytes;
	struct incoming incoming;
	struct pt_timer rest, again;
	uint64_t ended_ns;
	bool taken_over, closed, no_more, out_ended, over;
	bool greeted; /* what a capture begins with stands before a packet */
};

static struct stream *input(struct program_pipe *p)
{
	return &p->streams[0];
}

static struct stream *output(struct program_pipe *p)
{
	return &p->streams[1];
}

static char *const *argv_of(const struct program_pipe *p)
{
	return p->argv ? p->argv : p->command;
}

static enum format out_format(const struct program_pipe *p)
{
	return (enum format)(p->out < 0 ? p->format : p->out);
}

static bool is_capture(enum format format)
{
	return format == PCAP || format == PCAPNG;
}

/* ---- its end ---- */

static void finish_if_over(struct pt_block *b);

static void input_ended(struct pt_block *b)
{
}

static void output_ended(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	p->out_ended = true;
	finish_if_over(b);
}

static void capture_ended(struct incoming *in, const char *why)
{
	if (why)
		pt_report(in->block, -EBADMSG, "what it prints is no capture: %s", why);
	output_ended(in->block);
}

static void start_again(struct pt_block *b);

/* What was left of the old one's is in the middle of a capture. */
static void begin_feed(struct pt_block *b, struct program_pipe *p)
{
	if (!is_capture((enum format)p->format))
		return;
	stream_drop_queue(input(p), "unsent");
	feed_fini(&p->feed);
	feed_init(&p->feed, pt_name(b), FEED_PLAIN);
	p->feed.is_pcap = p->format == PCAP;
	buf_clear(&p->bytes);
	feed_header(&p->feed, &p->bytes);
	p->greeted = false;
}

static void stay_ended(struct pt_block *b, struct program_pipe *p)
{
	char *words = process_last_words(&p->speaker.child, argv_of(p)[0]);
	p->closed = true;
	pt_busy(b, false);
	pt_queue_drop(b, &input(p)->queue, "unsent");
	stream_detach(input(p));
	pt_full(b, false);
	if (p->speaker.child.status)
		pt_failed(b, -EIO, "%s", words);
	else
		pt_exhausted(b);
	free(words);
}

static void start_later(struct pt_block *b, struct program_pipe *p)
{
	pt_timer_at(b, &p->again, p->ended_ns + (uint64_t)(p->restart_s * 1e9), start_again);
}

static void wait_to_start(struct pt_block *b, struct program_pipe *p)
{
	char *words = process_last_words(&p->speaker.child, argv_of(p)[0]);
	stream_detach(input(p));
	if (p->speaker.child.status)
		pt_report(b, -EIO, "%s; it is started again", words);
	else
		pt_note(b, "%s; it is started again", words);
	free(words);
	start_later(b, p);
}

static void end(struct pt_block *b, struct program_pipe *p)
{
	p->ended_ns = pt_now(b);
	process_kill(&p->speaker.child);
	p->over = true;
	pt_timer_stop(b, &p->rest);
	stream_detach(output(p));
	incoming_end(&p->incoming);
	begin_feed(b, p);
	if (p->restart_s > 0 && (!p->no_more || input(p)->queue.head))
		wait_to_start(b, p);
	else
		stay_ended(b, p);
}

static void end_anyway(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	if (!p->over)
		end(b, p);
}

static void finish_if_over(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	if (p->speaker.child.exited && p->out_ended && !p->over)
		end(b, p);
}

/* Its children may still print. */
static void child_ended(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	pt_timer_at(b, &p->rest, pt_now(b) + REST_NS, end_anyway);
	finish_if_over(b);
}

/* ---- its beginning ---- */

static int check_command(struct pt_block *b, struct program_pipe *p, struct pt_error *err)
{
	if (!p->command || !p->command[0])
		return pt_fail(err, -EINVAL, "command", "say which program is to be run");
	if (!p->command[1])
		p->argv = program_words(p->command[0], "command", err);
	const char *program = p->command[1] ? p->command[0] : p->argv ? p->argv[0] : NULL;
	return program ? pt_may_run(b, "command", program, err) : -EINVAL;
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct program_pipe *p = pt_state(b);
	if (p->fd != -1)
		return pt_fail(err, -EINVAL, "fd",
		               "a socket in place of a program takes format=\"frames\"");
	process_init(&p->speaker.child, b, child_ended);
	stream_init(input(p), b, &p->limit, input_ended);
	stream_init(output(p), b, &p->limit, output_ended);
	for (int i = 0; i < 2; i++) {
		p->streams[i].fellows = p->streams;
		p->streams[i].fellow_count = 2;
		p->streams[i].framing = &p->framings[i];
	}
	static uint8_t newline[] = "\n";
	const struct framing lines = {.delimiter = {newline, 1}, .limit = 1 << 20};
	if (p->format == LINES)
		p->framings[0] = lines;
	if (out_format(p) == LINES)
		p->framings[1] = lines;
	p->incoming = (struct incoming){.block = b,
	                                .ended = capture_ended,
	                                .ready = &output(p)->ready,
	                                .slot = -1,
	                                .may_be_empty = true};
	return check_command(b, p, err);
}

static char *key_of(const struct program_pipe *p)
{
	struct buf key = BUF_INIT;
	buf_addf(&key, "program %d %d", p->format, (int)out_format(p));
	for (char *const *word = argv_of(p); *word; word++)
		buf_addf(&key, " %zu:%s", strlen(*word), *word);
	return buf_steal(&key);
}

/* Only to a block of this process: the program is its child. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct program_pipe *p = pt_state(b);
	char *key = key_of(p);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR && !p->closed && !p->over)
		pt_carry_fd(carry, key, -1);
	free(key);
}

static int open_program(struct pt_block *b, struct pt_error *err)
{
	struct program_pipe *p = pt_state(b);
	int fd;
	char *key = key_of(p);
	p->taken_over = pt_carried_fd(b, key, &fd);
	free(key);
	return p->taken_over ? 0 : process_open(&p->speaker.child, argv_of(p), "command", err);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct program_pipe *p = pt_state(b), *before = pt_state(old);
	if (!p->taken_over)
		return;
	process_take_over(&p->speaker.child, &before->speaker.child);
	stream_take_over(input(p), input(before));
	stream_take_over(output(p), output(before));
	p->feed = before->feed;
	before->feed = (struct feed){0};
	p->bytes = before->bytes;
	before->bytes = (struct buf)BUF_INIT;
	p->greeted = before->greeted;
	incoming_take_over(&p->incoming, &before->incoming);
	p->out_ended = before->out_ended;
}

/* A capture without packets has a beginning, too. */
static void finish_input(struct pt_block *b, struct program_pipe *p)
{
	struct pt_msg *m = NULL;
	if (is_capture((enum format)p->format) && !p->greeted && p->bytes.length)
		m = pt_msg_new(pt_pool(b), p->bytes.data, p->bytes.length);
	if (m) {
		pt_made(b, 1);
		stream_push(input(p), &m, 1);
	}
	stream_finish(input(p));
}

static void begin(struct pt_block *b, struct program_pipe *p)
{
	struct pt_error err = PT_ERROR_INIT;
	int in = p->speaker.child.in, out = p->speaker.child.out;
	p->speaker.child.in = p->speaker.child.out = -1;
	p->over = p->out_ended = false;
	stream_begin(input(p), in);
	if (p->no_more)
		finish_input(b, p);
	if (!is_capture(out_format(p)))
		stream_begin(output(p), out);
	else if (incoming_begin(&p->incoming, out, p->command[0], &err))
		pt_failed(b, -EIO, "%s", pt_error_text(&err, "cannot read what it prints"));
	pt_error_clear(&err);
	process_start(&p->speaker.child);
}

static void start_again(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	struct pt_error err = PT_ERROR_INIT;
	int rc = process_open(&p->speaker.child, argv_of(p), "command", &err);
	if (!rc) {
		begin(b, p);
		return;
	}
	pt_report(b, rc, "%s", pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	p->ended_ns = pt_now(b);
	start_later(b, p);
}

static void go_on(struct pt_block *b, struct program_pipe *p)
{
	process_start(&p->speaker.child);
	incoming_go_on(&p->incoming);
	finish_if_over(b);
}

static void start(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	bool goes_on = p->taken_over;
	p->taken_over = p->closed = p->no_more = p->over = false;
	input(p)->keeps = p->restart_s > 0;
	stream_start(input(p));
	stream_start(output(p));
	if (goes_on) {
		go_on(b, p);
	} else {
		begin_feed(b, p);
		begin(b, p);
	}
}

/* ---- what goes in ---- */

static struct pt_msg *wrap(struct pt_block *b, struct program_pipe *p, struct pt_msg *m)
{
	if (p->greeted)
		buf_clear(&p->bytes);
	p->greeted = true;
	if (!feed_packet(&p->feed, &p->bytes, m)) {
		pt_drop(b, m, "link-type");
		return NULL;
	}
	struct pt_msg *wrapped = pt_msg_new(pt_pool(b), p->bytes.data, p->bytes.length);
	if (!wrapped)
		pt_drop(b, m, "memory");
	else
		pt_msg_unref(m);
	return wrapped;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct program_pipe *p = pt_state(b);
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		if (p->closed) {
			pt_drop(b, m, "unsent");
			continue;
		}
		if (is_capture((enum format)p->format))
			m = wrap(b, p, m);
		if (m)
			messages[kept++] = m;
	}
	if (kept)
		stream_push(input(p), messages, kept);
}

/* Between two of them, nothing would start another but what waits. */
static void finish(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	p->no_more = true;
	pt_busy(b, !p->closed); /* it has its time, also where nobody wants what it prints */
	if (!p->closed && !p->over) {
		finish_input(b, p);
	} else if (!p->closed && !input(p)->queue.head) {
		p->closed = true;
		pt_busy(b, false);
		pt_timer_stop(b, &p->again);
		pt_exhausted(b);
	}
}

/* ---- what comes out ---- */

static void produce(struct pt_block *b, unsigned max)
{
	struct program_pipe *p = pt_state(b);
	if (!is_capture(out_format(p)))
		stream_produce(output(p), max);
	else if (!incoming_produce(&p->incoming, max) && !*p->incoming.ready)
		pt_ready(b, false);
}

static void changed(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	stream_limit_changed(input(p));
	input(p)->keeps = p->restart_s > 0;
	if (p->closed && p->over && p->restart_s > 0 && !p->no_more) {
		p->closed = false;
		pt_mended(b, "'%s' is started again", argv_of(p)[0]);
		start_later(b, p);
	} else if (p->again.place && p->restart_s > 0)
		start_later(b, p);
	else if (p->again.place) {
		pt_timer_stop(b, &p->again);
		stay_ended(b, p);
	}
}

static json_t *describe(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	json_t *now = process_describe(&p->speaker.child);
	streams_describe_unread(&(struct streams){input(p), 1}, now);
	return now;
}

static void stop(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	stream_stop(input(p));
	stream_stop(output(p));
	incoming_end(&p->incoming);
	feed_fini(&p->feed);
}

static int close_program(struct pt_block *b, struct pt_error *err)
{
	struct program_pipe *p = pt_state(b);
	int out = output(p)->fd;
	int rc = p->closed ? stream_close(input(p), NULL) : stream_close(input(p), err);
	process_close(&p->speaker.child, out);
	stream_close(output(p), NULL);
	incoming_close(&p->incoming);
	p->taken_over = p->closed = false;
	return rc;
}

static void fini(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	stream_fini(input(p));
	stream_fini(output(p));
	process_fini(&p->speaker.child);
	buf_free(&p->bytes);
	if (p->argv)
		texts_free(p->argv);
}

/* ---- frames ---- */

static int init_frames(struct pt_block *b, struct pt_error *err)
{
	struct program_pipe *p = pt_state(b);
	speaker_init(&p->speaker, b, p->fd, &p->restart_s, &p->limit);
	if (p->out >= 0)
		return pt_fail(err, -EINVAL, "out", "with format=\"frames\" frames come out, too");
	int rc = p->fd == -1 ? check_command(b, p, err)
	                     : speaker_check(&p->speaker, p->command, err);
	p->speaker.argv = p->command ? argv_of(p) : NULL;
	return rc;
}

/* Whether the engine waits for what the program does with each message. */
static json_t *describe_frames(struct pt_block *b)
{
	json_t *now = describe(b);
	if (pt_in_turn(b))
		json_object_set_new(now, "in_turn", json_true());
	return now;
}

static void fini_frames(struct pt_block *b)
{
	struct program_pipe *p = pt_state(b);
	speaker_fini(b);
	if (p->argv)
		texts_free(p->argv);
}

/* ---- the two tables ---- */

static const struct pt_param params[] = {
	{"command",
         "The program and its arguments: a list, or a text that is split as a "
         "shell does it (quotes, nothing is expanded). [programs] allow must "
         "name it.",
         PT_STRINGS(struct program_pipe, command), .fallback = "None"},
	{"format",
         "What goes in: lines (a newline behind each message), raw, packets as a "
         "pcap (nanoseconds) or pcapng, or frames, which also come out, and "
         "carry all that a message is, triggers and credits: the manual "
         "pipetool-blocks(7) has the format.",
         PT_CHOICE(struct program_pipe, format), .fallback = "lines", .choices = formats_words},
	{"out", "What comes out, if that is another format; of captures any.",
         PT_CHOICE(struct program_pipe, out), .fallback = "None", .choices = out_words},
	{"restart_s",
         "Starts it again when it has ended, after so many seconds; None: does "
         "not. Set on one that has ended, it starts that, too.",
         PT_SECONDS(struct program_pipe, restart_s), .fallback = "None", .flags = PT_LIVE,
         .min = 0.01, .max = 1e6},
	{"limit", "Bytes that may wait for it before sources are held back.",
         PT_SIZE(struct program_pipe, limit), .fallback = "1MiB", .flags = PT_LIVE, .min = 1,
         .max = 1e12},
	{"fd",
         "In place of a program, with frames: a socket that came with the request, "
         "counted from 0.",
         PT_FD(struct program_pipe, fd), .fallback = "None"},
	{"label", "What it is to people, in words.", PT_STRING(struct program_pipe, label),
         .fallback = "None", .flags = PT_LIVE},
	{NULL}};

static const struct pt_type *pick(const json_t *params);

static const struct pt_type program_pipe = {
	.api = PT_API,
	.name = "ProgramPipe",
	.summary = "Runs a program, whose input and output are sink and source",
	.help = "What enters goes to the program's standard input, what it prints leaves: lines, "
		"bytes as they come, or packets as a capture. It is started with the engine, in a "
		"process group of its own and without other descriptors; a program that does not "
		"read, or is not read from, is waited for, both ways. Its standard error goes to "
		"the log; show has the last lines. When all sources that reach it are exhausted "
		"its input is closed. When it has ended the block is exhausted, or it starts again "
		"after restart_s, for which what comes meanwhile waits; another status than 0, or "
		"a signal, fails the block, and what comes then is dropped (unsent). When the "
		"engine stops its input is closed, and what has not ended a second later is asked "
		"to, and killed another second later, with its children.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "     |           |\n"
		   "   >-|-[program]-|->\n"
		   "     +-----------+\n",
	.examples = (const char *const[]){"RdpcapSource('in.pcap') >\n"
                                          "    ProgramPipe('tshark -r -', format='pcap', "
                                          "out='lines') > ConsoleSink()",
                                          "RdpcapSource('in.pcap') >\n"
                                          "    ProgramPipe(['tshark', '-r', '-', '-w', '-'], "
                                          "format='pcapng') > Sink()",
                                          NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.outside = "program",
	.params = params,
	.variant = pick,
	.size = sizeof(struct program_pipe),
	.init = init,
	.open = open_program,
	.start = start,
	.produce = produce,
	.push_many = push_many,
	.changed = changed,
	.no_more = finish,
	.describe = describe,
	.finish = finish,
	.carry = carry,
	.take_over = take_over,
	.stop = stop,
	.close = close_program,
	.fini = fini,
};

static const struct pt_type program_frames = {
	.api = PT_API,
	.name = "ProgramPipe",
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = 0777,
	.elsewhere = true,
	.outside = "program",
	.params = params,
	.variant = pick,
	.size = sizeof(struct program_pipe),
	.init = init_frames,
	.open = speaker_open,
	.start = speaker_start,
	.produce = speaker_produce,
	.push_many = speaker_push,
	.trigger = speaker_trigger,
	.changed = speaker_changed,
	.no_more = speaker_no_more,
	.describe = describe_frames,
	.stop = speaker_stop,
	.close = speaker_close,
	.fini = fini_frames,
};

static const struct pt_type *pick(const json_t *of)
{
	const char *format = json_string_value(json_object_get(of, "format"));
	return format && !strcmp(format, "frames") ? &program_frames : &program_pipe;
}

PT_TYPES(program_pipe, &program_pipe);
