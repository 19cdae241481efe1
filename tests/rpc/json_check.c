/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that are JSON, and texts that only look like it. */
#include "rpc/json_check.h"

#include "rpc/call.h"
#include "rpc/frame.h"
#include "unit.h"
#include <string.h>

static void expect_taken(const char *text)
{
	json_t *value;
	struct pt_error err = PT_ERROR_INIT;
	int code = rpc_json_parse(text, strlen(text), &value, &err);
	ck_assert_msg(!code, "%s: %s", text, pt_error_text(&err, ""));
	json_decref(value);
}

static void expect_refused(const char *text, size_t length, const char *why)
{
	json_t *value;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(rpc_json_parse(text, length, &value, &err) == -PT_EPARSE, "%s", text);
	ck_assert_uint_eq(err.count, 1);
	ck_assert_msg(strstr(err.faults[0].message, why), "%s: %s", text, err.faults[0].message);
	ck_assert_msg(strstr(err.faults[0].message, " at byte "), "%s", err.faults[0].message);
	pt_error_clear(&err);
}

START_TEST(json_is_taken)
{
	expect_taken("{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\ud83d\\ude00é\\\\u0000\"]}");
	expect_taken(" 5\r\n");
	expect_taken("\"[[[{{{\\\"[\"");
	expect_taken("-9223372036854775808");
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
	static const char *const texts[] = {
		"",
		"{",
		"}",
		"{]",
		"{\"a\"}",
		"{\"a\":1,}",
		"[1,]",
		"'a'",
		"nul",
		"+1",
		"01",
		"1.",
		".5",
		"0x1",
		"NaN",
		"\"a",
		"\"\t\"",
		"\"\\x\"",
		"\"\\u12\"",
		"[1] 2",
		"\xef\xbb\xbf{}",
		"\"\\ud800\"",
		"\"\\ude00\\ud83d\"",
		"\"\\",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		expect_refused(texts[i], strlen(texts[i]), "not JSON");
	expect_refused("\xef\xbb\xbf{}", 5, "byte order mark");
	expect_refused("{\"a\":1,\"a\":2}", 13, "repeated");
	expect_refused("[1,2", 4, "too early");
	expect_refused("{}{}", 4, "behind its end");
	expect_refused("9223372036854775808", 19, "too large");
	expect_refused("1e400", 5, "too large");
	expect_refused("-1e400", 6, "too large");
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_refused)
{
	static const char *const texts[] = {
		"\"\xff\"",
		"\"\xc3\"",
		"\"\xc0\x80\"",
		"\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"",
		"\"\x80\"",
		"{\"\xe9\":1}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		expect_refused(texts[i], strlen(texts[i]), "UTF-8");
}
END_TEST

START_TEST(nul_is_refused_in_every_dress)
{
	expect_refused("{\"a\0\":1}", 8, "NUL byte at byte 3");
	expect_refused("{}\0", 3, "NUL byte at byte 2");
	expect_refused("\"\\\0\"", 4, "NUL byte at byte 2");
	expect_refused("\"a\\u0000\"", 9, "\\u0000 at byte 2");
	expect_refused("{\"\\u0000\":1}", 12, "\\u0000");
	expect_refused("\"\\\\\\u0000\"", 10, "\\u0000 at byte 3");
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char text[2 * FRAME_DEPTH_MAX + 3];
	memset(text, '[', FRAME_DEPTH_MAX + 1);
	memset(text + FRAME_DEPTH_MAX + 1, ']', FRAME_DEPTH_MAX + 1);
	text[sizeof text - 1] = 0;
	expect_refused(text, sizeof text - 1, "nesting deeper than 64 at byte 64");
	text[sizeof text - 2] = 0;
	expect_taken(text + 1);
}
END_TEST

START_TEST(brackets_in_strings_are_no_nesting)
{
	char text[200] = "\"";
	memset(text + 1, '[', 100);
	strcpy(text + 101, "\\\"{{{\"");
	ck_assert_int_eq(json_check(text, strlen(text), NULL), 0);
}
END_TEST

UNIT_TESTS("rpc/json_check", json_is_taken, what_is_not_json_is_refused,
           bytes_that_are_not_utf8_are_refused, nul_is_refused_in_every_dress, nesting_is_bounded,
           brackets_in_strings_are_no_nesting)
