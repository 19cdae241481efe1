/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing bytes, encodings, quotes, names and near misses. */
#include "base/buf.h"
#include "base/encode.h"
#include "base/map.h"
#include "base/name.h"
#include "base/json.h"
#include "base/near.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

START_TEST(a_buffer_grows_and_is_consumed)
{
	struct buf b = BUF_INIT;
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i);
	ck_assert_int_eq(strncmp(b.data, "0,1,2,", 6), 0);
	buf_consume(&b, 4);
	ck_assert_int_eq(strncmp(b.data, "2,3,", 4), 0);
	char *text = buf_steal(&b);
	ck_assert_int_eq(strncmp(text, "2,3,", 4), 0);
	ck_assert_ptr_null(b.data);
	free(text);
	text = buf_steal(&b);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(base64_and_hex_go_there_and_back)
{
	unsigned char bytes[100];
	for (size_t length = 0; length < sizeof bytes; length++) {
		struct buf text = BUF_INIT, again = BUF_INIT;
		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)(i * 37 + length);
		buf_reserve(&again, 0);
		encode_base64(&text, bytes, length);
		ck_assert_int_eq(decode_base64(&again, length ? text.data : "", text.length), 0);
		ck_assert_uint_eq(again.length, length);
		ck_assert_mem_eq(again.data, bytes, length);
		buf_clear(&text);
		buf_clear(&again);
		encode_hex(&text, bytes, length);
		ck_assert_int_eq(decode_hex(&again, length ? text.data : "", text.length), 0);
		ck_assert_uint_eq(again.length, length);
		ck_assert_mem_eq(again.data, bytes, length);
		buf_free(&text);
		buf_free(&again);
	}
}
END_TEST

START_TEST(what_is_not_base64_is_refused)
{
	static const char *const wrong[] = {
		"A", "AB", "ABC", "A===", "====", "AB=C", "AB!=", "AAAA ", "AB==CDEF", "AB==AB=="};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct buf b = BUF_INIT;
		ck_assert_msg(decode_base64(&b, wrong[i], strlen(wrong[i])) != 0, "%s", wrong[i]);
		ck_assert_uint_eq(b.length, 0);
		buf_free(&b);
	}
}
END_TEST

START_TEST(hex_may_have_spaces_and_colons_between_bytes)
{
	struct buf b = BUF_INIT;
	ck_assert_int_eq(decode_hex(&b, "de:AD be ef", 11), 0);
	ck_assert_mem_eq(b.data, "\xde\xad\xbe\xef", 4);
	ck_assert_int_ne(decode_hex(&b, "d e", 3), 0);
	ck_assert_int_ne(decode_hex(&b, "abc", 3), 0);
	buf_free(&b);
}
END_TEST

static void expect_quoted(const char *bytes, size_t length, const char *wanted)
{
	struct buf b = BUF_INIT;
	quote_text(&b, bytes, length);
	ck_assert_str_eq(b.data, wanted);
	buf_free(&b);
}

START_TEST(quotes_are_as_in_python)
{
	expect_quoted("foo", 3, "'foo'");
	expect_quoted("it's", 4, "\"it's\"");
	expect_quoted("it's \"it\"", 9, "'it\\'s \"it\"'");
	expect_quoted("a\n\t\\\r", 5, "'a\\n\\t\\\\\\r'");
	expect_quoted("\0\x1f\x7f", 3, "'\\x00\\x1f\\x7f'");
	expect_quoted("\xc3\xa9", 2, "'\xc3\xa9'");
	expect_quoted("\xc3", 1, "'\\xc3'");
	expect_quoted("", 0, "''");
}
END_TEST

START_TEST(names_are_plain)
{
	ck_assert(name_is_block("d1"));
	ck_assert(name_is_block("_x"));
	ck_assert(!name_is_block("1d"));
	ck_assert(!name_is_block(""));
	ck_assert(!name_is_block("a-b"));
	ck_assert(name_is_engine("a-b"));
	ck_assert(name_is_engine("10-web"));
	ck_assert(!name_is_engine("a.b"));
	ck_assert(!name_is_engine(""));
	ck_assert(name_was_engine("a-b.c"));
	ck_assert(!name_was_engine("10.web"));
	ck_assert(!name_is_engine("-a"));
	ck_assert(!name_is_engine("a/b"));
	ck_assert(!name_is_block(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(what_json_does_not_have_is_empty)
{
	json_t *list = json_pack("[{s:s, s:i}, {s:s, s:f}, i]", "name", "a", "n", 3, "name", "b",
	                         "n", 1.5, 7);
	ck_assert_str_eq(text_of(item_of(list, "name", "b"), "name"), "b");
	ck_assert_double_eq(number_of(item_of(list, "name", "b"), "n"), 1.5);
	ck_assert_int_eq(integer_of(item_of(list, "name", "a"), "n"), 3);
	ck_assert_ptr_null(item_of(list, "name", "c"));
	ck_assert_str_eq(text_of(item_of(list, "name", "a"), "n"), "");
	ck_assert_str_eq(text_of(NULL, "name"), "");
	ck_assert_int_eq(integer_of(json_array_get(list, 2), "n"), 0);
	ck_assert_double_eq(sum_of(item_of(list, "name", "b")), 1.5);
	ck_assert_double_eq(sum_of(NULL), 0);
	int seen = 0;
	json_each (item, list) {
		if (json_is_integer(item))
			break;
		json_each (other, list) {
			if (other == item)
				continue;
			seen++;
		}
	}
	json_each (none, NULL)
		seen = none ? -1 : -2;
	ck_assert_int_eq(seen, 4);
	json_decref(list);
}
END_TEST

START_TEST(a_hash_is_that_of_sha256sum)
{
	static const struct {
		size_t length;
		const char *hex;
	} of_x[] = {
		{0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"},
		{56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"},
		{63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"},
		{64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"},
		{119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"},
		{120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"},
		{1000, "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f"},
	};
	char text[1000], hex[SHA256_HEX];
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < sizeof of_x / sizeof *of_x; i++) {
		sha256_hex(text, of_x[i].length, hex);
		ck_assert_str_eq(hex, of_x[i].hex);
	}
}
END_TEST

START_TEST(the_nearest_name_is_found_if_it_is_near)
{
	struct near n = near_init("Drian");
	near_try(&n, "Drain");
	near_try(&n, "UpDrain");
	ck_assert_str_eq(near_best(&n), "Drain");
	ck_assert_str_eq(near_say(&n, "; see help"), "; did you mean 'Drain'?");
	n.open = "[", n.close = "]";
	ck_assert_str_eq(near_say(&n, ""), "; did you mean [Drain]?");
	n = near_found(NULL);
	ck_assert_str_eq(near_say(&n, "; see help"), "; see help");
	n = near_init("queuesink");
	near_try(&n, "QueueSink");
	ck_assert_str_eq(near_best(&n), "QueueSink");
	n = near_init("xyz");
	near_try(&n, "Drain");
	ck_assert_ptr_null(near_best(&n));
	n = near_init("");
	near_try(&n, "a");
	ck_assert_ptr_null(near_best(&n));
}
END_TEST

START_TEST(a_map_finds_what_was_put_in)
{
	struct map m = MAP_INIT;
	char keys[500][8];
	for (size_t i = 0; i < 500; i++) {
		snprintf(keys[i], sizeof keys[i], "k%zu", i);
		map_set(&m, keys[i], keys[i]);
	}
	for (size_t i = 0; i < 500; i += 2)
		map_remove(&m, keys[i]);
	for (size_t i = 0; i < 500; i++)
		ck_assert_ptr_eq(map_get(&m, keys[i]), i % 2 ? keys[i] : NULL);
	for (int round = 0; round < 1000; round++) {
		map_set(&m, keys[0], keys[0]);
		map_remove(&m, keys[0]);
	}
	ck_assert_ptr_null(map_get(&m, keys[0]));
	ck_assert_uint_le(m.room, 4096);
	map_free(&m);
}
END_TEST

START_TEST(text_for_a_terminal_cannot_drive_it)
{
	static const char text[] = "it's \\ \"a\"\tb\nc\r\x1b[2J\0\x7f\xff \xc3\xa4\xc2\x9b";
	struct buf b = BUF_INIT;
	quote_harmless(&b, text, sizeof text - 1);
	ck_assert_str_eq(b.data, "it's \\ \"a\"\tb\nc\\r\\x1b[2J\\x00\\x7f\\xff \xc3\xa4\\x9b");
	buf_free(&b);
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
	static const char text[] = "a\u00e9\u65e5\u672c e\u0301 \U0001f600\xff";
	ck_assert_uint_eq(utf8_width(text, sizeof text - 1), 1 + 1 + 4 + 1 + 1 + 0 + 1 + 2 + 1);
}
END_TEST

UNIT_TESTS("base/text", wide_characters_take_two_columns, text_for_a_terminal_cannot_drive_it,
           a_buffer_grows_and_is_consumed, base64_and_hex_go_there_and_back,
           what_is_not_base64_is_refused, hex_may_have_spaces_and_colons_between_bytes,
           quotes_are_as_in_python, names_are_plain, what_json_does_not_have_is_empty,
           a_hash_is_that_of_sha256sum, the_nearest_name_is_found_if_it_is_near,
           a_map_finds_what_was_put_in)
