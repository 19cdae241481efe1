/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of a message, and the table of its copies that are held. */
#include "engine/traced.h"

#include "base/memory.h"
#include "msg/json.h"
#include "packet/packet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

struct traced *traced_new(struct trace *t, enum pt_canal exit, const struct pt_msg *m)
{
	struct traced *d = must_calloc(1, sizeof *d);
	d->trace = t;
	d->id = t->ids++;
	d->message = msg_to_json(m, exit);
	d->steps = json_array();
	d->next = t->messages;
	t->messages = d;
	t->unrested++;
	t->left--;
	return d;
}

void traced_free(struct traced *d)
{
	struct traced **at = &d->trace->messages;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	json_decref(d->message);
	json_decref(d->steps);
	free(d);
}

/* ---- steps ---- */

static const char *const words[] = {
	[TRACED_NOTHING] = "",          [TRACED_TRIGGERED] = "triggered",
	[TRACED_FILTERED] = "filtered", [TRACED_DELIVERED] = "delivered",
	[TRACED_RELEASED] = "released", [TRACED_HELD] = "held",
	[TRACED_DROPPED] = "dropped",   [TRACED_ERROR] = "error",
	[TRACED_PASSED] = "passed",     [TRACED_CHANGED] = "changed",
};

void traced_tell(json_t *step, enum traced_did did, const char *why)
{
	json_object_set_new(step, "did", json_string(words[did]));
	json_object_del(step, "why");
	if (why)
		json_object_set_new(step, "why", json_string(why));
}

json_t *traced_step(struct traced *d, const char *block, enum pt_canal canal, enum traced_did did,
                    const char *why)
{
	json_t *step = json_pack("{s:s, s:s}", "block", block, "canal", canal_name(canal));
	traced_tell(step, did, why);
	json_array_append_new(d->steps, step);
	return step;
}

/* The list of that name in the step. */
static json_t *list_of(json_t *step, const char *name)
{
	json_t *list = json_object_get(step, name);
	if (!list)
		json_object_set_new(step, name, list = json_array());
	return list;
}

void traced_tell_links(json_t *step, const struct wires *wires)
{
	json_t *to = list_of(step, "to");
	for (unsigned i = 0; i < wires->count; i++)
		json_array_append_new(to, json_string(wires->links[i]->to->name));
}

static void add_changed(void *arg, const char *layer, const char *name)
{
	json_t *value, *list = arg;
	json_t *field = layer ? json_sprintf("%s.%s", layer, name) : json_string(name);
	size_t i;
	json_array_foreach (list, i, value)
		if (json_equal(value, field)) {
			json_decref(field);
			return;
		}
	json_array_append_new(list, field);
}

void traced_tell_changed(json_t *step, const struct pt_msg *before, const struct pt_msg *after)
{
	packet_changed(before, after, add_changed, list_of(step, "changed"));
}

/* ---- rest ---- */

/* Whether nothing more is to be told when this one has been. */
static bool is_last(const struct traced *d)
{
	const struct trace *t = d->trace;
	if (t->left || t->unrested)
		return false;
	return !t->follows || (!d->held && t->messages == d && !d->next);
}

static void tell(struct traced *d)
{
	struct trace *t = d->trace;
	json_t *told = json_pack("{s:s, s:I, s:O, s:O}", "engine", t->engine->name, "id",
	                         (json_int_t)d->id, "message", d->message, "steps", d->steps);
	if (t->told_end)
		json_object_set_new(told, "ended", json_true());
	char *text = json_dumps(told, JSON_COMPACT);
	t->hooks.data(t->hooks.arg, text, strlen(text));
	free(text);
	json_decref(told);
}

void traced_rest(struct traced *d)
{
	struct trace *t = d->trace;
	if (d->moving)
		return;
	t->unrested -= !d->rested;
	if (!t->told_end && (!d->rested || json_array_size(d->steps))) {
		t->told_end = is_last(d);
		if (!t->pcapng)
			tell(d);
	}
	d->rested = true;
	json_decref(d->steps);
	d->steps = json_array();
	if (!d->held)
		traced_free(d);
}

/* ---- the held ---- */

enum { KEY = sizeof((struct traced_held *)0)->key };

static void write_key(char key[KEY], const struct pt_msg *m)
{
	snprintf(key, KEY, "%p", (const void *)m);
}

struct traced_held *traced_find(const struct trace *t, const struct pt_msg *m)
{
	char key[KEY];
	if (!(m->flags & MSG_TRACED))
		return NULL;
	write_key(key, m);
	return map_get(&t->held, key);
}

void traced_hold(struct traced *d, const struct traced_frame *f, const struct pt_msg *m)
{
	struct traced_held *h = traced_find(d->trace, m);
	if (h) {
		struct traced *gone = h->of;
		traced_let_go(h);
		traced_rest(gone);
	}
	h = must_calloc(1, sizeof *h);
	write_key(h->key, m);
	h->of = d;
	h->block = must_strdup(f->block->name);
	h->type = f->block->type;
	h->canal = f->canal;
	h->number = f->number;
	map_set(&d->trace->held, h->key, h);
	d->held++;
}

void traced_let_go(struct traced_held *h)
{
	map_remove(&h->of->trace->held, h->key);
	h->of->held--;
	free(h->block);
	free(h);
}

/* ---- the stream ---- */

void traced_write(struct trace *t, const struct pt_block *from, const struct pt_block *to,
                  enum pt_canal canal, const struct pt_msg *m)
{
	struct pt_msg copy = *m;
	char *name = must_printf("%s %s %s", from->name, canal == PT_HIGH ? ">>" : ">", to->name);
	copy.origin = pt_origin_new(name);
	feed_packet(&t->feed, &t->out, &copy);
	pt_origin_unref(copy.origin);
	free(name);
}
