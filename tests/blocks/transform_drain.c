/* SPDX-License-Identifier: BSD-2-Clause */
/* TransformDrain. */
#include "rig.h"
#include "unit.h"
#include <string.h>

START_TEST(it_applies_a_native_operation_on_both_canals)
{
	struct rig *r = rig("TransformDrain", "'reverse'");
	push(r, LOW, "abc");
	push(r, HIGH, "xyz");
	expect(r, LOW, "cba");
	expect(r, HIGH, "zyx");
	rig_end(r);
}
END_TEST

START_TEST(a_function_may_drop_and_keeps_its_state)
{
	struct rig *r = rig("TransformDrain",
	                    "'(function() local n = 0; return function(m) n = n + 1; "
	                    "if n % 2 == 0 then return nil end; return n .. m end end)()'");
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	expect(r, LOW, "1a");
	expect(r, LOW, "3c");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_script_error_drops_the_message_and_is_reported_once)
{
	struct rig *r = rig("TransformDrain", "'function(m) error(\"no \" .. m:text()) end'");
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	expect_nothing(r);
	expect_report(r, "no a");
	ck_assert_uint_eq(rig_block(r, "it")->count.errors, 3);
	ck_assert(strstr(rig_block(r, "it")->last_error, "no c") != NULL);
	pass_time(r, 1.5);
	push(r, LOW, "d");
	expect_report(r, "2 more");
	rig_end(r);
}
END_TEST

START_TEST(a_traceback_is_told_once)
{
	struct rig *r = rig("TransformDrain", "'function(m) error(\"no \" .. m:text(), 0) end'");
	push_all(r, LOW, (const char *const[]){"a", "a", "a"}, 3);
	expect_report(r, "it: no a\nstack traceback:");
	pass_time(r, 1.5);
	push(r, LOW, "a");
	expect_whole_report(r, "it: no a (and 2 more before)");
	pass_time(r, 1.5);
	push_all(r, LOW, (const char *const[]){"a", "b"}, 2);
	expect_whole_report(r, "it: no a");
	pass_time(r, 1.5);
	push(r, LOW, "c");
	expect_report(r, "it: no c (and 1 more before)\nstack traceback:");
	rig_end(r);
}
END_TEST

START_TEST(an_edit_is_not_seen_by_a_sibling)
{
	struct rig *r = rig_graph("it = Drain(); t = TransformDrain('reverse'); a = RigSink(); "
	                          "b = RigSink(); c = RigSink()\n"
	                          "it > a; it > t > b; it > c");
	push(r, LOW, "abc");
	expect_at(r, "a>", "abc");
	expect_at(r, "b>", "cba");
	expect_at(r, "c>", "abc");
	rig_end(r);
}
END_TEST

START_TEST(its_function_is_set_while_it_runs)
{
	struct rig *r = rig("TransformDrain", "'reverse'");
	const struct pt_block *before = rig_block(r, "it");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"f\": "
	              "\"upper\"}}]}"));
	ck_assert_ptr_eq(before, rig_block(r, "it"));
	push(r, LOW, "abc");
	expect(r, LOW, "ABC");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/transform_drain", it_applies_a_native_operation_on_both_canals,
           a_function_may_drop_and_keeps_its_state,
           a_script_error_drops_the_message_and_is_reported_once, a_traceback_is_told_once,
           an_edit_is_not_seen_by_a_sibling, its_function_is_set_while_it_runs)
