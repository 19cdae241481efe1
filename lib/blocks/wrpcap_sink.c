/* SPDX-License-Identifier: BSD-2-Clause */
/* WrpcapSink: packets to a capture file, or to several that follow one another. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/moment.h"
#include "capture/capture.h"
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
#define NS_PER_S 1e9

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
	uint64_t begun_ns;
	bool begun; /* something was written to this file */
	bool started, failed;
	bool told_begun;      /* that the file has its header */
	atomic_bool reopened; /* and what it leaves has not been told since */
	bool taken_over;      /* another block's file, which is taken over */
	bool numbered;        /* a trigger has begun a next file */
	atomic_bool full;     /* the writer's thread wakes the block */
	atomic_bool settling; /* the same */
	struct capture_note note;
	int noted_fd; /* the writer's, as is the tail */
	const void *noted_tail;
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

static bool says_pack(const struct wrpcap_sink *s)
{
	return s->gz || s->compress >= 0;
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
	    atomic_load(&s->settling))
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
		.folders = pt_folders(b),
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
		config.number = rotate_highest(s->fname.path) + 1;
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

/* What the next block cannot make of it another: the file, and how it is written. */
struct handed {
	int format, link_type; /* -1: nothing is written yet */
	uint8_t pack;
	bool whole; /* all of it will be, when the daemon has ended */
};

static char *key_of(const struct wrpcap_sink *s)
{
	return must_printf("capture%s %s", rotates(s) ? "s" : "", s->fname.path);
}

#define NOTE "note"
#define TAIL "tail"

/* A FIFO takes nothing back, and may take nothing for long. */
static bool settle(struct pt_block *b, bool begin)
{
	struct wrpcap_sink *s = pt_state(b);
	s->noted_fd = -1;
	if (s->naming || s->failed || is_handed(s) || !capture_writer_is_regular(s->writer))
		return true;
	atomic_store(&s->settling, true);
	if (begin)
		capture_writer_note(s->writer);
	if (!capture_writer_noted(s->writer, &s->note, &s->noted_fd, &s->noted_tail))
		return false;
	atomic_store(&s->settling, false);
	return true;
}

static void carry_note(const struct wrpcap_sink *s, struct pt_carry *carry)
{
	char *key = key_of(s);
	pt_carry_fd(carry, key, s->noted_fd);
	pt_carry_bytes(carry, NOTE, &s->note, sizeof s->note);
	pt_carry_bytes(carry, TAIL, s->noted_tail, s->note.tail_length);
	free(key);
}

/* After a clean end a ring goes on with its next file. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct wrpcap_sink *s = pt_state(b);
	if (s->naming)
		split_carry(&s->split, carry);
	if (pt_carry_exact(carry) && pt_carry_to(carry) == PT_FOR_RESTART && s->noted_fd >= 0) {
		carry_note(s, carry);
		return;
	}
	if (s->naming || ((rotates(s) || s->numbered) && pt_carry_to(carry) != PT_TO_SUCCESSOR))
		return;
	const struct handed handed = {
		(int)capture_writer_format(s->writer), capture_writer_link_type(s->writer),
		(uint8_t)capture_writer_pack(s->writer), pt_carry_to(carry) == PT_AT_END};
	char *key = key_of(s);
	if (!s->failed && !is_handed(s)) {
		pt_carry_fd(carry, key, capture_writer_fd(s->writer));
		pt_carry_bytes(carry, key, &handed, sizeof handed);
	}
	free(key);
}

/* What the parameters do not say goes on as it was begun. */
static int check_handed(const struct wrpcap_sink *s, const struct handed *h, struct pt_error *err)
{
	bool other_format = s->format >= 0 && s->format != h->format;
	bool other_pack = says_pack(s) && pack_of(s) != h->pack;
	const char *param = other_format ? "format" : other_pack ? "compress" : NULL;
	bool other_type = !capture_format_is_mixed((enum capture_format)h->format) &&
	                  h->link_type >= 0 && s->link_type >= 0 && s->link_type != h->link_type;
	if (!param && other_type)
		param = "linktype";
	if (!param)
		return 0;
	pt_fail(err, -EBUSY, param, "'%s' is being written, and its %s cannot change in the middle",
	        s->fname.path, param);
	pt_hint(err, "choose another name, or stop the engine first");
	return -EBUSY;
}

/* A file that an earlier daemon has opened, and begun or not. */
static int go_on(struct pt_block *b, struct wrpcap_sink *s, const struct handed *h, int fd,
                 struct pt_error *err)
{
	struct capture_writer_config config = config_of(b);
	config.fd = fd;
	config.begun = CAPTURE_FOUND;
	if (h && !check_handed(s, h, NULL)) {
		config.format = (enum capture_format)h->format;
		config.pack = (enum pack_kind)h->pack;
		if (h->link_type >= 0) {
			config.link_type = h->link_type;
			config.begun = h->whole ? CAPTURE_WHOLE : CAPTURE_TORN;
		}
	}
	return capture_writer_open(&config, &s->writer, err);
}

/* As it was at the checkpoint. */
static int go_on_noted(struct pt_block *b, struct wrpcap_sink *s, const struct capture_note *note,
                       int fd, struct pt_error *err)
{
	struct capture_writer_config config = config_of(b);
	size_t length;
	config.fd = fd;
	config.begun = CAPTURE_NOTED;
	config.note = note;
	config.tail = pt_carried_bytes(b, TAIL, &length);
	config.format = (enum capture_format)note->format;
	config.pack = (enum pack_kind)note->pack;
	config.number = note->number;
	s->numbered = note->number && !rotates(s);
	if (note->link_type >= 0)
		config.link_type = note->link_type;
	s->begun = note->bytes > 0;
	s->begun_ns = 0;
	return capture_writer_open(&config, &s->writer, err);
}

static bool is_sound(const struct capture_note *note, size_t length, size_t tail_length)
{
	return length == sizeof *note && tail_length == note->tail_length && note->length >= 0 &&
	       (uint32_t)note->format < CAPTURE_FORMATS && note->pack <= PACK_LZ4;
}

static const struct capture_note *carried_note(struct pt_block *b, const struct wrpcap_sink *s)
{
	size_t length = 0, tail_length = 0;
	const struct capture_note *note = pt_carried_bytes(b, NOTE, &length);
	pt_carried_bytes(b, TAIL, &tail_length);
	if (!note || !is_sound(note, length, tail_length))
		return NULL;
	const struct handed handed = {note->format, note->link_type, (uint8_t)note->pack, false};
	return check_handed(s, &handed, NULL) ? NULL : note;
}

static int take_carried(struct pt_block *b, struct wrpcap_sink *s, struct pt_error *err)
{
	int fd = -1, rc = 0;
	size_t length;
	s->taken_over = false;
	s->noted_fd = -1;
	if (is_handed(s))
		return 0;
	char *key = key_of(s);
	s->taken_over = pt_carried_fd(b, key, &fd);
	const struct handed *handed = s->taken_over ? pt_carried_bytes(b, key, &length) : NULL;
	if (handed && (length != sizeof *handed || (unsigned)handed->format >= CAPTURE_FORMATS))
		handed = NULL;
	const struct capture_note *note = fd >= 0 ? carried_note(b, s) : NULL;
	if (note)
		rc = go_on_noted(b, s, note, fd, err);
	else if (fd >= 0)
		rc = go_on(b, s, handed, fd, err);
	else if (handed)
		rc = check_handed(s, handed, err);
	free(key);
	return rc;
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct wrpcap_sink *s = pt_state(b), *before = pt_state(old);
	split_take_over(b, &s->split, &before->split);
	if (!s->taken_over)
		return;
	s->numbered = before->numbered;
	const struct capture_writer_config config = config_of(b);
	s->writer = before->writer;
	s->begun_ns = before->begun_ns;
	s->begun = before->begun;
	capture_writer_adopt(s->writer, &config);
	s->misfits = before->misfits;
	before->writer = NULL;
	before->started = false;
}

static int open_file(struct pt_block *b, struct pt_error *err)
{
	struct wrpcap_sink *s = pt_state(b);
	s->started = s->failed = s->begun = s->told_begun = false;
	s->numbered = false;
	s->misfits = (struct capture_misfits){0};
	if (s->naming)
		return open_split(b, s, err);
	int rc = take_carried(b, s, err);
	return rc || s->taken_over ? rc : open_anew(b, err);
}

/* ---- writing ---- */

static void rotate_if_due(struct pt_block *b, struct wrpcap_sink *s)
{
	bool full = s->rotate.size && capture_writer_bytes(s->writer) >= s->rotate.size;
	bool old = s->rotate.seconds > 0 &&
	           (double)(pt_now(b) - s->begun_ns) >= s->rotate.seconds * NS_PER_S;
	if (s->begun && (full || old)) {
		capture_writer_rotate(s->writer);
		s->begun = false;
	}
	if (!s->begun)
		s->begun_ns = pt_now(b);
	s->begun = true;
}

static void on_quiet(struct pt_block *b)
{
	struct wrpcap_sink *s = pt_state(b);
	if (s->naming)
		split_quiet(&s->split);
	else
		capture_writer_push(s->writer);
}

/* The writer's thread looks at `full` after it has made room: so look again after it is set. */
static void hold_back_if_full(struct pt_block *b, struct wrpcap_sink *s)
{
	if (capture_writer_has_room(s->writer))
		return;
	atomic_store(&s->full, true);
	if (capture_writer_has_room(s->writer))
		atomic_store(&s->full, false);
	else
		pt_full(b, true);
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
	if (!s->begun_ns)
		s->begun_ns = pt_now(b);
	atomic_store(&s->full, false);
	capture_writer_head(s->writer);
	tell_begun(b, s);
	if (capture_writer_aside(s->writer))
		pt_note(b, "%s", capture_writer_aside(s->writer));
	if (s->taken_over)
		hold_back_if_full(b, s);
	pt_timer_at(b, &s->timer, pt_now(b) + QUIET_NS, on_quiet);
	s->taken_over = false;
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

static void drop_all(struct pt_block *b, struct pt_msg **messages, unsigned count, const char *why)
{
	for (unsigned i = 0; i < count; i++)
		pt_drop(b, messages[i], why);
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
		drop_all(b, messages, count, "overflow");
		return count;
	}
	if (n == -EMEDIUMTYPE) {
		pt_report(b, n, "%s", pt_error_text(&err, ""));
		pt_drop(b, messages[0], "link-type");
		count = 1;
	} else {
		fail(b, s, n, &err);
		drop_all(b, messages, count, "write-error");
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
			rotate_if_due(b, s);
		at += put(b, s, messages + at, s->rotate.size ? 1 : count - at);
	}
	if (s->failed)
		return;
	if (tell_begun(b, s))
		capture_writer_push(s->writer);
	hold_back_if_full(b, s);
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
	if (is_handed(s) || s->failed || !(elsewhere || (rotates(s) && s->begun)))
		return;
	capture_writer_reopen(s->writer);
	s->begun = s->told_begun = false;
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
	} else if (!s->failed && (s->begun || !rotates(s))) {
		capture_writer_rotate(s->writer);
		s->begun = s->told_begun = false;
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
	 "needs a reader; a file that is being read is refused. It may have fields: '{ip.src}.pcap'.",
	 PT_FILE(struct wrpcap_sink, fname),
	 .flags = PT_REQUIRED | PT_WRITE},
	{"linktype", "The link type of the file; None takes the first packet's.",
	 PT_LINKTYPE(struct wrpcap_sink, link_type), .fallback = "None"},
	{"format", "pcap has microseconds, pcap-ns nanoseconds, pcapng nanoseconds and several link "
	 "types. None goes by the name: .pcapng and .ntar are pcapng, else it is pcap; with append "
	 "by the file that is there.", PT_CHOICE(struct wrpcap_sink, format), .fallback = "None",
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
	 "None: does not.", PT_SECONDS(struct wrpcap_sink, retry_s), .fallback = "None", .max = 1e6},
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
			"RdpcapSource('in.pcap') > \n"
			"    WrpcapSink('ring.pcap', rotate={'size': '100MiB', 'files': 10})",
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
