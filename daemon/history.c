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

static json_t *list_delta(const json_t *was, const json_t *is)
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

static bool take_run(json_t *list, const json_t *was, const json_t *run)
{
	json_int_t place = json_integer_value(json_array_get(run, 0));
	json_int_t count = json_integer_value(json_array_get(run, 1));
	json_int_t size = (json_int_t)json_array_size(was);
	if (place < 0 || count < 0 || place > size || count > size - place)
		return false;
	for (json_int_t i = place; i < place + count; i++)
		json_array_append(list, json_array_get(was, (size_t)i));
	return true;
}

/* A new list, which shares what stays; NULL: `delta` is none of `was`. */
static json_t *list_apply(const json_t *was, const json_t *delta)
{
	json_t *list = json_array();
	bool good = json_is_array(delta);
	json_each (item, delta) {
		if (json_is_array(item))
			good &= take_run(list, was, item);
		else if (json_is_object(item))
			json_array_append(list, item);
		else
			good = false;
	}
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

/* ---- revisions ---- */

static void forget_oldest(struct history *h)
{
	revision_clear(h, &h->items[0]);
	h->count--;
	memmove(h->items, h->items + 1, h->count * sizeof *h->items);
}

static void append(struct history *h, struct revision r)
{
	h->lists += json_array_size(r.blocks) + json_array_size(r.links);
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

static json_t *record_of(const struct revision *before, const json_t *about, const json_t *blocks,
                         const json_t *links)
{
	json_t *record = json_copy((json_t *)(uintptr_t)about);
	json_object_set_new(record, "blocks", list_delta(before ? before->blocks : NULL, blocks));
	json_object_set_new(record, "links", list_delta(before ? before->links : NULL, links));
	return record;
}

/* The last one is confirmed now, or it never will be. Takes the references. */
static void add(struct history *h, struct revision r)
{
	if (h->count)
		json_object_del(history_last(h)->about, "confirm");
	append(h, r);
}

json_t *history_add(struct history *h, const json_t *about, json_t *blocks, json_t *links)
{
	json_t *record = record_of(history_last(h), about, blocks, links);
	json_int_t number = json_integer_value(json_object_get(about, "revision"));
	add(h, (struct revision){(uint64_t)number, json_copy((json_t *)(uintptr_t)about),
	                         json_incref(blocks), json_incref(links),
	                         json_dumpb(record, NULL, 0, JSON_COMPACT)});
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
	json_t *blocks = list_apply(last ? last->blocks : NULL, json_object_get(record, "blocks"));
	json_t *links = list_apply(last ? last->links : NULL, json_object_get(record, "links"));
	if (!blocks || !links) {
		json_decref(blocks);
		json_decref(links);
		return pt_fail(err, -PT_EIO, NULL,
		               "revision %llu does not follow from the one before",
		               (unsigned long long)n);
	}
	json_t *about = json_copy((json_t *)(uintptr_t)record);
	json_object_del(about, "blocks");
	json_object_del(about, "links");
	add(h,
	    (struct revision){n, about, blocks, links, json_dumpb(record, NULL, 0, JSON_COMPACT)});
	return 0;
}

json_t *history_records(const struct history *h)
{
	json_t *records = json_array();
	for (size_t i = 0; i < h->count; i++) {
		const struct revision *r = &h->items[i];
		json_array_append_new(records,
		                      record_of(i ? r - 1 : NULL, r->about, r->blocks, r->links));
	}
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
	revision_clear(h, &h->items[--h->count]);
}

/* With what its operations have taken the place of, where the revision before is known. */
static json_t *told_of(const struct history *h, size_t i)
{
	json_t *about = json_copy(h->items[i].about);
	const json_t *ops = json_object_get(about, "ops");
	json_t *was = i ? diff_was(ops, h->items[i - 1].blocks) : NULL;
	if (was)
		json_object_set_new(about, "was", was);
	return about;
}

json_t *history_log(const struct history *h, const uint64_t *number)
{
	json_t *revisions = json_array();
	for (size_t i = 0; i < h->count; i++)
		if (!number || *number == h->items[i].number)
			json_array_append_new(revisions, told_of(h, i));
	return revisions;
}
