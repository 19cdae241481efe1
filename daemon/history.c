/* SPDX-License-Identifier: BSD-2-Clause */
/* A list is written down as what differs from the one before: items, and [place, count] for a run
   of items that stay. */
#include "daemon/history.h"

#include "base/buf.h"
#include "base/json.h"
#include "daemon/diff.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void history_init(struct history *h)
{
	*h = (struct history){0};
}

static void revision_clear(struct history *h, struct revision *r)
{
	h->lists -= json_array_size(r->blocks) + json_array_size(r->links);
	h->bytes -= r->bytes;
	json_decref(r->about);
	json_decref(r->blocks);
	json_decref(r->links);
}

void history_fini(struct history *h)
{
	for (size_t i = 0; i < h->count; i++)
		revision_clear(h, &h->items[i]);
	free(h->items);
	history_init(h);
}

/* ---- lists ---- */

static void add_run(json_t *delta, size_t place, size_t count)
{
	if (count)
		json_array_append_new(delta,
		                      json_pack("[I, I]", (json_int_t)place, (json_int_t)count));
}

/* Mostly it is the same thing. */
static bool is_same(const json_t *was, const json_t *is)
{
	return was == is || json_equal(was, is);
}

json_t *history_delta(const json_t *was, const json_t *is)
{
	size_t before = json_array_size(was), now = json_array_size(is), head = 0, tail = 0;
	size_t most = before < now ? before : now;
	while (head < most && is_same(json_array_get(was, head), json_array_get(is, head)))
		head++;
	while (tail < most - head &&
	       is_same(json_array_get(was, before - tail - 1), json_array_get(is, now - tail - 1)))
		tail++;
	json_t *delta = json_array();
	add_run(delta, 0, head);
	for (size_t i = head; i < now - tail; i++)
		json_array_append(delta, json_array_get(is, i));
	add_run(delta, before - tail, tail);
	return delta;
}

struct run {
	size_t place, count;
};

/* False: it is no run of so long a list. */
static bool read_run(const json_t *item, size_t size, struct run *run)
{
	json_int_t place = json_integer_value(json_array_get(item, 0));
	json_int_t count = json_integer_value(json_array_get(item, 1));
	if (place < 0 || count < 0 || (uint64_t)place > size ||
	    (uint64_t)count > size - (uint64_t)place)
		return false;
	*run = (struct run){(size_t)place, (size_t)count};
	return true;
}

/* How many items come and go; a great number if those that stay do not stay in order. */
static size_t count_new(const json_t *delta, size_t size)
{
	size_t until = 0, news = 0;
	struct run run;
	json_each (item, delta) {
		if (!json_is_array(item)) {
			news++;
			continue;
		}
		if (!read_run(item, size, &run) || run.place < until)
			return SIZE_MAX;
		news += run.place - until;
		until = run.place + run.count;
	}
	return news + size - until;
}

static bool is_delta(const json_t *delta, size_t size)
{
	struct run run;
	bool good = json_is_array(delta);
	json_each (item, delta)
		good &= json_is_object(item) || (json_is_array(item) && read_run(item, size, &run));
	return good;
}

static json_t *make_list(const json_t *was, const json_t *delta)
{
	json_t *list = json_array();
	struct run run = {0, 0};
	json_each (item, delta) {
		if (!json_is_array(item))
			json_array_append(list, item);
		else if (read_run(item, json_array_size(was), &run))
			for (size_t i = run.place; i < run.place + run.count; i++)
				json_array_append(list, json_array_get(was, i));
	}
	return list;
}

/* In the list's place; what goes is written down in `back`. */
static void change_list(json_t *list, const json_t *delta, json_t *back)
{
	size_t at = 0, until = 0, size = json_array_size(list);
	struct run run;
	json_each (item, delta) {
		if (!json_is_array(item)) {
			json_array_insert(list, at++, item);
			continue;
		}
		read_run(item, size, &run);
		for (; until < run.place; until++) {
			json_array_append(back, json_array_get(list, at));
			json_array_remove(list, at);
		}
		add_run(back, at, run.count);
		at += run.count;
		until += run.count;
	}
	for (; until < size; until++) {
		json_array_append(back, json_array_get(list, at));
		json_array_remove(list, at);
	}
}

/* Puts what the delta makes of a list in its place: the list itself, where nobody else has it and
   little differs. Returns what leads back: a new reference. */
static json_t *list_step(json_t **list, const json_t *delta)
{
	enum { FEW = 32 };
	json_t *was = *list, *back = json_array();
	if (count_new(delta, json_array_size(was)) > FEW) {
		*list = make_list(was, delta);
		json_decref(back);
		back = history_delta(*list, was);
		json_decref(was);
		return back;
	}
	if (was->refcount > 1) {
		*list = json_copy(was);
		json_decref(was);
	}
	change_list(*list, delta, back);
	return back;
}

/* ---- revisions ---- */

static size_t items_of(const struct revision *r)
{
	return json_array_size(r->blocks) + json_array_size(r->links);
}

static void forget_oldest(struct history *h)
{
	revision_clear(h, &h->items[0]);
	h->count--;
	memmove(h->items, h->items + 1, h->count * sizeof *h->items);
}

static void append(struct history *h, struct revision r)
{
	h->lists += items_of(&r);
	h->bytes += r.bytes;
	while (h->count > 1 && (h->count >= HISTORY_REVISIONS_MAX || h->lists > HISTORY_ITEMS_MAX ||
	                        h->bytes > HISTORY_BYTES_MAX))
		forget_oldest(h);
	if (h->count == h->room) {
		h->room = h->room ? h->room * 2 : 4;
		h->items = must_realloc(h->items, h->room, sizeof *h->items);
	}
	h->items[h->count++] = r;
}

/* The last one has the lists no more, but what leads back to its own. */
static void step_on(struct history *h, const json_t *blocks, const json_t *links,
                    struct revision *fresh)
{
	struct revision *last = h->count ? &h->items[h->count - 1] : NULL;
	struct revision none = {.blocks = json_array(), .links = json_array()}, *from = &none;
	if (last) {
		json_object_del(last->about, "confirm"); /* it is confirmed now, or never will be */
		h->lists -= items_of(last);
		from = last;
	}
	fresh->blocks = from->blocks;
	fresh->links = from->links;
	from->blocks = list_step(&fresh->blocks, blocks);
	from->links = list_step(&fresh->links, links);
	if (last)
		h->lists += items_of(last);
	json_decref(none.blocks);
	json_decref(none.links);
}

/* Takes `about`. */
static void add(struct history *h, json_t *about, const json_t *record)
{
	const json_t *number = json_object_get(about, "revision");
	struct revision r = {.number = (uint64_t)json_integer_value(number), .about = about};
	r.bytes = json_dumpb(record, NULL, 0, JSON_COMPACT);
	step_on(h, json_object_get(record, "blocks"), json_object_get(record, "links"), &r);
	append(h, r);
}

static json_t *record_of(const json_t *about, const json_t *blocks, const json_t *links)
{
	json_t *record = json_copy((json_t *)(uintptr_t)about);
	json_object_set(record, "blocks", (json_t *)(uintptr_t)blocks);
	json_object_set(record, "links", (json_t *)(uintptr_t)links);
	return record;
}

json_t *history_add(struct history *h, const json_t *about, const json_t *blocks,
                    const json_t *links)
{
	json_t *record = record_of(about, blocks, links);
	add(h, json_copy((json_t *)(uintptr_t)about), record);
	return record;
}

int history_replay(struct history *h, const json_t *record, struct pt_error *err)
{
	const struct revision *last = history_last(h);
	const json_t *number = json_object_get(record, "revision");
	uint64_t n = (uint64_t)json_integer_value(number);
	if (!json_is_integer(number) || json_integer_value(number) < 0 ||
	    (last && n != last->number + 1))
		return pt_fail(err, -PT_EIO, NULL, "a revision without a number, or out of order");
	if (!is_delta(json_object_get(record, "blocks"),
	              last ? json_array_size(last->blocks) : 0) ||
	    !is_delta(json_object_get(record, "links"), last ? json_array_size(last->links) : 0))
		return pt_fail(err, -PT_EIO, NULL,
		               "revision %llu does not follow from the one before",
		               (unsigned long long)n);
	json_t *about = json_copy((json_t *)(uintptr_t)record);
	json_object_del(about, "blocks");
	json_object_del(about, "links");
	add(h, about, record);
	return 0;
}

/* ---- back from the last one ---- */

/* The graph of a revision, on the way from the last one back. */
struct past {
	const struct history *history;
	size_t at;
	json_t *blocks, *links;
};

static struct past past_begin(const struct history *h)
{
	const struct revision *last = history_last(h);
	return (struct past){h, h->count - 1, json_incref(last->blocks), json_incref(last->links)};
}

/* To the revision before; what leads on from there: new references. */
static void past_step(struct past *p, json_t **blocks, json_t **links)
{
	const struct revision *r = &p->history->items[--p->at];
	*blocks = list_step(&p->blocks, r->blocks);
	*links = list_step(&p->links, r->links);
}

static void past_go(struct past *p, size_t to)
{
	while (p->at > to) {
		json_t *blocks, *links;
		past_step(p, &blocks, &links);
		json_decref(blocks);
		json_decref(links);
	}
}

static void past_end(struct past *p)
{
	json_decref(p->blocks);
	json_decref(p->links);
}

void history_graph(const struct history *h, const struct revision *r, json_t **blocks,
                   json_t **links)
{
	struct past p = past_begin(h);
	past_go(&p, (size_t)(r - h->items));
	*blocks = p.blocks;
	*links = p.links;
}

json_t *history_records(const struct history *h)
{
	json_t *records = json_array();
	if (!h->count)
		return records;
	struct past p = past_begin(h);
	while (p.at) {
		json_t *blocks, *links;
		past_step(&p, &blocks, &links);
		json_array_insert_new(records, 0,
		                      record_of(h->items[p.at + 1].about, blocks, links));
		json_decref(blocks);
		json_decref(links);
	}
	json_array_insert_new(records, 0, record_of(h->items[0].about, p.blocks, p.links));
	past_end(&p);
	return records;
}

const struct revision *history_last(const struct history *h)
{
	return h->count ? &h->items[h->count - 1] : NULL;
}

const struct revision *history_find(const struct history *h, uint64_t number)
{
	for (size_t i = h->count; i-- > 0;)
		if (h->items[i].number == number)
			return &h->items[i];
	return NULL;
}

const struct revision *history_before(const struct history *h)
{
	const struct revision *at = history_last(h);
	while (at) {
		const json_t *undoes = json_object_get(at->about, "undoes");
		if (!undoes)
			return at > h->items ? at - 1 : NULL;
		at = history_find(h, (uint64_t)json_integer_value(undoes));
	}
	return NULL;
}

void history_drop_last(struct history *h)
{
	assert(h->count);
	struct revision *last = &h->items[h->count - 1];
	struct past p = past_begin(h);
	past_go(&p, h->count > 1 ? h->count - 2 : 0);
	revision_clear(h, last);
	if (!--h->count) {
		past_end(&p);
		return;
	}
	last--;
	h->lists -= items_of(last);
	json_decref(last->blocks);
	json_decref(last->links);
	last->blocks = p.blocks;
	last->links = p.links;
	h->lists += items_of(last);
}

/* With what its operations have taken the place of in these blocks; NULL: they are not known. */
static json_t *told_of(const struct revision *r, const json_t *blocks)
{
	json_t *about = json_copy(r->about);
	json_t *was = blocks ? diff_was(json_object_get(about, "ops"), blocks) : NULL;
	if (was)
		json_object_set_new(about, "was", was);
	return about;
}

json_t *history_log(const struct history *h, const uint64_t *number)
{
	json_t *revisions = json_array();
	if (!h->count)
		return revisions;
	struct past p = past_begin(h);
	for (size_t i = h->count; i-- > 0;) {
		if (number && *number != h->items[i].number)
			continue;
		past_go(&p, i ? i - 1 : 0);
		json_array_insert_new(revisions, 0, told_of(&h->items[i], i ? p.blocks : NULL));
	}
	past_end(&p);
	return revisions;
}
