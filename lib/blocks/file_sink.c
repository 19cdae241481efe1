/* SPDX-License-Identifier: BSD-2-Clause */
/* FileSink: the bytes of messages in a file, or in many. */
#include <pipetool/outside.h>

#include "capture/split.h"
#include "capture/split_params.h"
#include "packet/naming.h"
#include <errno.h>
#include <fcntl.h>

#define QUIET_NS 1000000000u /* what is buffered reaches the file after so long */

struct file_sink {
	struct pt_file fname;
	bool newlines, append;
	int compress; /* -1: by the name */
	struct split_rotate rotate;
	int64_t open, values;
	double retry_s;

	struct naming *naming; /* NULL: the name has no fields */
	struct split split;
	struct pt_timer timer;
};

static enum pack_kind pack_of(const struct file_sink *s)
{
	return s->compress >= 0 ? (enum pack_kind)s->compress : pack_by_name(s->fname.path, NULL);
}

static int check(struct pt_block *b, struct pt_error *err)
{
	struct file_sink *s = pt_state(b);
	const struct split_check check = {&s->rotate, pack_of(s), s->append, s->fname.fd != -1};
	int rc = split_check(&check, err);
	if (!rc && s->fname.fd == -1 && naming_has_fields(s->fname.path))
		rc = naming_new(s->fname.path, &s->naming, err);
	return rc;
}

static int open_file(struct pt_block *b, struct pt_error *err)
{
	struct file_sink *s = pt_state(b);
	struct split_config config = {
		.file = {.path = s->fname.path,
	                 .fd = -1,
	                 .folders = pt_folders(b, &s->fname),
	                 .link_type = 0,
	                 .pack = pack_of(s),
	                 .append = s->append,
	                 .raw = s->newlines ? CAPTURE_NEWLINES : CAPTURE_BYTES},
		.names = {s->naming, naming_key, naming_path, naming_other},
		.rotate = s->rotate,
		.open = (unsigned)s->open,
		.values = (unsigned)s->values,
		.retry_s = s->retry_s,
	};
	if (s->fname.fd != -1)
		config.file.fd = pt_open_file(b, "fname", &s->fname, O_WRONLY, 0, err);
	if (s->fname.fd != -1 && config.file.fd < 0)
		return config.file.fd;
	return split_open(b, &s->split, &config, err);
}

static bool settle(struct pt_block *b, bool begin)
{
	struct file_sink *s = pt_state(b);
	return s->fname.fd != -1 || split_settle(&s->split, begin);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct file_sink *s = pt_state(b);
	if (s->fname.fd == -1)
		split_carry(&s->split, carry);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct file_sink *s = pt_state(b), *before = pt_state(old);
	split_take_over(b, &s->split, &before->split);
}

static void start(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	split_start(&s->split);
}

static void on_quiet(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	split_push(&s->split);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct file_sink *s = pt_state(b);
	split_put(&s->split, canal == PT_HIGH, messages, count);
	if (!s->timer.place)
		pt_timer_at(b, &s->timer, pt_now(b) + QUIET_NS, on_quiet);
}

static void on_trigger(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	if (s->fname.fd != -1)
		pt_report(b, -EINVAL, "'%s' was handed over: there is no next file", s->fname.path);
	else
		split_next(&s->split);
}

static void woken(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	split_woken(&s->split);
}

static void reopen(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	if (s->fname.fd == -1)
		split_reopen(&s->split);
}

static json_t *describe(struct pt_block *b)
{
	const struct file_sink *s = pt_state(b);
	return split_describe(&s->split);
}

static int close_file(struct pt_block *b, struct pt_error *err)
{
	struct file_sink *s = pt_state(b);
	return split_close(&s->split, err);
}

static void fini(struct pt_block *b)
{
	struct file_sink *s = pt_state(b);
	naming_free(s->naming);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"fname", "The file; one that is there is overwritten when the first message comes. It may "
	 "have fields: \"{ip.src}.txt\".", PT_FILE(struct file_sink, fname),
	 .flags = PT_REQUIRED | PT_WRITE},
	{"newlines", "Write a newline behind each message.", PT_BOOL(struct file_sink, newlines),
	 .fallback = "false"},
	{"append", "Go on at the end of a file that is there.", PT_BOOL(struct file_sink, append),
	 .fallback = "false"},
	{"rotate", "Write files that follow one another: out.txt becomes out.00001.txt, "
	 "out.00002.txt and so on, after the highest number there is.",
	 PT_OBJECT(struct file_sink, rotate), .fallback = "None", .members = split_rotate_params},
	SPLIT_COMPRESS(struct file_sink, compress),
	{"retry_s", "After a failed write, how often to try to go on; None: does not.",
	 PT_SECONDS(struct file_sink, retry_s), .fallback = "None", .max = 1e6},
	SPLIT_OPEN(struct file_sink, open),
	SPLIT_VALUES(struct file_sink, values),
	{NULL},
};
/* clang-format on */

static const struct pt_type file_sink = {
	.api = PT_API,
	.name = "FileSink",
	.summary = "Writes the bytes of messages of both entries to a file, or to many",
	.help = "What came is in the file within a second, and on the disk when the engine stops. "
		"With fields in the name there is a file for each value: " SPLIT_HELP
		" When a write fails, what comes for that file is dropped and counted, and the "
		"others go on. A trigger begins the next file, which is numbered as with rotate.",
	.picture = "     +----------+\n"
		   "  >>-|--,       |\n"
		   "     |  |       |\n"
		   "   >-|--[file]  |\n"
		   "     |     |    |\n"
		   "     +-----^----+\n",
	.examples =
		(const char *const[]){
			"FileSource('in.txt') > FileSink('out.txt.gz', newlines=True)",
			"RdpcapSource('in.pcap') > TransformDrain('function(m) return m:text() "
			"end') >\n"
			"    FileSink('bytes.bin', rotate={'size': '100MiB', 'files': 10})",
			NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY | PT_TRIGGER_ENTRY,
	.params = params,
	.size = sizeof(struct file_sink),
	.init = check,
	.open = open_file,
	.carry = carry,
	.settle = settle,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.trigger = on_trigger,
	.woken = woken,
	.reopen = reopen,
	.describe = describe,
	.close = close_file,
	.fini = fini,
};

PT_TYPES(file_sink, &file_sink);
