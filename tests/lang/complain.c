/* SPDX-License-Identifier: BSD-2-Clause */
/* Carets below lines. */
#include "world.h"

static char *caret(const char *text, unsigned line, unsigned column)
{
	struct buf b = BUF_INIT;
	lang_caret(&b, text, (struct lang_place){line, column});
	return buf_steal(&b);
}

START_TEST(the_caret_stands_below_its_column)
{
	expect_text(caret("one\ntwo\nthree", 2, 3), "two\n  ^");
	expect_text(caret("one\r\ntwo", 1, 1), "one\n^");
	expect_text(caret("é世x", 1, 3), "é世x\n   ^");
	expect_text(caret("\t a", 1, 3), "\t a\n\t ^");
	expect_text(caret("a >", 1, 4), "a >\n   ^");
	expect_text(caret("", 1, 1), "\n^");
	expect_text(caret("a", 7, 9), "a\n ^");
}
END_TEST

START_TEST(what_a_terminal_would_obey_is_not_shown)
{
	expect_text(caret("a\x1b[2J\xff", 1, 2), "a?[2J?\n ^");
}
END_TEST

START_TEST(long_lines_are_cut_around_the_caret)
{
	char line[2001] = "";
	memset(line, 'x', 2000);
	line[999] = '!';
	char *text = caret(line, 1, 1000);
	char *below = strchr(text, '\n') + 1;
	ck_assert_uint_lt(strlen(text), 500);
	ck_assert(!strncmp(text, "…", strlen("…")));
	size_t column = strlen(below) - 1 + strlen("…") - 1; /* of the caret, in bytes above */
	ck_assert_int_eq(text[column], '!');
	free(text);
}
END_TEST

START_TEST(a_fault_shows_its_line_as_a_hint)
{
	struct lang_program program;
	struct pt_error err = PT_ERROR_INIT;
	const char *text = "a = Drain()\nb = Drian()\n";
	ck_assert_int_eq(lang_parse(text, strlen(text), &world, &program, &err), -PT_EPARSE);
	ck_assert_uint_eq(err.count, 1);
	ck_assert_str_eq(err.faults[0].hint, "b = Drian()\n    ^");
	pt_error_clear(&err);
}
END_TEST

UNIT_TESTS("lang/complain", the_caret_stands_below_its_column,
           what_a_terminal_would_obey_is_not_shown, long_lines_are_cut_around_the_caret,
           a_fault_shows_its_line_as_a_hint)
