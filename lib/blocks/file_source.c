/* SPDX-License-Identifier: BSD-2-Clause */
/* FileSource: the lines or the bytes of files. */
#include <pipetool/outside.h>

#include "capture/replay.h"
#include <errno.h>

#define BATCH 64

static const char *const ways[] = {"line", "block", NULL};

struct file_source {
	struct replay in;
	int by;
	uint64_t limit;
};

static int check(struct pt_block *b, struct pt_error *err)
{
	struct file_source *s = pt_state(b);
	return replay_check(&s->in, err);
}

static int open_file(struct pt_block *b, struct pt_error *err)
{
	struct file_source *s = pt_state(b);
	const struct capture_reading reading = {.as = s->by ? CAPTURE_BLOCKS : CAPTURE_LINES,
	                                        .limit = s->limit};
	return replay_open(b, &s->in, ways[s->by], &reading, err);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct file_source *s = pt_state(b);
	replay_carry(&s->in, ways[s->by], carry);
	replay_carry_place(&s->in, 0, carry);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct file_source *s = pt_state(b), *before = pt_state(old);
	replay_take_over(&s->in, &before->in, b);
}

static void start(struct pt_block *b)
{
	struct file_source *s = pt_state(b);
	replay_start(b, &s->in);
}

/* Each counts as an error, and as a message that is lost. */
static void tell_left_out(struct pt_block *b, struct file_source *s)
{
	for (uint64_t n = series_left_out(s->in.series); n; n--) {
		pt_report(b, -EMSGSIZE, "a line of '%s' is longer than limit, and is left out",
		          series_name(s->in.series));
		pt_lost(b, 1, "too-long");
	}
}

static void produce(struct pt_block *b, unsigned max)
{
	struct file_source *s = pt_state(b);
	struct pt_msg *messages[BATCH];
	unsigned n = replay_next(b, &s->in, messages, max);
	if (s->in.series)
		tell_left_out(b, s);
	if (!n)
		return;
	pt_made(b, n);
	pt_send_many(b, PT_LOW, messages, n);
}

static bool tell_progress(struct pt_block *b, uint64_t *done, uint64_t *size)
{
	const struct file_source *s = pt_state(b);
	return replay_progress(&s->in, 0, done, size);
}

static void finish(struct pt_block *b)
{
	struct file_source *s = pt_state(b);
	replay_finish(b, &s->in);
}

static void stop(struct pt_block *b)
{
	struct file_source *s = pt_state(b);
	replay_stop(&s->in);
}

static int close_file(struct pt_block *b, struct pt_error *err)
{
	struct file_source *s = pt_state(b);
	replay_close(&s->in);
	return 0;
}

static const struct pt_param params[] = {
	REPLAY_FNAME(struct file_source, in, "The file; a FIFO or a device is read as it comes."),
	{"by",
         "What a message is: a line, without its newline, or whatever bytes are read at once.",
         PT_CHOICE(struct file_source, by), .fallback = "line", .choices = ways},
	REPLAY_FOLLOW(struct file_source, in),
	REPLAY_LOOP(struct file_source, in),
	{"limit", "Bytes of the longest line, longer ones are left out; and of the largest block.",
         PT_SIZE(struct file_source, limit), .fallback = "1MiB", .min = 1, .max = 1 << 30},
	REPLAY_IDLE(struct file_source, in),
	{0},
};

static const struct pt_type file_source = {
	.api = PT_API,
	.name = "FileSource",
	.summary = "Reads files and sends their lines, or their bytes, to the low exit",
	.help = "The file may be compressed with gzip, zstd or lz4, whatever it is called. The "
		"last line counts without a newline, too, and a carriage return is part of the "
		"line. A line that is longer than limit is told, counted and left out. The source "
		"is exhausted at the end of the last file; a file that cannot be read to its end "
		"is told, and the block has failed then. What is followed is read from the "
		"beginning; a last line without a newline waits for its rest until ptctl close.",
	.picture = "     +--------+\n"
		   "     |        |\n"
		   "     | [file] |\n"
		   "     |   `----|->\n"
		   "     +--------+\n",
	.examples = (const char *const[]){"FileSource(\"in.txt\") > ConsoleSink()",
                                          "FileSource(\"app*.log\", follow=True, idle=1) >\n"
                                          "    FilterDrain(\"function(m) return m:find('error') "
                                          "end\") > ConsoleSink()",
                                          NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params = params,
	.size = sizeof(struct file_source),
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

PT_TYPES(file_source, &file_source);
