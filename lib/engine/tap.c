/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages are written down as JSON or pcapng while they pass, and handed over in pieces. */
#include "engine/tap.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "capture/feed.h"
#include "engine/trace.h"
#include "msg/json.h"
#include "script/filter.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024 };

struct tap {
	struct tap *next;      /* of the engine */
	struct tap *next_here; /* of the block */
	struct pt_tap_hooks hooks;
	char *block;
	struct pt_block *at; /* which has that name now */
	char *head;          /* what a piece of JSON begins with */
	bool canals[2];
	struct filter *filter; /* NULL: all messages */
	bool pcapng;
	struct feed feed;
	struct buf out;   /* a piece that is being written */
	unsigned written; /* messages in it */
	uint64_t dropped; /* not yet told of; of JSON */
};

/* ---- pieces ---- */

static void begin_json(struct tap *t)
{
	if (t->out.length)
		return;
	buf_adds(&t->out, t->head);
	if (t->dropped)
		buf_addf(&t->out, ", \"dropped\": %llu", (unsigned long long)t->dropped);
	buf_adds(&t->out, ", \"messages\": [");
	t->dropped = 0;
	t->written = 0;
}

static void hand_over(struct tap *t)
{
	if (!t->out.length)
		return;
	if (!t->pcapng)
		buf_adds(&t->out, "]}");
	t->hooks.data(t->hooks.arg, t->out.data, t->out.length);
	buf_clear(&t->out);
	if (t->out.room > 2 * PIECE)
		buf_free(&t->out);
}

static void write_json(struct tap *t, enum pt_canal canal, const struct pt_msg *m)
{
	json_t *object = msg_to_json(m, canal);
	begin_json(t);
	if (t->written++)
		buf_adds(&t->out, ", ");
	json_add(&t->out, object);
	json_decref(object);
}

static bool is_wanted(const struct tap *t, const struct pt_msg *m)
{
	return !t->filter || filter_test(t->filter, m, NULL) > 0;
}

static void lose(struct tap *t, struct pt_msg *const *messages, unsigned count)
{
	hand_over(t); /* so that the gap is told in its place */
	for (unsigned i = 0; i < count; i++)
		if (!is_wanted(t, messages[i]))
			;
		else if (t->pcapng)
			feed_lose(&t->feed, messages[i]);
		else
			t->dropped++;
}

static void tell_lost(struct tap *t)
{
	if (t->pcapng)
		feed_tell_lost(&t->feed, &t->out);
	else if (t->dropped)
		begin_json(t);
}

static void see(struct tap *t, enum pt_canal canal, struct pt_msg *const *messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!is_wanted(t, messages[i]))
			continue;
		if (!t->out.length) {
			if (!t->hooks.ready(t->hooks.arg)) {
				lose(t, messages + i, count - i);
				return;
			}
			tell_lost(t);
		}
		if (t->pcapng)
			feed_packet(&t->feed, &t->out, messages[i]);
		else
			write_json(t, canal, messages[i]);
		if (t->out.length > PIECE)
			hand_over(t);
	}
}

void tap_see(struct tap *first, enum pt_canal canal, struct pt_msg *const *messages, unsigned count)
{
	for (struct tap *t = first; t; t = t->next_here)
		if (t->canals[canal])
			see(t, canal, messages, count);
}

void tap_settle(struct pt_engine *e)
{
	for (struct tap *t = e->taps; t; t = t->next) {
		if (!t->out.length && t->hooks.ready(t->hooks.arg))
			tell_lost(t);
		hand_over(t);
	}
}

/* ---- life ---- */

static void end(struct tap *t)
{
	hand_over(t);
	tell_lost(t);
	hand_over(t);
	t->hooks.ended(t->hooks.arg);
	feed_fini(&t->feed);
	filter_free(t->filter);
	buf_free(&t->out);
	free(t->block);
	free(t->head);
	free(t);
}

static bool has_exits(const struct pt_type *type)
{
	return type->ports & (PT_LOW_EXIT | PT_HIGH_EXIT);
}

static void bind_to(struct tap *t, struct pt_block *b)
{
	struct tap **list = has_exits(b->type) ? &b->taps : &b->entry_taps;
	t->next_here = *list;
	t->at = b;
	*list = t;
}

/* All of them, from blocks that are not yet gone. */
static void unbind_all(const struct pt_engine *e)
{
	for (const struct tap *t = e->taps; t; t = t->next)
		t->at->taps = t->at->entry_taps = NULL;
}

void tap_bind(struct pt_engine *e)
{
	unbind_all(e);
	for (struct tap **at = &e->taps; *at;) {
		struct tap *t = *at;
		const struct graph_block *found = graph_find(e->graph, t->block);
		if (found) {
			bind_to(t, found->alive);
			at = &t->next;
		} else {
			*at = t->next;
			end(t);
		}
	}
}

void tap_end_all(struct pt_engine *e)
{
	unbind_all(e);
	for (struct tap *t; (t = e->taps);) {
		e->taps = t->next;
		end(t);
	}
}

/* ---- making ---- */

static int pick_canals(struct tap *t, const struct pt_type *type, int canal, struct pt_error *err)
{
	t->canals[PT_LOW] = t->canals[PT_HIGH] = canal < 0;
	if (canal < 0)
		return 0;
	bool leaves = has_exits(type);
	unsigned port = leaves ? graph_exit_port((enum pt_canal)canal)
	                       : graph_entry_port((enum pt_canal)canal);
	if (canal == PT_TRIGGER || !(type->ports & port))
		return pt_fail(err, -PT_EPARAM, "canal", "'%s' is a %s, which has no %s %s",
		               t->block, type->name, canal_name((enum pt_canal)canal),
		               leaves ? "exit" : "entry");
	t->canals[canal] = true;
	return 0;
}

static void write_head(struct tap *t, const char *engine)
{
	json_t *names = json_pack("{s:s, s:s}", "engine", engine, "block", t->block);
	t->head = json_dumps(names, 0);
	t->head[strlen(t->head) - 1] = '\0'; /* it goes on */
	json_decref(names);
}

static unsigned count_taps(const struct pt_engine *e)
{
	unsigned count = 0;
	for (const struct tap *t = e->taps; t; t = t->next)
		count++;
	return count;
}

int tap_add(const struct pt_request *r, const struct graph_block *block, struct pt_error *err)
{
	struct pt_engine *e = r->engine;
	if (count_taps(e) == TAPS_MAX)
		return pt_fail(err, -PT_ELIMIT, NULL, "engine '%s' has %d taps, which is the limit",
		               e->name, TAPS_MAX);
	struct tap *t = must_calloc(1, sizeof *t);
	t->hooks = r->tap;
	t->pcapng = r->format == PT_TAP_PCAPNG;
	t->block = must_strdup(block->name);
	int rc = pick_canals(t, block->type, r->canal, err);
	if (!rc && r->filter && (rc = filter_new(r->filter, &t->filter, err)))
		error_prefix(err, 0, "filter");
	if (rc) {
		free(t->block);
		free(t);
		return rc;
	}
	if (t->pcapng) {
		feed_init(&t->feed, t->block, FEED_PLAIN);
		feed_header(&t->feed, &t->out);
	} else {
		write_head(t, e->name);
	}
	t->next = e->taps;
	e->taps = t;
	bind_to(t, block->alive);
	return 0;
}

/* ---- giving up ---- */

struct untap {
	struct pt_letter letter;
	struct pt_engine *engine;
	void *arg;
};

static void read_untap(struct pt_letter *letter)
{
	struct untap *untap = (struct untap *)letter;
	struct pt_engine *e = untap->engine;
	struct tap **at = &e->taps, *found;
	while (*at && (*at)->hooks.arg != untap->arg)
		at = &(*at)->next;
	bool is_trace = !*at && trace_remove(e, untap->arg);
	free(untap);
	if (is_trace || !(found = *at))
		return;
	unbind_all(e);
	*at = found->next;
	for (struct tap *t = e->taps; t; t = t->next)
		bind_to(t, t->at);
	end(found);
}

void pt_engine_untap(struct pt_engine *e, void *arg)
{
	struct untap *untap = must_calloc(1, sizeof *untap);
	untap->letter.read = read_untap;
	untap->engine = e;
	untap->arg = arg;
	mailbox_post(&e->mailbox, &untap->letter);
}

void pt_engine_tap_ready(struct pt_engine *e)
{
	mailbox_wake(&e->mailbox);
}
