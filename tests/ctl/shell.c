/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests lines of a shell, taken apart and completed. */
#include "ctl/shell.h"

#include "unit.h"
#include <stdlib.h>
#include <string.h>

static void splits(const char *text, const char *expected, char quote)
{
	struct shell_line line = shell_split(text);
	char joined[256] = "";
	for (int i = 0; i < line.count; i++) {
		strcat(joined, i ? "|" : "");
		strcat(joined, line.words[i]);
	}
	ck_assert_str_eq(joined, expected);
	ck_assert_int_eq(line.quote, quote);
	shell_free(&line);
}

static void replaces(const char *text, const char *typed, const char *word, bool open,
                     const char *expected)
{
	struct shell_line line = shell_split(text);
	char *with = shell_replacement(&line, typed, word, open);
	ck_assert_pstr_eq(with, expected);
	free(with);
	shell_free(&line);
}

START_TEST(blanks_part_words_and_quotes_keep_them)
{
	splits("ptctl show p", "ptctl|show|p", 0);
	splits("  a   b ", "a|b|", 0);
	splits("", "", 0);
	splits("a 'b c' \"d e\"x f\\ g", "a|b c|d ex|f g", 0);
	splits("a '' b", "a||b", 0);
}
END_TEST

START_TEST(an_open_quote_is_told)
{
	splits("a 'b \"c", "a|b \"c", '\'');
	splits("a \"b 'c\\\" \\x", "a|b 'c\" \\x", '"');
	splits("a '", "a|", '\'');
	splits("a 'b\\", "a|b\\", '\'');
}
END_TEST

START_TEST(a_plain_word_is_put_as_it_is)
{
	replaces("ptctl cre", "cre", "create", false, "create");
	replaces("ptctl ", "", "p.d1", false, "p.d1");
}
END_TEST

START_TEST(only_what_bash_takes_for_the_word_is_replaced)
{
	replaces("ptctl set p.q f=up", "up", "f=upper", false, "upper");
	replaces("ptctl set p.q 'f=up", "f=up", "f=upper", false, "f=upper");
	replaces("ptctl x", "y", "xy", false, NULL);
}
END_TEST

START_TEST(what_a_shell_would_take_for_its_own_is_quoted)
{
	replaces("ptctl run CLIF", "CLIF", "CLIFeeder(", true, "'CLIFeeder(");
	replaces("ptctl load a", "a", "a b.lua", false, "'a b.lua'");
	replaces("ptctl load a", "a", "a'b", false, "\"a'b\"");
	replaces("x f=", "", "f=a b", false, "a\\ b");
	replaces("ptctl run \"F(", "F(", "F(\"x$", true, "F(\\\"x\\$");
	replaces("ptctl run 'F(", "F(", "F(\"x", true, "F(\"x");
	replaces("ptctl run 'F(", "F(", "F('x", true, NULL);
}
END_TEST

UNIT_TESTS("ctl/shell", blanks_part_words_and_quotes_keep_them, an_open_quote_is_told,
           a_plain_word_is_put_as_it_is, only_what_bash_takes_for_the_word_is_replaced,
           what_a_shell_would_take_for_its_own_is_quoted)
