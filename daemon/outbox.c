/* SPDX-License-Identifier: BSD-2-Clause */
/* One buffer for both kinds, and a ring that remembers which bytes are which. */
#include "daemon/outbox.h"

#include "rpc/call.h"
#include <stdlib.h>
#include <string.h>

enum { KEEP = 4096 }; /* bytes of an empty buffer that are not given back */

void outbox_fini(struct outbox *o)
{
	buf_free(&o->bytes);
	free(o->runs);
	*o = (struct outbox){0};
}

static struct outbox_run *run_at(struct outbox *o, size_t i)
{
	return &o->runs[(o->first + i) % o->room];
}

static struct outbox_run *run_new(struct outbox *o)
{
	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 8;
		struct outbox_run *runs = must_calloc(room, sizeof *runs);
		for (size_t i = 0; i < o->count; i++)
			runs[i] = *run_at(o, i);
		free(o->runs);
		o->runs = runs;
		o->room = room;
		o->first = 0;
	}
	struct outbox_run *run = run_at(o, o->count++);
	*run = (struct outbox_run){0};
	return run;
}

void outbox_answer(struct outbox *o, const struct buf *line)
{
	*run_new(o) = (struct outbox_run){line->length, true};
	o->answers++;
	buf_add(&o->bytes, line->data, line->length);
}

static void add_notification(struct outbox *o, const struct buf *line)
{
	struct outbox_run *last = o->count ? run_at(o, o->count - 1) : NULL;
	if (!last || last->answer)
		last = run_new(o);
	last->length += line->length;
	o->unread += line->length;
	buf_add(&o->bytes, line->data, line->length);
}

static void tell_gap(struct outbox *o)
{
	struct buf line = BUF_INIT;
	uint64_t dropped;
	if (!bound_opens(&o->bound, o->unread, OUTBOX_UNREAD_MAX, &dropped))
		return;
	json_t *params = json_object();
	json_object_set_new(params, "dropped", json_integer((json_int_t)dropped));
	rpc_write_notification(&line, "gap", params);
	json_decref(params);
	add_notification(o, &line);
	buf_free(&line);
}

bool outbox_notify(struct outbox *o, const struct buf *line)
{
	bool takes = bound_takes(&o->bound, o->unread, line->length, OUTBOX_UNREAD_MAX);
	if (takes)
		add_notification(o, line);
	else
		o->dropped_bytes += line->length;
	return takes;
}

void outbox_put(struct outbox *o, const struct buf *bytes)
{
	add_notification(o, bytes);
}

void outbox_lost(struct outbox *o, uint64_t notifications)
{
	if (!notifications)
		return;
	o->bound.dropped += notifications;
	o->bound.full = true;
	tell_gap(o);
}

bool outbox_has_room(const struct outbox *o)
{
	return o->answers < OUTBOX_ANSWERS_MAX && o->bytes.length - o->written < OUTBOX_BYTES_MAX;
}

bool outbox_given_up(const struct outbox *o)
{
	return o->dropped_bytes > OUTBOX_PATIENCE;
}

const char *outbox_next(const struct outbox *o, size_t *length)
{
	*length = o->bytes.length - o->written;
	return *length ? o->bytes.data + o->written : NULL;
}

static void forget_runs(struct outbox *o, size_t length)
{
	while (length) {
		struct outbox_run *run = run_at(o, 0);
		size_t part = length < run->length ? length : run->length;
		run->length -= part;
		length -= part;
		if (!run->answer)
			o->unread -= part;
		if (run->length)
			break;
		o->answers -= run->answer;
		o->first = (o->first + 1) % o->room;
		o->count--;
	}
}

/* The memory goes back in big steps, so that a slow reader does not cost a move for each read. */
static void forget_bytes(struct outbox *o)
{
	if (o->written == o->bytes.length) {
		o->written = 0;
		buf_clear(&o->bytes);
		if (o->bytes.room > KEEP)
			buf_free(&o->bytes);
	} else if (o->written > o->bytes.length / 2) {
		buf_consume(&o->bytes, o->written);
		o->written = 0;
	}
}

void outbox_advance(struct outbox *o, size_t length)
{
	if (!length)
		return;
	o->written += length;
	forget_runs(o, length);
	forget_bytes(o);
	o->dropped_bytes = 0;
	tell_gap(o);
}
