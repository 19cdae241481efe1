/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer's thread, fed so that small texts go out at once and many together. */
#include "daemon/console.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/writer.h"
#include "daemon/bound.h"
#include "daemon/catalog.h"
#include "daemon/journald.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, PIECES = 2 * CONSOLE_WAITING_MAX / PIECE };

struct console {
	struct writer *writer;
	struct mailbox *mailbox;
	struct pt_letter progressed;
	atomic_bool posted;
	bool is_journal, is_log; /* the same file as the log, and no terminal */
	bool pushed;             /* and not heard of yet */
	bool broken;             /* a write failed: nothing more is written */
	struct bound bound;
};

static void progress(void *arg)
{
	struct console *c = arg;
	if (!atomic_exchange(&c->posted, true))
		mailbox_post(c->mailbox, &c->progressed);
}

static void tell_dropped(struct console *c)
{
	uint64_t dropped;
	if (bound_opens(&c->bound, writer_pending(c->writer), CONSOLE_WAITING_MAX, &dropped))
		log_warning("standard output is read again; %" PRIu64 " texts were dropped",
		            dropped);
}

static void look_for_error(struct console *c)
{
	if (c->broken || !writer_error(c->writer))
		return;
	c->broken = true;
	log_error("standard output cannot be written: %s; nothing more goes there",
	          error_words(writer_error(c->writer)));
}

static void progressed(struct pt_letter *letter)
{
	struct console *c =
		(struct console *)((char *)letter - offsetof(struct console, progressed));
	atomic_store(&c->posted, false);
	c->pushed = false;
	look_for_error(c);
	if (!c->broken)
		tell_dropped(c);
	console_push(c);
}

/* ---- lines that say where they come from ---- */

/* In a buffer, before the names, each with its NUL, and the text. */
struct label {
	uint32_t engine_length, block_length, text_length;
};

struct place {
	const struct console *console;
	const char *engine, *block;
	int (*put)(void *arg, const void *bytes, size_t length);
	void *put_arg;
};

/* What journald does not take is gone. */
static int send_line(const struct place *p, const char *text, size_t length)
{
	const struct log_about about = {.engine = p->engine, .block = p->block};
	struct buf line = BUF_INIT;
	int code = 0;
	if (p->console->is_log) {
		log_add_time(&line);
		buf_addc(&line, ' ');
	}
	buf_addf(&line, "%s.%s: ", p->engine, p->block);
	buf_add(&line, text, length);
	if (p->console->is_log) {
		buf_addc(&line, '\n');
		code = p->put(p->put_arg, line.data, line.length);
	} else {
		journald_send(LOG_LEVEL_INFO, &about, line.data, line.length);
	}
	buf_free(&line);
	return code;
}

static int send_lines(const struct place *p, const char *text, size_t length)
{
	int code = 0;
	for (const char *end = text + length; text < end && !code;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		code = send_line(p, text, (size_t)((newline ? newline : end) - text));
		text = newline ? newline + 1 : end;
	}
	return code;
}

/* [the writer's thread] */
static int send_entries(void *arg, const void *bytes, size_t length, enum writer_end when,
                        int (*put)(void *, const void *, size_t), void *put_arg)
{
	const char *at = bytes, *end = at + length;
	int code = 0;
	while (at < end && !code) {
		struct label label;
		memcpy(&label, at, sizeof label);
		const char *engine = at + sizeof label, *block = engine + label.engine_length;
		const char *text = block + label.block_length;
		const struct place place = {arg, engine, block, put, put_arg};
		code = send_lines(&place, text, label.text_length);
		at = text + label.text_length;
	}
	return code;
}

/* ---- adding ---- */

/* So many bytes more; what is dropped first is told of. */
static bool takes(struct console *c, size_t more)
{
	static const struct log_about about = {.event = CATALOG_TEXT_DROPPED};
	bool full = c->bound.full;
	if (bound_takes(&c->bound, writer_pending(c->writer), more, CONSOLE_WAITING_MAX))
		return true;
	if (!full)
		log_about(&about, LOG_LEVEL_WARNING,
		          "standard output is not read as fast as the engines print; text is "
		          "dropped");
	return false;
}

static void drop_long(const char *engine, const char *block, size_t length)
{
	const struct log_about about = {engine, block, .event = CATALOG_TEXT_DROPPED};
	log_about(&about, LOG_LEVEL_WARNING,
	          "block %s of engine %s printed %zu bytes at once, which is too long for standard "
	          "output; they are dropped",
	          block, engine, length);
}

static size_t label_length(const struct label *label)
{
	return sizeof *label + label->engine_length + label->block_length;
}

static uint8_t *add_label(uint8_t *room, const struct label *label, const char *engine,
                          const char *block)
{
	memcpy(room, label, sizeof *label);
	memcpy(room + sizeof *label, engine, label->engine_length);
	memcpy(room + sizeof *label + label->engine_length, block, label->block_length);
	return room + label_length(label);
}

void console_write(struct console *c, const char *engine, const char *block, const char *text,
                   size_t length)
{
	struct label label = {(uint32_t)strlen(engine) + 1, (uint32_t)strlen(block) + 1, 0};
	size_t before = c->is_journal || c->is_log ? label_length(&label) : 0;
	if (!c->broken && length > CONSOLE_WAITING_MAX) {
		drop_long(engine, block, length);
		return;
	}
	if (c->broken || !takes(c, before + length))
		return;
	while (length) {
		size_t part = length < PIECE - before ? length : PIECE - before;
		uint8_t *room = writer_room(c->writer, before + part);
		if (!room) {
			takes(c, CONSOLE_WAITING_MAX + 1);
			return;
		}
		label.text_length = (uint32_t)part;
		if (before)
			room = add_label(room, &label, engine, block);
		memcpy(room, text, part);
		writer_advance(c->writer, before + part);
		text += part;
		length -= part;
	}
}

void console_push(struct console *c)
{
	if (c->pushed || c->broken || !writer_pending(c->writer))
		return;
	c->pushed = true;
	writer_push(c->writer);
	look_for_error(c); /* there may be no thread to tell of it */
}

bool console_is_behind(const struct console *c)
{
	return c->bound.full || c->broken;
}

bool console_idle(const struct console *c)
{
	return c->broken || (!writer_pending(c->writer) && !atomic_load(&c->posted));
}

/* Also where nobody looks: what goes to the same file is one text. */
static bool is_log(int fd)
{
	struct stat out, log;
	return !isatty(fd) && !fstat(fd, &out) && !fstat(STDERR_FILENO, &log) &&
	       out.st_dev == log.st_dev && out.st_ino == log.st_ino;
}

struct console *console_new(int fd, struct mailbox *mailbox)
{
	struct console *c = must_calloc(1, sizeof *c);
	c->mailbox = mailbox;
	c->progressed.read = progressed;
	c->is_journal = journald_is(fd);
	c->is_log = !c->is_journal && is_log(fd);
	const struct writer_config config = {.fd = fd,
	                                     .buffer_size = PIECE,
	                                     .buffers = PIECES,
	                                     .progress = progress,
	                                     .filter = c->is_journal || c->is_log ? send_entries
	                                                                          : NULL,
	                                     .filter_arg = c,
	                                     .arg = c};
	c->writer = writer_new(&config);
	return c;
}

void console_free(struct console *c)
{
	writer_free(c->writer, false);
	free(c);
}
