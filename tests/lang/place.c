/* SPDX-License-Identifier: BSD-2-Clause */
/* From the paths of a refused request back to the text. */
#include "world.h"

static const char program_text[] = "old > Drain()\n"
				   "w = WrpcapSink('a', rotate={'size': 1,\n"
				   "  'log': [1, 22]})\n"
				   "old >> w\n";

static void expect_place(const char *path, unsigned line, unsigned column)
{
	struct lang_program program;
	ck_assert_int_eq(lang_parse(program_text, strlen(program_text), &world, &program, NULL), 0);
	struct lang_place place = lang_locate(&program, path);
	ck_assert_msg(place.line == line && place.column == column, "%s is at %u:%u", path,
	              place.line, place.column);
	lang_program_free(&program);
}

START_TEST(paths_lead_to_what_they_mean)
{
	expect_place("$.ops[0]", 1, 7);
	expect_place("$.ops[0].type", 1, 7);
	expect_place("$.ops[1]", 1, 5);
	expect_place("$.ops[1].from", 1, 1);
	expect_place("$.ops[1].to", 1, 7);
	expect_place("$.ops[2].name", 2, 1);
	expect_place("$.ops[2].params.fname", 2, 16);
	expect_place("$.ops[2].params.rotate.size", 2, 37);
	expect_place("$.ops[2].params.rotate.log[1]", 3, 14);
}
END_TEST

START_TEST(what_is_not_in_the_text_is_near_what_is)
{
	expect_place("$.ops[2].params.rotate.files", 2, 28);
	expect_place("$.ops[2].params.linktype", 2, 15);
	expect_place("$.ops[0].params.port", 1, 12);
	expect_place("$.ops[3].anything", 4, 5);
	expect_place("$.ops[4]", 0, 0);
	expect_place("$.engine", 0, 0);
	expect_place("$", 0, 0);
	expect_place(NULL, 0, 0);
}
END_TEST

START_TEST(blocks_and_links_count_by_themselves)
{
	expect_place("$.blocks[1].params.fname", 2, 16);
	expect_place("$.links[1].to", 4, 8);
	expect_place("$.links[2]", 0, 0);
}
END_TEST

UNIT_TESTS("lang/place", paths_lead_to_what_they_mean, what_is_not_in_the_text_is_near_what_is,
           blocks_and_links_count_by_themselves)
