/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack of frames, for each trace its own. */
#include "engine/trace.h"

#include "base/buf.h"
#include "base/error.h"
#include "msg/pool.h"
#include "script/filter.h"
#include "type/reason.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024 };

#define FOR_TRACES(t, engine) for (struct trace *t = (engine)->traces; t; t = t->next)

/* ---- frames ---- */

static struct traced_frame *top(const struct trace *t)
{
	return t->depth ? &t->frames[t->depth - 1] : NULL;
}

static struct traced_frame *push(struct trace *t, struct traced *of, struct pt_block *b, int kind)
{
	if (t->depth == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->frames = must_realloc(t->frames, t->room, sizeof *t->frames);
	}
	struct traced_frame *f = &t->frames[t->depth++];
	*f = (struct traced_frame){.of = of, .block = b, .kind = kind};
	if (of)
		of->moving++;
	return f;
}

static void frame_did(struct traced_frame *f, enum traced_did did, const char *why)
{
	if (did < f->did)
		return;
	f->did = did;
	traced_tell(f->step, did, why);
}

static void pop(struct trace *t)
{
	struct traced_frame *f = top(t);
	struct traced *of = f->of;
	if (of && f->kind == TRACED_ARRIVED && f->did == TRACED_NOTHING)
		frame_did(f, TRACED_DROPPED, "unexplained");
	free((uint8_t *)(uintptr_t)f->before.bytes);
	t->depth--;
	if (!of)
		return;
	of->moving--;
	traced_rest(of);
}

void trace_back(struct pt_engine *e)
{
	FOR_TRACES(t, e)
	pop(t);
}

/* The frame of the block that has the message at hand, if that is what came in, or was made of it:
   no older one, and none of its own. */
static struct traced_frame *frame_of(const struct trace *t, const struct pt_block *b,
                                     const struct pt_msg *m)
{
	struct traced_frame *f = top(t);
	bool is_here = f && f->of && f->kind == TRACED_ARRIVED && f->block == b;
	if (!is_here || m->flags & (MSG_HELD | MSG_LET_GO))
		return NULL;
	return f->made && !(m->flags & MSG_TRACED) ? NULL : f;
}

/* The same; one of its own is counted off. */
static struct traced_frame *take_frame(const struct trace *t, const struct pt_block *b,
                                       const struct pt_msg *m)
{
	struct traced_frame *f = frame_of(t, b, m), *last = top(t);
	if (!f && last && last->block == b && last->made &&
	    !(m->flags & (MSG_HELD | MSG_LET_GO | MSG_TRACED)))
		last->made--;
	return f;
}

/* The block lets go of what it holds: the frame in which it came, if that is not over. */
static struct traced_frame *frame_of_held(const struct trace *t, const struct traced_held *h)
{
	struct traced_frame *f = top(t);
	if (!f || f->of != h->of || f->number != h->number)
		return NULL;
	f->did = TRACED_NOTHING;
	return f;
}

void trace_made(struct pt_block *b, unsigned count)
{
	FOR_TRACES(t, b->engine)
	{
		struct traced_frame *f = top(t);
		if (f && f->block == b && f->kind == TRACED_ARRIVED)
			f->made += count;
	}
}

/* ---- leaving ---- */

static bool begins(const struct trace *t, const struct pt_block *b, const struct pt_msg *m)
{
	bool here = t->block ? t->at == b : block_is_source(b);
	return t->left && here && !t->told_end && t->hooks.ready(t->hooks.arg) &&
	       (!t->filter || filter_test(t->filter, m, NULL) > 0);
}

bool trace_parts(struct pt_block *b, struct pt_msg *const *messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		FOR_TRACES(t, b->engine)
	if (messages[i]->flags & MSG_TRACED || frame_of(t, b, messages[i]) ||
	    begins(t, b, messages[i]))
		return true;
	return false;
}

static void tell_changed(struct traced_frame *f, const struct pt_msg *m)
{
	bool same = m->length == f->before.length &&
	            (!m->length || !memcmp(m->bytes, f->before.bytes, m->length));
	frame_did(f, same ? TRACED_PASSED : TRACED_CHANGED, NULL);
	if (!same)
		traced_tell_changed(f->step, &f->before, m);
}

/* What the block has in hand goes on. */
static struct traced *leave_frame(struct traced_frame *f, const struct wires *wires,
                                  const struct pt_msg *m)
{
	if (wires) {
		tell_changed(f, m);
		traced_tell_links(f->step, wires);
	} else {
		frame_did(f, TRACED_FILTERED, "unlinked");
	}
	return f->of;
}

static struct traced *leave_held(struct traced_held *h, const struct pt_block *b,
                                 const struct wires *wires)
{
	struct traced *of = h->of;
	json_t *step = traced_step(of, b->name, h->canal, TRACED_RELEASED, NULL);
	if (wires)
		traced_tell_links(step, wires);
	else
		traced_tell(step, TRACED_FILTERED, "unlinked");
	traced_let_go(h);
	return of;
}

static struct traced *begin(struct trace *t, const struct pt_block *b, enum pt_canal exit,
                            const struct pt_msg *m)
{
	struct traced *of = traced_new(t, exit, m);
	if (!b->exits[exit])
		traced_step(of, b->name, exit, TRACED_FILTERED, "unlinked");
	return of;
}

static struct traced *leaves(struct trace *t, const struct pt_block *b, enum pt_canal exit,
                             const struct pt_msg *m)
{
	const struct wires *wires = b->exits[exit];
	struct traced_held *h = traced_find(t, m);
	struct traced_frame *f = h ? frame_of_held(t, h) : take_frame(t, b, m);
	if (f && h)
		traced_let_go(h);
	if (f)
		return leave_frame(f, wires, m);
	if (h)
		return leave_held(h, b, wires);
	return begins(t, b, m) ? begin(t, b, exit, m) : NULL;
}

static bool leave(struct trace *t, struct pt_block *b, enum pt_canal exit, const struct pt_msg *m)
{
	struct traced *of = m ? leaves(t, b, exit, m) : NULL;
	push(t, of, b, TRACED_LEAVES);
	return of;
}

void trace_leave(struct pt_block *b, enum pt_canal exit, struct pt_msg **messages, unsigned count)
{
	bool traced = false;
	FOR_TRACES(t, b->engine)
	traced |= leave(t, b, exit, count == 1 ? messages[0] : NULL);
	for (unsigned i = 0; i < count; i++)
		messages[i]->flags &= (uint16_t) ~(MSG_LET_GO | MSG_TRACED);
	if (traced)
		messages[0]->flags |= MSG_TRACED;
}

/* ---- coming ---- */

static void keep_bytes(struct traced_frame *f, const struct pt_msg *m)
{
	uint8_t *bytes = must_calloc(m->length + 1, 1);
	if (m->length)
		memcpy(bytes, m->bytes, m->length);
	f->before = *m;
	f->before.bytes = bytes;
}

static void arrive(struct trace *t, struct pt_block *b, enum pt_canal canal, const struct pt_msg *m)
{
	const struct traced_frame *before = top(t);
	struct traced *of = m && before && before->kind == TRACED_LEAVES ? before->of : NULL;
	if (of && t->pcapng)
		traced_write(t, before->block, b, canal, m);
	struct traced_frame *f = push(t, of, b, TRACED_ARRIVED);
	if (!of)
		return;
	f->canal = canal;
	f->number = ++t->numbers;
	f->step = traced_step(of, b->name, canal, TRACED_NOTHING, NULL);
	keep_bytes(f, m);
}

void trace_arrive(struct pt_block *b, enum pt_canal canal, struct pt_msg *const *messages,
                  unsigned count)
{
	FOR_TRACES(t, b->engine)
	arrive(t, b, canal, count == 1 ? messages[0] : NULL);
}

void trace_trigger(struct pt_block *from, struct pt_block *to)
{
	FOR_TRACES(t, from->engine)
	{
		const struct traced_frame *f = top(t);
		bool is_here = f && f->block == from && f->kind != TRACED_LEAVES;
		struct traced *of = is_here ? f->of : NULL;
		struct traced_frame *trigger = push(t, of, to, TRACED_TRIGGER);
		if (of)
			trigger->step =
				traced_step(of, to->name, PT_TRIGGER, TRACED_TRIGGERED, NULL);
	}
}

void trace_trigger_lost(struct pt_block *b, const char *why)
{
	FOR_TRACES(t, b->engine)
	{
		const struct traced_frame *f = top(t);
		if (f && f->block == b && f->kind == TRACED_TRIGGER && f->of)
			traced_tell(f->step, TRACED_DROPPED, why);
	}
}

/* ---- ends ---- */

void trace_hold(struct pt_block *b, struct pt_msg *m)
{
	bool traced = false;
	FOR_TRACES(t, b->engine)
	{
		struct traced_frame *f = take_frame(t, b, m);
		if (!f)
			continue;
		frame_did(f, TRACED_HELD, NULL);
		traced_hold(f->of, f, m);
		traced = true;
	}
	if (traced)
		m->flags |= MSG_TRACED;
}

static void end_held(struct traced_held *h, enum traced_did did, const char *why)
{
	struct traced *of = h->of;
	traced_step(of, h->block, h->canal, did, why);
	traced_let_go(h);
	traced_rest(of);
}

static void ends(struct pt_block *b, const struct pt_msg *m, enum traced_did did, const char *why)
{
	FOR_TRACES(t, b->engine)
	{
		struct traced_held *h = traced_find(t, m);
		struct traced_frame *f = h ? frame_of_held(t, h) : take_frame(t, b, m);
		if (f && h)
			traced_let_go(h);
		if (f)
			frame_did(f, did, why);
		else if (h)
			end_held(h, did, why);
	}
}

void trace_gone(struct pt_block *b, const struct pt_msg *m, const char *why, bool filtered)
{
	if (!strcmp(why, "error"))
		ends(b, m, TRACED_ERROR, b->last_error ? b->last_error : why);
	else if (filtered || reason_is_filtered(why))
		ends(b, m, TRACED_FILTERED, why);
	else
		ends(b, m, TRACED_DROPPED, why);
}

void trace_done(struct pt_block *b, const struct pt_msg *m)
{
	ends(b, m, TRACED_DELIVERED, NULL);
}

void trace_packed(struct pt_block *b, const struct pt_msg *m)
{
	ends(b, m, TRACED_HELD, NULL);
}

/* ---- life ---- */

static void hand_over(struct trace *t)
{
	if (t->out.length)
		t->hooks.data(t->hooks.arg, t->out.data, t->out.length);
	buf_clear(&t->out);
	if (t->out.room > 2 * PIECE)
		buf_free(&t->out);
}

static void tell_end(struct trace *t)
{
	if (!t->pcapng && !t->told_end) {
		json_t *told = json_pack("{s:s, s:b}", "engine", t->engine->name, "ended", 1);
		char *text = json_dumps(told, JSON_COMPACT);
		t->hooks.data(t->hooks.arg, text, strlen(text));
		free(text);
		json_decref(told);
	}
	hand_over(t);
	t->hooks.ended(t->hooks.arg);
}

/* Flags that stay on messages are looked up in vain. */
static void end(struct trace *t)
{
	tell_end(t);
	for (size_t i = 0; i < t->held.room; i++)
		if (t->held.slots[i].key && t->held.slots[i].value)
			traced_let_go(t->held.slots[i].value);
	while (t->messages)
		traced_free(t->messages);
	map_free(&t->held);
	feed_fini(&t->feed);
	filter_free(t->filter);
	buf_free(&t->out);
	free(t->frames);
	free(t->block);
	free(t);
}

void trace_settle(struct pt_engine *e)
{
	for (struct trace **at = &e->traces; *at;) {
		struct trace *t = *at;
		hand_over(t);
		if (t->told_end) {
			*at = t->next;
			end(t);
		} else {
			at = &t->next;
		}
	}
}

void trace_end_all(struct pt_engine *e)
{
	for (struct trace *t; (t = e->traces);) {
		e->traces = t->next;
		end(t);
	}
}

bool trace_remove(struct pt_engine *e, void *arg)
{
	struct trace **at = &e->traces, *found;
	while (*at && (*at)->hooks.arg != arg)
		at = &(*at)->next;
	if (!(found = *at))
		return false;
	*at = found->next;
	end(found);
	return true;
}

/* What was in a block that is gone, and told nothing of it, is gone with it. */
static void bind_held(struct trace *t)
{
	for (size_t i = 0; i < t->held.room; i++) {
		struct traced_held *h = t->held.slots[i].key ? t->held.slots[i].value : NULL;
		const struct graph_block *now = h ? graph_find(t->engine->graph, h->block) : NULL;
		if (h && (!now || now->type != h->type))
			end_held(h, TRACED_DROPPED, now ? "replaced" : "stopped");
	}
}

void trace_bind(struct pt_engine *e)
{
	for (struct trace **at = &e->traces; *at;) {
		struct trace *t = *at;
		const struct graph_block *found = t->block ? graph_find(e->graph, t->block) : NULL;
		bind_held(t);
		t->at = found ? found->alive : NULL;
		if (found || !t->block) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		end(t);
	}
}

static int check(const struct pt_engine *e, const struct graph_block *block, struct pt_error *err)
{
	unsigned count = 0;
	FOR_TRACES(t, e)
	count++;
	if (count == TRACES_MAX)
		return pt_fail(err, -PT_ELIMIT, NULL,
		               "engine '%s' has %d traces, which is the limit", e->name,
		               TRACES_MAX);
	if (block && !(block->type->ports & (PT_LOW_EXIT | PT_HIGH_EXIT)))
		return pt_fail(err, -PT_EPARAM, "block",
		               "'%s' is a %s, which no message leaves: trace the engine, or a "
		               "block before it",
		               block->name, block->type->name);
	return 0;
}

int trace_add(const struct pt_request *r, const struct graph_block *block, struct pt_error *err)
{
	struct pt_engine *e = r->engine;
	struct filter *filter = NULL;
	int rc = check(e, block, err);
	if (!rc && r->filter && (rc = filter_new(r->filter, &filter, err)))
		error_prefix(err, 0, "filter");
	if (rc)
		return rc;
	struct trace *t = must_calloc(1, sizeof *t);
	t->engine = e;
	t->hooks = r->tap;
	t->filter = filter;
	t->block = block ? must_strdup(block->name) : NULL;
	t->at = block ? block->alive : NULL;
	t->left = r->max;
	t->follows = r->follow;
	t->pcapng = r->format == PT_TAP_PCAPNG;
	if (t->pcapng) {
		feed_init(&t->feed, e->name, FEED_PLAIN);
		feed_header(&t->feed, &t->out);
	}
	t->next = e->traces;
	e->traces = t;
	return 0;
}
