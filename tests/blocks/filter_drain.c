/* SPDX-License-Identifier: BSD-2-Clause */
/* FilterDrain. */
#include "rig.h"
#include "unit.h"

START_TEST(it_passes_what_is_true_on_both_canals)
{
	struct rig *r = rig("FilterDrain", "'function(m) return #m > 1 end'");
	push_all(r, LOW, (const char *const[]){"a", "bb", "c", "dd"}, 4);
	push(r, HIGH, "ee");
	expect(r, LOW, "bb");
	expect(r, LOW, "dd");
	expect(r, HIGH, "ee");
	expect_nothing(r);
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "filtered");
	rig_end(r);
}
END_TEST

START_TEST(a_script_error_drops_the_message)
{
	struct rig *r = rig("FilterDrain", "'function(m) return m.nothing.at_all end'");
	push(r, LOW, "a");
	expect_nothing(r);
	expect_report(r, "nothing");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "error");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/filter_drain", it_passes_what_is_true_on_both_canals,
           a_script_error_drops_the_message)
