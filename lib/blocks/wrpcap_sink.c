/* SPDX-License-Identifier: BSD-2-Clause */
/* WrpcapSink: packets to a capture file, or to several that follow one another. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/moment.h"
#include "capture/capture.h"
#include "capture/file_carry.h"
#include "capture/rotate.h"
#include "capture/split_params.h"
#include "packet/naming.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define QUIET_NS 1000000000u /* what is buffered reaches the file after so long */

struct wrpcap_sink {
	struct pt_file fname;
	int link_type;
	int format, compress; /* -1: by the name */
	bool gz, append;
	struct split_rotate rotate;
	double retry_s;
	int plain_link_type;
	int64_t open, values;

	struct naming *naming; /* of a name with fields, whose files `split` has; or NULL */
	struct split split;
	struct capture_writer *writer;
	struct split_file file;
	struct file_carry carry;
	bool started, failed;
	bool told_begun;      /* that the file has its header */
	atomic_bool reopened; /* and what it leaves has not been told since */
	bool numbered;        /* a trigger has begun a next file */
	atomic_bool full;     /* the writer's thread wakes the block */
	struct pt_timer timer;
	struct capture_misfits misfits; /* told so far */
};

static bool rotates(const struct wrpcap_sink *s)
{
	return s->rotate.size || s->rotate.seconds > 0;
}

static bool is_handed(const struct wrpcap_sink *s)
{
	return s->fname.fd != -1;
}

/* As the parameters or else the name say it of a file that is begun. */
static enum capture_format format_of(const struct wrpcap_sink *s)
{
	return s->format >= 0 ? (enum capture_format)s->format
	                      : capture_format_by_name(s->fname.path);
}

static enum pack_kind pack_of(const struct wrpcap_sink *s)
{
	return s->gz              ? PACK_GZIP
	       : s->compress >= 0 ? (enum pack_kind)s->compress
	                          : pack_by_name(s->fname.path, NULL);
}

static int check(struct pt_block *b, struct pt_error *err)
{
	struct wrpcap_sink *s = pt_state(b);
	int rc = 0;
	if (s->gz && s->compress >= 0 && s->compress != PACK_GZIP)
		rc = pt_fail(err, -EINVAL, "compress",
		             "'%s' is not what gz says; leave out one of the two",
		             pack_words[s->compress]);
	const struct split_check check = {&s->rotate, pack_of(s), s->append, is_handed(s)};
	if (!rc)
		rc = split_check(&check, err);
	if (!rc && !is_handed(s) && naming_has_fields(s->fname.path))
		rc = naming_new(s->fname.path, &s->naming, err);
	return rc;
}

/* [writer's thread] */
static void on_progress(void *arg)
{
	struct pt_block *b = arg;
	struct wrpcap_sink *s = pt_state(b);
	bool go_on = atomic_load(&s->full) && capture_writer_has_much_room(s->writer);
	if (go_on || capture_writer_error(s->writer) || atomic_load(&s->reopened) ||
	    atomic_load(&s->carry.settling))
		pt_wake(b);
}

/* [writer's thread, or in close] */
static void on_lost(void *arg, uint64_t packets)
{
	pt_undone(arg, packets, "write-error");
}

static struct capture_writer_config config_of(struct pt_block *b)
{
	const struct wrpcap_sink *s = pt_state(b);
	return (struct capture_writer_config){
		.path = s->fname.path,
		.fd = -1,
		.folders = pt_folders(b, &s->fname),
		.files = (uint64_t)s->rotate.files,
		.format = format_of(s),
		.any_format = s->format < 0,
		.link_type = s->link_type,
		.pack = pack_of(s),
		.append = s->append,
		.application = "pipetool",
		.progress = on_progress,
		.lost = on_lost,
		.arg = b,
	};
}

static int open_anew(struct pt_block *b, struct pt_error *err)
{
	struct wrpcap_sink *s = pt_state(b);
	struct capture_writer_config config = config_of(b);
	if (rotates(s))
		config.number = rotate_next(config.folders, s->fname.path);
	else if (pt_comes_back(b) && !is_handed(s))
		config.begun = CAPTURE_FOUND;
	if (is_handed(s))
		config.fd = pt_open_file(b, "fname", &s->fname, O_WRONLY, 0, err);
	if (is_handed(s) && config.fd < 0)
		return config.fd;
	return capture_writer_open(&config, &s->writer, err);
}

static int open_split(struct pt_block *b, struct wrpcap_sink *s, struct pt_error *err)
{
	const struct split_config config = {
		.file = config_of(b),
		.names = {s->naming, naming_key, naming_path, naming_other},
		.rotate = s->rotate,
		.open = (unsigned)s->open,
		.values = (unsigned)s->values,
		.retry_s = s->retry_s,
	};
	return split_open(b, &s->split, &config, err);
}

/* ---- handing over ---- */

static bool settle(struct pt_block *b, bool begin)
{
	struct wrpcap_sink *s = pt_state(b);
	bool none = s->failed || is_handed(s);
	if (s->naming)
		return split_settle(&s->split, begin);
	return file_carry_settle(&s->carry, none ? NULL : s->writer, begin);
}

/* After a clean end a ring goes on with its next file. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct wrpcap_sink *s = pt_state(b);
	bool next = (rotates(s) || s->numbered) && pt_carry_to(carry) != PT_TO_SUCCESSOR;
	if (s->naming)
		split_carry(&s->split, carry);
	else if (!s->failed && !is_handed(s))
		file_carry_tell(&s->carry, s->writer, s->fname.path, !next, carry);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct wrpcap_sink *s = pt_state(b), *before = pt_state(old);
	split_take_over(b, &s->split, &before->split);
	if (!s->carry.is_carried)
		return;
	s->numbered = before->numbered;
	const struct capture_writer_config config = config_of(b);
	s->writer = before->writer;
	s->file = before->file;
	capture_writer_adopt(s->writer, &config);
	s->misfits = before->misfits;
	before->writer = NULL;
	before->started = false;
}

/* Where it goes on from a checkpoint, it is in the file of that. */
static int open_carried(struct pt_block *b, struct wrpcap_sink *s, struct pt_error *err)
{
	const struct capture_writer_config config = config_of(b);
	const struct capture_note *from;
	s->carry.rotates = rotates(s);
	s->carry.says_pack = s->gz || s->compress >= 0;
	int rc = file_carry_open(&s->carry, b, &config, &s->writer, &from, err);
	s->numbered = from && from->number && !rotates(s);
	if (from)
		s->file = (struct split_file){.begun = from->bytes > 0};
	return rc;
}

static int open_file(struct pt_block *b, struct pt_error *err)
{
	struct wrpcap_sink *s = pt_state(b);
	s->started = s->failed = s->file.begun = s->told_begun = false;
	s->numbered = s->carry.is_carried = false;
	s->misfits = (struct capture_misfits){0};
	if (s->naming)
		return open_split(b, s, err);
	int rc = is_handed(s) ? 0 : open_carried(b, s, err);
	return rc || s->carry.is_carried ? rc : open_anew(b, err);
}

/* ---- writing ---- */

static void on_quiet(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	if (s->naming)
		split_push(&s->split);
	else
		capture_writer_push(s->writer);
}

static bool has_room(const void *writer)
{
	return capture_writer_has_room(writer);
}

/* The next daemon goes on with what has a header. */
static bool tell_begun(struct pt_block *b, struct wrpcap_sink *s)
{
	if (s->told_begun || capture_writer_link_type(s->writer) < 0)
		return false;
	s->told_begun = true;
	pt_carry_changed(b);
	return true;
}

static void start(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	s->started = true;
	if (s->naming) {
		split_start(&s->split);
		return;
	}
	if (!s->file.begun_ns)
		s->file.begun_ns = pt_now(b);
	atomic_store(&s->full, false);
	capture_writer_head(s->writer);
	tell_begun(b, s);
	if (capture_writer_aside(s->writer))
		pt_note(b, "%s", capture_writer_aside(s->writer));
	if (s->carry.is_carried)
		split_hold_back(b, &s->full, has_room, s->writer);
	pt_timer_at(b, &s->timer, pt_now(b) + QUIET_NS, on_quiet);
	s->carry.is_carried = false;
}

static void fail(struct pt_block *b, struct wrpcap_sink *s, int code, struct pt_error *err)
{
	bool again = s->retry_s > 0 && !is_handed(s);
	if (!s->failed)
		pt_failed(b, code, "%s%s", pt_error_text(err, error_words(code)),
		          again ? "; it is tried again, and what comes is lost meanwhile" : "");
	if (!s->failed && again)
		pt_retry(b, s->retry_s);
	s->failed = true;
	atomic_store(&s->full, false);
	pt_full(b, false);
}

/* Writes the first of them; how many have gone. */
static unsigned put(struct pt_block *b, struct wrpcap_sink *s, struct pt_msg **messages,
                    unsigned count)
{
	struct pt_error err = PT_ERROR_INIT;
	int n = capture_writer_put(s->writer, messages, count, &err);
	if (n > 0) {
		split_tell_misfits(b, s->writer, s->fname.path, &s->misfits);
		pt_done_many(b, messages, (unsigned)n);
		return (unsigned)n;
	}
	if (n == 0) {
		split_drop_all(b, messages, count, "overflow");
		return count;
	}
	if (n == -EMEDIUMTYPE) {
		pt_report(b, n, "%s", pt_error_text(&err, ""));
		pt_drop(b, messages[0], "link-type");
		count = 1;
	} else {
		fail(b, s, n, &err);
		split_drop_all(b, messages, count, "write-error");
	}
	pt_error_clear(&err);
	return count;
}

/* What is no packet becomes one of now. */
static void make_packets(const struct wrpcap_sink *s, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (pt_msg_is_packet(messages[i]) || pt_msg_own(&messages[i]))
			continue;
		messages[i]->link_type = (uint16_t)s->plain_link_type;
		if (!messages[i]->time_ns)
			messages[i]->time_ns = moment_now();
	}
}

static void put_all(struct pt_block *b, struct wrpcap_sink *s, struct pt_msg **messages,
                    unsigned count)
{
	for (unsigned at = 0; at < count;) {
		if (rotates(s))
			split_rotate_if_due(b, &s->rotate, &s->file, s->writer);
		at += put(b, s, messages + at, s->rotate.size ? 1 : count - at);
	}
	if (s->failed)
		return;
	if (tell_begun(b, s))
		capture_writer_push(s->writer);
	split_hold_back(b, &s->full, has_room, s->writer);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct wrpcap_sink *s = pt_state(b);
	pt_came_on(b);
	if (s->plain_link_type >= 0)
		make_packets(s, messages, count);
	if (s->naming)
		split_put(&s->split, false, messages, count);
	else
		put_all(b, s, messages, count);
	if (!s->failed && !s->timer.place)
		pt_timer_at(b, &s->timer, pt_now(b) + QUIET_NS, on_quiet);
}

static void woken(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	struct pt_error err = PT_ERROR_INIT;
	if (s->naming)
		split_woken(&s->split);
	if (s->naming || !s->started || s->failed)
		return;
	if (atomic_load(&s->reopened) && capture_writer_fd(s->writer) >= 0) {
		atomic_store(&s->reopened, false);
		pt_carry_changed(b);
	}
	if (capture_writer_error(s->writer)) {
		fail(b, s, capture_writer_put(s->writer, NULL, 0, &err), &err);
		pt_error_clear(&err);
	} else if (atomic_load(&s->full) && capture_writer_has_room(s->writer)) {
		atomic_store(&s->full, false);
		pt_full(b, false);
	}
}

/* ---- its name ---- */

static void reopen(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	if (s->naming) {
		split_reopen(&s->split);
		return;
	}
	bool elsewhere = capture_writer_is_elsewhere(s->writer);
	if (is_handed(s) || s->failed || !(elsewhere || (rotates(s) && s->file.begun)))
		return;
	capture_writer_reopen(s->writer);
	s->file.begun = s->told_begun = false;
	atomic_store(&s->reopened, !rotates(s));
	if (elsewhere && capture_writer_is_elsewhere(s->writer))
		pt_note(b,
		        "'%s' is another file now, to which nothing is appended: the one that "
		        "had the name before is written on",
		        s->fname.path);
	else if (elsewhere)
		pt_note(b, "'%s' led elsewhere, and was opened anew", s->fname.path);
}

/* The next file; or, where the name leads elsewhere, that of the name. */
static void on_trigger(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	if (s->naming) {
		split_next(&s->split);
	} else if (is_handed(s)) {
		pt_report(b, -EINVAL, "'%s' was handed over: there is no next file", s->fname.path);
	} else if (capture_writer_is_elsewhere(s->writer)) {
		reopen(b);
	} else if (!s->failed && (s->file.begun || !rotates(s))) {
		capture_writer_rotate(s->writer);
		s->file.begun = s->told_begun = false;
		s->numbered = true;
		capture_writer_head(s->writer);
		pt_carry_changed(b);
	}
}

static json_t *describe(struct pt_block *b)
{
	const struct wrpcap_sink *s = pt_state(b);
	if (s->naming)
		return split_describe(&s->split);
	if (is_handed(s) || !s->writer || !capture_writer_is_elsewhere(s->writer))
		return json_object();
	return json_pack("{s:s}", "name",
	                 "leads elsewhere: SIGHUP to the daemon, or set of the same fname, opens "
	                 "the file anew");
}

static void stop(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	atomic_store(&s->full, false);
}

static int close_file(struct pt_block *b, struct pt_error *err)
{
	struct wrpcap_sink *s = pt_state(b);
	int rc = 0;
	if (s->naming)
		rc = split_close(&s->split, err);
	else if (s->started)
		rc = capture_writer_close(s->writer, s->failed ? NULL : err);
	else
		capture_writer_cancel(s->writer);
	s->writer = NULL;
	s->started = false;
	return s->failed ? 0 : rc;
}

static void fini(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	naming_free(s->naming);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"fname", "The file; one that is there is overwritten when the first packet comes. A FIFO "
	 "needs a reader; a file that is being read is refused. It may have fields: "
	 "'{ip.src}.pcap'.",
	 PT_FILE(struct wrpcap_sink, fname),
	 .flags = PT_REQUIRED | PT_WRITE},
	{"linktype", "The link type of the file; None takes the first packet's.",
	 PT_LINKTYPE(struct wrpcap_sink, link_type), .fallback = "None"},
	{"format", "pcap has microseconds, pcap-ns nanoseconds, pcapng nanoseconds and several "
	 "link types. None goes by the name: .pcapng and .ntar are pcapng, else it is pcap; with "
	 "append by the file that is there.",
	 PT_CHOICE(struct wrpcap_sink, format), .fallback = "None",
	 .choices = capture_formats},
	{"gz", "Compress with gzip, whatever the name.", PT_BOOL(struct wrpcap_sink, gz),
	 .fallback = "false"},
	{"append", "Go on at the end of a file of the same format and link type.",
	 PT_BOOL(struct wrpcap_sink, append), .fallback = "false"},
	{"rotate", "Write files that follow one another: out.pcap becomes out.00001.pcap, "
	 "out.00002.pcap and so on, after the highest number there is.",
	 PT_OBJECT(struct wrpcap_sink, rotate), .fallback = "None", .members = split_rotate_params},
	SPLIT_COMPRESS(struct wrpcap_sink, compress),
	{"retry_s", "After a failed write, how often to try to go on behind the last whole packet; "
	 "None: does not.",
	 PT_SECONDS(struct wrpcap_sink, retry_s), .fallback = "None", .max = 1e6},
	{"plain_linktype", "The link type of messages that are no packets, which are written as "
	 "packets of now. None: as linktype says, and without that they are dropped.",
	 PT_LINKTYPE(struct wrpcap_sink, plain_link_type), .fallback = "None"},
	SPLIT_OPEN(struct wrpcap_sink, open),
	SPLIT_VALUES(struct wrpcap_sink, values),
	{NULL},
};
/* clang-format on */

static const struct pt_type wrpcap_sink = {
	.api = PT_API,
	.name = "WrpcapSink",
	.summary = "Writes the packets of the low entry to a capture file",
	.help = "Packets are buffered; what is buffered reaches the file within a second, and the "
		"disk when the engine stops. A packet of another link type than the file's is "
		"dropped and counted, but in pcapng. A message that is not a packet is written "
		"only if linktype is set, as a packet of now. A time that pcap cannot say (before "
		"1970, after 2106) becomes the nearest, and a packet longer than readers take "
		"(256 KiB; of USB and D-Bus 128 MiB) is cut: both are told and counted. What a "
		"pcapng said beside its packets (interfaces, comments, names, secrets, statistics) "
		"goes to a pcapng with them, before the packets that followed it. When a "
		"write fails the block fails and what comes is dropped. Where the daemon itself "
		"brings the engine back, after a crash or a boot, the file is gone on with behind "
		"its last whole packet; another kind of file stays, and out.00001.pcap is "
		"written beside it. A trigger begins the next file, numbered as with rotate. With "
		"fields in the name there is a file for each value: " SPLIT_HELP,
	.picture = "     +----------+\n"
		   "     |          |\n"
		   "   >-|--[file]  |\n"
		   "     |     |    |\n"
		   "     +-----^----+\n",
	.examples =
		(const char *const[]){
			"RdpcapSource('in.pcap') > WrpcapSink('out.pcap')",
			"RdpcapSource('in.pcap') > WrpcapSink('out.pcapng.zst')",
			("RdpcapSource('in.pcap') > \n"
                         "    WrpcapSink('ring.pcap', rotate={'size': '100MiB', 'files': 10})"),
			"RdpcapSource('in.pcap') > WrpcapSink('by-host/{ip.src}.pcap')", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_TRIGGER_ENTRY,
	.params = params,
	.size = sizeof(struct wrpcap_sink),
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
	.stop = stop,
	.close = close_file,
	.fini = fini,
};

PT_TYPES(wrpcap_sink, &wrpcap_sink);
