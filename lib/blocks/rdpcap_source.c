/* SPDX-License-Identifier: BSD-2-Clause */
/* RdpcapSource: the packets of a capture file. */
#include <pipetool/outside.h>

#include "base/pace.h"
#include "capture/replay.h"
#include <errno.h>
#include <string.h>

#define BATCH 64

struct rdpcap_source {
	struct replay in;
	double speed;
	int64_t count;
	double pps, bits_s;

	/* With speed: what was read ahead, and what its times are counted from. */
	struct pt_msg *ahead[BATCH];
	unsigned ahead_at, ahead_end;
	struct timing {
		uint64_t sent; /* in all rounds */
		bool anchored;
		uint64_t anchor_ns;
		int64_t first_ns;
		/* With a pace: when the next is due. */
		struct pace pace;
	} timing;
};

#define TIMING "timing"

static int check(struct pt_block *b, struct pt_error *err)
{
	struct rdpcap_source *s = pt_state(b);
	if ((s->speed > 0) + (s->pps > 0) + (s->bits_s > 0) > 1)
		return pt_fail(err, -EINVAL, s->pps > 0 ? "pps" : "rate",
		               "give one of speed, pps and rate");
	return replay_check(&s->in, err);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct rdpcap_source *s = pt_state(b);
	replay_carry(&s->in, "packets", carry);
	replay_carry_place(&s->in, s->ahead_end - s->ahead_at, carry);
	if (pt_carry_exact(carry) && pt_carry_to(carry) != PT_TO_SUCCESSOR)
		pt_carry_bytes(carry, TIMING, &s->timing, sizeof s->timing);
}

static void take_timing(struct pt_block *b, struct rdpcap_source *s)
{
	size_t length;
	const void *timing = pt_carried_bytes(b, TIMING, &length);
	if (timing && length == sizeof s->timing)
		memcpy(&s->timing, timing, length);
}

static int open_file(struct pt_block *b, struct pt_error *err)
{
	struct rdpcap_source *s = pt_state(b);
	return replay_open(b, &s->in, "packets", &(struct capture_reading){0}, err);
}

static void start(struct pt_block *b)
{
	struct rdpcap_source *s = pt_state(b);
	bool goes_on = replay_start(b, &s->in);
	take_timing(b, s);
	if (!goes_on) {
		s->timing.anchored = false;
		s->timing.sent = 0;
	}
	if (!goes_on || !s->timing.pace.next_ns) {
		s->timing.pace.next_ns = pt_now(b);
		s->timing.pace.part_ns = 0;
	}
}

/* Each counts as an error. */
static void tell_misdated(struct pt_block *b, struct rdpcap_source *s)
{
	for (uint64_t n = series_misdated(s->in.series); n; n--)
		pt_report(b, -ERANGE,
		          "a packet of '%s' is dated before 1677 or after 2262, and goes on with "
		          "the nearest time that there is",
		          series_name(s->in.series));
}

/* The same. */
static void tell_oddities(struct pt_block *b, struct rdpcap_source *s)
{
	for (uint64_t n = series_left_out(s->in.series); n; n--)
		pt_report(b, -ENOTSUP,
		          "a block of '%s' that is no packet, and of a kind that is unknown or too "
		          "long, is left out",
		          series_name(s->in.series));
	for (uint64_t n = series_damaged(s->in.series); n; n--)
		pt_report(
			b, -EBADMSG,
			"options or names of '%s' reach past the end of their block, and are left "
			"out from there on",
			series_name(s->in.series));
}

static unsigned read_some(struct pt_block *b, struct rdpcap_source *s, struct pt_msg **messages,
                          unsigned max)
{
	int64_t rounds = s->in.rounds;
	unsigned n = replay_next(b, &s->in, messages, max);
	if (s->in.rounds != rounds)
		s->timing.anchored = false;
	if (n)
		tell_misdated(b, s);
	tell_oddities(b, s);
	return n;
}

/* When the packet is due by the file's timing; one without a time, or of before the first, at
   once. */
static uint64_t due_ns(const struct rdpcap_source *s, const struct pt_msg *m)
{
	if (m->time_ns <= s->timing.first_ns)
		return s->timing.anchor_ns;
	uint64_t after = (uint64_t)m->time_ns - (uint64_t)s->timing.first_ns;
	double scaled = (double)after / s->speed;
	if (scaled > PACE_FAR_NS)
		after = (uint64_t)PACE_FAR_NS;
	else if (s->speed != 1)
		after = (uint64_t)scaled;
	return s->timing.anchor_ns + after;
}

static void begin_timing(struct rdpcap_source *s, const struct pt_msg *m, uint64_t now)
{
	if (s->timing.anchored || !m->time_ns)
		return;
	s->timing.anchored = true;
	s->timing.anchor_ns = now;
	s->timing.first_ns = m->time_ns;
}

static bool has_pace(const struct rdpcap_source *s)
{
	return s->pps > 0 || s->bits_s > 0;
}

static double wait_ns(const struct rdpcap_source *s, const struct pt_msg *m)
{
	return s->pps > 0 ? 1e9 / s->pps : m->wire_length * 8e9 / s->bits_s;
}

/* 0: at once. */
static uint64_t due_of(struct rdpcap_source *s, const struct pt_msg *m, uint64_t now)
{
	if (has_pace(s))
		return s->timing.pace.next_ns;
	begin_timing(s, m, now);
	return s->timing.anchored ? due_ns(s, m) : 0;
}

static uint64_t left_to_send(const struct rdpcap_source *s)
{
	uint64_t count = (uint64_t)s->count;
	return !count ? UINT64_MAX : s->timing.sent < count ? count - s->timing.sent : 0;
}

static void have_sent(struct pt_block *b, struct rdpcap_source *s, struct pt_msg **messages,
                      unsigned count)
{
	s->timing.sent += count;
	pt_came_on(b);
	pt_made(b, count);
	pt_send_many(b, PT_LOW, messages, count);
	if (!left_to_send(s))
		replay_end(b, &s->in);
}

static void produce_in_time(struct pt_block *b, struct rdpcap_source *s, unsigned max)
{
	if (s->ahead_at == s->ahead_end) {
		s->ahead_at = 0;
		s->ahead_end = read_some(b, s, s->ahead, BATCH);
	}
	uint64_t now = pt_now(b);
	unsigned begin = s->ahead_at, end = begin;
	while (end < s->ahead_end && end - begin < max) {
		const struct pt_msg *m = s->ahead[end];
		uint64_t due = due_of(s, m, now);
		if (due > now) {
			replay_again_at(b, &s->in, due);
			break;
		}
		if (has_pace(s))
			pace_step(&s->timing.pace, wait_ns(s, m), now);
		end++;
	}
	s->ahead_at = end;
	if (end > begin)
		have_sent(b, s, s->ahead + begin, end - begin);
}

/* What another block, with a speed, had read ahead comes first. */
static unsigned take_ahead(struct rdpcap_source *s, struct pt_msg **messages, unsigned max)
{
	unsigned n = 0;
	while (n < max && s->ahead_at < s->ahead_end)
		messages[n++] = s->ahead[s->ahead_at++];
	return n;
}

static void produce(struct pt_block *b, unsigned max)
{
	struct rdpcap_source *s = pt_state(b);
	uint64_t wanted = left_to_send(s);
	if (!wanted) {
		replay_end(b, &s->in);
		return;
	}
	max = wanted < max ? (unsigned)wanted : max;
	if (s->speed > 0 || has_pace(s)) {
		produce_in_time(b, s, max);
		return;
	}
	struct pt_msg *messages[BATCH];
	unsigned n = take_ahead(s, messages, max);
	if (!n)
		n = read_some(b, s, messages, max);
	if (n)
		have_sent(b, s, messages, n);
}

/* With the same speed the file's timing goes on, too. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct rdpcap_source *s = pt_state(b), *before = pt_state(old);
	if (!replay_take_over(&s->in, &before->in, b))
		return;
	s->timing.anchored = before->timing.anchored && s->speed == before->speed;
	s->timing.anchor_ns = before->timing.anchor_ns;
	s->timing.first_ns = before->timing.first_ns;
	s->timing.sent = before->timing.sent;
	s->timing.pace.next_ns = has_pace(before) ? before->timing.pace.next_ns : 0;
	s->timing.pace.part_ns = before->timing.pace.part_ns;
	s->ahead_end = take_ahead(before, s->ahead, BATCH);
}

#define RECORD_HEAD 16 /* bytes of a pcap file before a packet; of a pcapng, more */

static uint64_t bytes_ahead(const struct rdpcap_source *s)
{
	uint64_t bytes = 0;
	for (unsigned i = s->ahead_at; i < s->ahead_end; i++)
		bytes += s->ahead[i]->length + RECORD_HEAD;
	return bytes;
}

static bool tell_progress(struct pt_block *b, uint64_t *done, uint64_t *size)
{
	struct rdpcap_source *s = pt_state(b);
	if (replay_progress(&s->in, bytes_ahead(s), done, size))
		return true;
	*done = s->timing.sent;
	*size = (uint64_t)s->count;
	return s->in.series && s->count;
}

static void stop(struct pt_block *b)
{
	struct rdpcap_source *s = pt_state(b);
	while (s->ahead_at < s->ahead_end)
		pt_msg_unref(s->ahead[s->ahead_at++]);
	s->ahead_at = s->ahead_end = 0;
	replay_stop(&s->in);
}

static int close_file(struct pt_block *b, struct pt_error *err)
{
	struct rdpcap_source *s = pt_state(b);
	replay_close(&s->in);
	return 0;
}

static void finish(struct pt_block *b)
{
	struct rdpcap_source *s = pt_state(b);
	replay_finish(b, &s->in);
}

static const char *const orders[] = {"given", "time", NULL};

static const struct pt_param params[] = {
	REPLAY_FNAME(struct rdpcap_source, in,
                     "The capture file; a FIFO or a device is read as it comes."),
	{"speed", "How fast: 1 keeps the file's timing, 2 is twice as fast, 0 as fast as possible.",
         PT_NUMBER(struct rdpcap_source, speed), .fallback = "0", .max = 1e9},
	REPLAY_LOOP(struct rdpcap_source, in),
	{"order", "Of several files: given, one after the other, or time, merged by time stamp.",
         PT_CHOICE(struct rdpcap_source, in.order), .fallback = "given", .choices = orders},
	{"count", "Ends after so many packets of all rounds; 0: does not.",
         PT_INT(struct rdpcap_source, count), .fallback = "0", .min = 0, .max = 1e15},
	{"pps", "So many packets a second, whatever their times.",
         PT_NUMBER(struct rdpcap_source, pps), .fallback = "None", .min = 1e-6, .max = 1e9},
	{"rate", "So many bits a second, of the packets' lengths on the wire: \"10Mbit\".",
         PT_RATE(struct rdpcap_source, bits_s), .fallback = "None"},
	REPLAY_FOLLOW(struct rdpcap_source, in),
	REPLAY_IDLE(struct rdpcap_source, in),
	{0},
};

static const struct pt_type rdpcap_source = {
	.api = PT_API,
	.name = "RdpcapSource",
	.summary = "Reads packets from a capture file and sends them to the low exit",
	.help = "The file is pcap (microseconds or nanoseconds, either byte order, old versions "
		"too) or pcapng, or several of them one behind the other, plain or compressed with "
		"gzip, zstd or lz4, whatever it is called. Packets keep their time, link type and "
		"length on the wire; one that is dated before 1677 or after 2262 gets the nearest "
		"time, and is told and counted. The source is exhausted at the end, and a FIFO "
		"then closed. Of a damaged or truncated file everything before the damage is sent; "
		"then the block fails and tells the byte where it is; where there are several "
		"files, once the others are read. A glob is what it matches when the engine "
		"starts, by name; a file of just that name comes first. Merged, packets of the "
		"same time come in the order of their files.",
	.picture = "     +--------+\n"
		   "     |        |\n"
		   "     | [file] |\n"
		   "     |   `----|->\n"
		   "     +--------+\n",
	.examples = (const char *const[]){"RdpcapSource(\"in.pcap\") > Sink()",
                                          "RdpcapSource(\"in.pcapng\", speed=1, loop=0) > Sink()",
                                          "RdpcapSource(\"in*.pcap\", order='time') >\n"
                                          "    WrpcapSink(\"all.pcap\")",
                                          NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params = params,
	.size = sizeof(struct rdpcap_source),
	.init = check,
	.open = open_file,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.produce = produce,
	.progress = tell_progress,
	.finish = finish,
	.stop = stop,
	.close = close_file,
};

PT_TYPES(rdpcap_source, &rdpcap_source);
