/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests help as it stands in the manual. */
#include "type/man.h"

#include "unit.h"
#include <string.h>

static const char *const overflows[] = {"drop-oldest", "block", NULL};
static const struct pt_param rows[] = {
	{.name = "start_state",
         .kind = PT_KIND_BOOL,
         .fallback = "True",
         .doc = "Open at first.",
         .flags = PT_LIVE},
	{.name = "overflow",
         .kind = PT_KIND_CHOICE,
         .fallback = "block",
         .choices = overflows,
         .doc = "What goes."},
	{.name = "f", .kind = PT_KIND_TRANSFORM, .flags = PT_REQUIRED, .doc = "Applied to each."},
	{NULL},
};
static const struct pt_param options[] = {
	{.name = "engine", .kind = PT_KIND_STRING, .flags = PT_REQUIRED, .doc = "Its name."},
	{.name = "block", .kind = PT_KIND_STRINGS, .flags = PT_MANY, .doc = "Which ones."},
	{.name = "dry_run",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION,
         .letter = 'n',
         .fallback = "False",
         .doc = "Only tells."},
	{.name = "timeout",
         .kind = PT_KIND_SECONDS,
         .flags = PT_OPTION,
         .fallback = "10",
         .doc = "At the longest."},
	{NULL},
};
static const char *const examples[] = {"a = CLIFeeder()\na > Valve('\\n')", NULL};
static const struct pt_type valve = {
	.name = "Valve",
	.summary = "passes or discards",
	.picture = "      +---+\n   >-|-_*-|->\n      +---+\n",
	.examples = examples,
	.params = rows,
};

static void expect_prose(const char *text, unsigned depth, const char *wanted)
{
	struct buf b = BUF_INIT;
	man_prose(&b, text, depth);
	ck_assert_str_eq(b.data, wanted);
	buf_free(&b);
}

START_TEST(what_would_be_markup_is_escaped)
{
	expect_prose("a_b *c* [d] e|f \\n", 0, "a\\_b \\*c\\* \\[d\\] e\\|f \\\\n\n\n");
	expect_prose("# no heading", 0, "\\# no heading\n\n");
	expect_prose("; no comment", 0, "\\; no comment\n\n");
	expect_prose("- no list", 0, "\\- no list\n\n");
}
END_TEST

START_TEST(what_is_in_backquotes_is_bold)
{
	expect_prose("see `ptctl set_x` and `b`", 0, "see *ptctl set\\_x* and *b*\n\n");
	expect_prose("one ` alone", 0, "one \\` alone\n\n");
}
END_TEST

START_TEST(lines_of_a_paragraph_are_joined_and_examples_kept)
{
	expect_prose("Words\nthat go on.\n\n  ptctl x\n    -- y\\\nMore.\n", 0,
	             "Words that go on.\n\n```\nptctl x\n  -- y\\\\\n```\n\nMore.\n\n");
	expect_prose("Deep.\n  code", 1, "\tDeep.\n\n\t```\n\tcode\n\t```\n\n");
}
END_TEST

START_TEST(a_sentence_has_a_capital_and_a_full_stop)
{
	struct buf b = BUF_INIT;
	man_sentence(&b, "make an engine");
	ck_assert_str_eq(b.data, "Make an engine.");
	buf_clear(&b);
	man_sentence(&b, "");
	ck_assert_uint_eq(b.length, 0);
	buf_free(&b);
}
END_TEST

START_TEST(options_look_as_they_are_typed)
{
	struct buf b = BUF_INIT;
	man_verb_params(&b, options, 1);
	ck_assert_str_eq(b.data, "\t_ENGINE_\n\t\tIts name.\n\n"
	                         "\t_BLOCK_…\n\t\tWhich ones.\n\n"
	                         "\t*-n*, *--dry-run*\n\t\tOnly tells.\n\n"
	                         "\t*--timeout* _SECONDS_\n\t\tAt the longest. Default: 10.\n\n");
	buf_free(&b);
}
END_TEST

START_TEST(a_type_is_shown_whole)
{
	struct buf b = BUF_INIT;
	man_type(&b, &valve);
	ck_assert_str_eq(b.data, "## Valve\n\n"
	                         "*Valve*(_start\\_state_=True, _overflow_=\"block\", _f_)\n\n"
	                         "Passes or discards.\n\n"
	                         "```\n      +---+\n   >-|-_*-|->\n      +---+\n```\n\n"
	                         "*start\\_state* (bool, default True)\n"
	                         "\tOpen at first. Can be set while the engine runs.\n\n"
	                         "*overflow* (choice, default block)\n"
	                         "\tWhat goes. One of 'drop\\-oldest' or 'block'.\n\n"
	                         "*f* (transform, required)\n\tApplied to each.\n\n"
	                         "Example:\n\n"
	                         "```\na = CLIFeeder()\na > Valve('\\\\n')\n```\n\n");
	buf_free(&b);
}
END_TEST

UNIT_TESTS("type/man", what_would_be_markup_is_escaped, what_is_in_backquotes_is_bold,
           lines_of_a_paragraph_are_joined_and_examples_kept,
           a_sentence_has_a_capital_and_a_full_stop, options_look_as_they_are_typed,
           a_type_is_shown_whole)
