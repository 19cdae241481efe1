/* SPDX-License-Identifier: BSD-2-Clause */
/* Only what is a comment of the pipe language becomes blank. */
#include "script/comment.h"

#include "unit.h"
#include <string.h>

static void blank(const char *text, const char *left)
{
	char *copy = strdup(text); /* in its size: a checker sees what reads beyond */
	comment_blank(copy);
	ck_assert_str_eq(copy, left);
	free(copy);
}

START_TEST(comments_become_blank)
{
	blank("a # b", "a    ");
	blank("a # it's\nb", "a       \nb");
	blank("# a\n# b", "   \n   ");
	blank("#", " ");
}
END_TEST

START_TEST(all_else_stays)
{
	static const char *const texts[] = {
		"",
		"#m",
		"a #m",
		"m# ",
		"' # '",
		"\" # \"",
		"'\\' # '",
		"[[ # ]]",
		"[==[ ]] # ]==]",
		"-- # a",
		"--[[ # \n # ]]",
		"'a\\",
		"[[ # ",
		"--[==[ # ",
		"[=",
		"-",
		"a[1]",
		"--",
		"'# \n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		blank(texts[i], texts[i]);
}
END_TEST

START_TEST(what_follows_a_string_counts_again)
{
	blank("'x' # y", "'x'    ");
	blank("[[x]] # y", "[[x]]    ");
	blank("--[[x]] # y", "--[[x]]    ");
	blank("-- x\n # y", "-- x\n    ");
}
END_TEST

UNIT_TESTS("script/comment", comments_become_blank, all_else_stays,
           what_follows_a_string_counts_again)
