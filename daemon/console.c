/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer's thread, fed so that small texts go out at once and many together. */
#include "daemon/console.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/writer.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024, PIECES = 2 * CONSOLE_WAITING_MAX / PIECE };

struct console {
	struct writer *writer;
	struct inbox *inbox;
	struct post progressed;
	atomic_bool posted;
	bool pushed; /* and not heard of yet */
	bool broken; /* a write failed: nothing more is written */
	uint64_t dropped;
};

static void progress(void *arg)
{
	struct console *c = arg;
	if (!atomic_exchange(&c->posted, true))
		inbox_post(c->inbox, &c->progressed);
}

static void tell_dropped(struct console *c)
{
	if (c->dropped)
		log_warning("standard output is read again; %" PRIu64 " texts were dropped",
		            c->dropped);
	c->dropped = 0;
}

static void look_for_error(struct console *c)
{
	if (c->broken || !writer_error(c->writer))
		return;
	c->broken = true;
	log_error("standard output cannot be written: %s; nothing more goes there",
	          error_words(writer_error(c->writer)));
}

static void progressed(struct post *post)
{
	struct console *c = (struct console *)((char *)post - offsetof(struct console, progressed));
	atomic_store(&c->posted, false);
	c->pushed = false;
	look_for_error(c);
	if (!c->broken && writer_pending(c->writer) < CONSOLE_WAITING_MAX / 2)
		tell_dropped(c);
	console_push(c);
}

struct console *console_new(int fd, struct inbox *inbox)
{
	struct console *c = must_calloc(1, sizeof *c);
	c->inbox = inbox;
	c->progressed.run = progressed;
	const struct writer_config config = {
		.fd = fd, .buffer_size = PIECE, .buffers = PIECES, .progress = progress, .arg = c};
	c->writer = writer_new(&config);
	return c;
}

static void drop(struct console *c)
{
	if (!c->dropped)
		log_warning("standard output is not read as fast as the engines print; text is "
		            "dropped");
	c->dropped++;
}

void console_write(struct console *c, const char *text, size_t length)
{
	if (c->broken)
		return;
	if (c->dropped || writer_pending(c->writer) + length > CONSOLE_WAITING_MAX) {
		drop(c);
		return;
	}
	while (length) {
		size_t part = length < PIECE ? length : PIECE;
		uint8_t *room = writer_room(c->writer, part);
		if (!room) {
			drop(c);
			return;
		}
		memcpy(room, text, part);
		writer_advance(c->writer, part);
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

bool console_idle(const struct console *c)
{
	return c->broken || (!writer_pending(c->writer) && !atomic_load(&c->posted));
}

void console_free(struct console *c)
{
	writer_free(c->writer, false);
	free(c);
}
