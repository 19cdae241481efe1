/* SPDX-License-Identifier: BSD-2-Clause */
/* What revisions say of the apply that made them. */
#include "ctl/fleet_comment.h"

#include "unit.h"
#include <string.h>

START_TEST(a_wave_is_of_its_apply)
{
	char *comment = fleet_comment("/"), *wave = fleet_comment_wave(comment, 2, 13);
	char *of = fleet_comment_of(wave);
	ck_assert_int_eq(strncmp(comment, "fleet / by ", strlen("fleet / by ")), 0);
	ck_assert_str_eq(of, comment);
	free(of);
	free(wave);
	free(comment);
}
END_TEST

START_TEST(other_comments_are_of_none)
{
	static const char *const texts[] = {
		"",
		"fleet",
		"fleet x",
		"flee x, wave 1 of 2",
		"fleet x, wave 1 of 2, taken back: y",
		"fleet x, wave one of 2",
		"fleet undo by a@b at c: fleet x by y",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_msg(!fleet_comment_of(texts[i]), "%s", texts[i]);
	char *of = fleet_comment_of("fleet a, wave 3 of 4, wave 1 of 2");
	ck_assert_str_eq(of, "fleet a, wave 3 of 4");
	free(of);
}
END_TEST

UNIT_TESTS("ctl/fleet_comment", a_wave_is_of_its_apply, other_comments_are_of_none)
