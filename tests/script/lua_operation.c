/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations as values: named, called, passed on, and of no use inside a function. */
#include "script/run.h"

START_TEST(an_operation_is_a_value)
{
	becomes("reverse", "ab", "ba");
	becomes("(reverse)", "ab", "ba");
	becomes("({upper, reverse})[2]", "ab", "ba");
	becomes("1 > 2 and upper or reverse", "ab", "ba");
	becomes("(function(n) return truncate(n + 1) end)(1)", "abc", "ab");
	becomes("truncate{} and truncate(1)", "abc", "a");
}
END_TEST

START_TEST(arguments_are_counted)
{
	refused(PT_KIND_TRANSFORM, "reverse()", "script:1: reverse takes no argument");
	refused(PT_KIND_TRANSFORM, "reverse(1)", "script:1: reverse takes no argument");
	refused(PT_KIND_TRANSFORM, "truncate()",
	        "script:1: truncate takes one argument: truncate(64)");
	refused(PT_KIND_TRANSFORM, "truncate(1, 2)", "script:1: truncate takes one argument: …");
	refused(PT_KIND_TRANSFORM, "truncate(1)(2)", "script:1: truncate has its argument already");
	refused(PT_KIND_TRANSFORM, "truncate", "truncate takes an argument: truncate(64)");
	refused(PT_KIND_PREDICATE, "equals", "equals takes an argument: equals 'bytes'");
}
END_TEST

START_TEST(an_operation_has_no_inside)
{
	refused(PT_KIND_TRANSFORM, "reverse.x", "script:1: attempt to index …");
	refused(PT_KIND_TRANSFORM, "getmetatable(reverse).x", "script:1: attempt to index …");
	fails("function(m) return reverse(m) end", "reverse takes no argument");
	fails("function(m) return reverse end", "returned a userdata");
}
END_TEST

START_TEST(the_script_may_use_the_names_itself)
{
	becomes("function(m) local set = m:upper() return set end", "a", "A");
	becomes("function(m) reverse = m:reverse() return reverse end", "ab", "ba");
}
END_TEST

UNIT_TESTS("script/lua_operation", an_operation_is_a_value, arguments_are_counted,
           an_operation_has_no_inside, the_script_may_use_the_names_itself)
