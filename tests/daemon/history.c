/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine was: revisions that share what they have in common, records of them, and undo. */
#include "daemon/history.h"

#include "base/buf.h"
#include "base/json.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static struct history h;

/* Blocks are the letters of a word; links lead from each to the next. */
static json_t *graph(const char *letters)
{
	json_t *blocks = json_array(), *links = json_array();
	for (const char *at = letters; *at; at++) {
		json_array_append_new(blocks, json_pack("{s:s%}", "name", at, (size_t)1));
		if (at[1])
			json_array_append_new(links, json_pack("{s:s%, s:s%}", "from", at,
			                                       (size_t)1, "to", at + 1, (size_t)1));
	}
	return json_pack("{s:o, s:o}", "blocks", blocks, "links", links);
}

static json_t *add(uint64_t number, const char *letters, int undoes)
{
	json_t *is = graph(letters), *about = json_pack("{s:I}", "revision", (json_int_t)number);
	if (undoes >= 0)
		json_object_set_new(about, "undoes", json_integer(undoes));
	const struct revision *last = history_last(&h);
	json_t *blocks = history_delta(last ? last->blocks : NULL, json_object_get(is, "blocks"));
	json_t *links = history_delta(last ? last->links : NULL, json_object_get(is, "links"));
	json_t *record = history_add(&h, about, blocks, links);
	json_decref(about);
	json_decref(blocks);
	json_decref(links);
	json_decref(is);
	return record;
}

static void given(uint64_t number, const char *letters)
{
	json_decref(add(number, letters, -1));
}

static void expect(const struct history *of, const struct revision *r, const char *letters)
{
	json_t *is = graph(letters), *blocks, *links;
	ck_assert_ptr_nonnull(r);
	history_graph(of, r, &blocks, &links);
	ck_assert(json_equal(blocks, json_object_get(is, "blocks")));
	ck_assert(json_equal(links, json_object_get(is, "links")));
	json_decref(blocks);
	json_decref(links);
	json_decref(is);
}

START_TEST(each_revision_keeps_its_graph)
{
	static const char *const words[] = {"", "abc", "abxc", "ac", "xyz", "abc"};
	history_init(&h);
	for (unsigned i = 0; i < 6; i++)
		given(i, words[i]);
	for (unsigned i = 0; i < 6; i++)
		expect(&h, history_find(&h, i), words[i]);
	ck_assert_ptr_null(history_find(&h, 6));
	history_fini(&h);
}
END_TEST

/* Much or little of a word of up to 80 letters, which come, go and change places. */
static void alter(char *word)
{
	unsigned times = random() % 8 ? 1 + (unsigned)random() % 3 : 60;
	for (unsigned i = 0; i < times; i++) {
		size_t length = strlen(word), at = (size_t)random() % (length + 1);
		if (random() % 2 && length < 80) {
			memmove(word + at + 1, word + at, length - at + 1);
			word[at] = (char)('a' + random() % 26);
		} else if (at < length) {
			memmove(word + at, word + at + 1, length - at);
		}
	}
}

START_TEST(any_graph_may_follow_any_other)
{
	enum { REVISIONS = 60, ROOM = 96 };
	static char words[REVISIONS][ROOM];
	struct history again;
	history_init(&h);
	history_init(&again);
	for (unsigned i = 0; i < REVISIONS; i++) {
		memcpy(words[i], i ? words[i - 1] : "abc", ROOM * (i > 0) + 4 * !i);
		alter(words[i]);
		json_t *record = add(i, words[i], -1);
		ck_assert_int_eq(history_replay(&again, record, NULL), 0);
		json_decref(record);
		if (i % 7)
			continue;
		json_t *held = json_incref(history_last(&h)->blocks), *is = graph(words[i]);
		alter(strcpy(words[i + 1], words[i]));
		given(i + 1, words[i + 1]);
		i++;
		ck_assert(json_equal(held, json_object_get(is, "blocks")));
		history_fini(&again);
		json_t *records = history_records(&h);
		json_each (r, records)
			ck_assert_int_eq(history_replay(&again, r, NULL), 0);
		json_decref(records);
		json_decref(held);
		json_decref(is);
	}
	for (unsigned left = REVISIONS; left; left--) {
		for (unsigned i = 0; i < left; i++)
			expect(&h, history_find(&h, i), words[i]);
		expect(&again, history_find(&again, left - 1), words[left - 1]);
		ck_assert_uint_ge(h.lists, json_array_size(history_last(&h)->blocks));
		history_drop_last(&h);
	}
	ck_assert_uint_eq(h.lists + h.bytes, 0);
	history_fini(&h);
	history_fini(&again);
}
END_TEST

START_TEST(what_stays_is_shared)
{
	struct history again;
	size_t i;
	json_t *record;
	history_init(&h);
	history_init(&again);
	given(1, "abcdef");
	given(2, "abcXdef");
	json_t *records = history_records(&h);
	json_array_foreach (records, i, record)
		ck_assert_int_eq(history_replay(&again, record, NULL), 0);
	const struct revision *was = history_find(&again, 1), *is = history_find(&again, 2);
	json_t *blocks, *links;
	history_graph(&again, was, &blocks, &links);
	ck_assert_ptr_eq(json_array_get(blocks, 0), json_array_get(is->blocks, 0));
	ck_assert_ptr_eq(json_array_get(blocks, 5), json_array_get(is->blocks, 6));
	json_decref(blocks);
	json_decref(links);
	json_decref(records);
	history_fini(&h);
	history_fini(&again);
}
END_TEST

START_TEST(a_record_tells_only_what_is_new)
{
	history_init(&h);
	given(1, "abcdef");
	json_t *record = add(2, "abcXdef", -1);
	char *text = json_dumps(json_object_get(record, "blocks"), JSON_COMPACT);
	ck_assert_str_eq(text, "[[0,3],{\"name\":\"X\"},[3,3]]");
	free(text);
	json_decref(record);
	history_fini(&h);
}
END_TEST

START_TEST(records_make_the_same_history)
{
	struct history again;
	size_t i;
	json_t *record;
	history_init(&h);
	history_init(&again);
	given(1, "abc");
	given(2, "c");
	given(3, "abcd");
	json_t *records = history_records(&h);
	json_array_foreach (records, i, record)
		ck_assert_int_eq(history_replay(&again, record, NULL), 0);
	expect(&again, history_find(&again, 1), "abc");
	expect(&again, history_find(&again, 2), "c");
	expect(&again, history_last(&again), "abcd");
	json_decref(records);
	history_fini(&h);
	history_fini(&again);
}
END_TEST

START_TEST(records_that_do_not_follow_are_refused)
{
	static const char *const bad[] = {
		"{\"blocks\":[],\"links\":[]}",
		"{\"revision\":\"5\",\"blocks\":[],\"links\":[]}",
		"{\"revision\":3,\"blocks\":[],\"links\":[]}",
		"{\"revision\":5,\"blocks\":[],\"links\":[]}",
		"{\"revision\":4,\"blocks\":[[0,4]],\"links\":[]}",
		"{\"revision\":4,\"blocks\":[[-1,2]],\"links\":[]}",
		"{\"revision\":4,\"blocks\":[[2,9223372036854775807]],\"links\":[]}",
		"{\"revision\":4,\"blocks\":[7],\"links\":[]}",
		"{\"revision\":4,\"blocks\":{},\"links\":[]}",
		"{\"revision\":4,\"blocks\":[]}",
	};
	history_init(&h);
	given(3, "abc");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *record = json_loads(bad[i], 0, NULL);
		ck_assert_int_lt(history_replay(&h, record, &err), 0);
		ck_assert_uint_eq(h.count, 1);
		json_decref(record);
		pt_error_clear(&err);
	}
	history_fini(&h);
}
END_TEST

START_TEST(undoing_again_goes_further_back)
{
	history_init(&h);
	given(1, "a");
	given(2, "ab");
	given(3, "abc");
	ck_assert_uint_eq(history_before(&h)->number, 2);
	json_decref(add(4, "ab", 2));
	ck_assert_uint_eq(history_before(&h)->number, 1);
	json_decref(add(5, "a", 1));
	ck_assert_ptr_null(history_before(&h));
	given(6, "axyz");
	ck_assert_uint_eq(history_before(&h)->number, 5);
	history_fini(&h);
}
END_TEST

START_TEST(the_oldest_are_forgotten)
{
	history_init(&h);
	for (unsigned i = 1; i <= HISTORY_REVISIONS_MAX + 5; i++)
		given(i, i % 2 ? "ab" : "abc");
	ck_assert_uint_eq(h.count, HISTORY_REVISIONS_MAX);
	ck_assert_ptr_null(history_find(&h, 5));
	expect(&h, history_find(&h, 6), "abc");
	expect(&h, history_last(&h), "ab");
	history_fini(&h);
}
END_TEST

START_TEST(what_is_long_is_forgotten_sooner)
{
	json_t *is = graph("ab");
	char *words = must_calloc(HISTORY_BYTES_MAX / 4, 1);
	memset(words, 'x', HISTORY_BYTES_MAX / 4 - 1);
	history_init(&h);
	for (int i = 1; i <= 10; i++) {
		json_t *about = json_pack("{s:i, s:s}", "revision", i, "comment", words);
		json_decref(history_add(&h, about, json_object_get(is, "blocks"),
		                        json_object_get(is, "links")));
		json_decref(about);
	}
	ck_assert_uint_eq(h.count, 3);
	ck_assert_uint_eq(history_last(&h)->number, 10);
	ck_assert_uint_le(h.bytes, HISTORY_BYTES_MAX);
	history_fini(&h);
	free(words);
	json_decref(is);
}
END_TEST

UNIT_TESTS("daemon/history", each_revision_keeps_its_graph, any_graph_may_follow_any_other,
           what_stays_is_shared, a_record_tells_only_what_is_new, records_make_the_same_history,
           records_that_do_not_follow_are_refused, undoing_again_goes_further_back,
           the_oldest_are_forgotten, what_is_long_is_forgotten_sooner)
