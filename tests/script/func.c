/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be written as a function, what its value does, and what is said of all else. */
#include "script/run.h"

static void refused_transform(const char *text, const char *words)
{
	refused(PT_KIND_TRANSFORM, text, words);
}

START_TEST(a_text_may_be_written_in_many_ways)
{
	becomes("reverse", "ab", "ba");
	becomes(" \n\t reverse \n ", "ab", "ba");
	becomes("reverse -- backwards", "ab", "ba");
	becomes("-- backwards\nreverse", "ab", "ba");
	becomes("--[[ back\nwards ]] reverse", "ab", "ba");
	becomes("function(m) return m end", "ab", "ab");
	becomes("function(m)\n  return m\nend\n", "ab", "ab");
	becomes("return function(m) return m end", "ab", "ab");
	becomes("local n = '!' return function(m) return m .. n end", "ab", "ab!");
	becomes("n = '!'; return function(m) return m .. n end", "ab", "ab!");
	becomes("string.upper", "ab", "AB");
	becomes("return reverse", "ab", "ba");
	becomes("reverse # as in a pipe file", "ab", "ba");
	becomes("function(m) return # m end", "abc", "3");
}
END_TEST

START_TEST(the_demo_of_scapy_works)
{
	static const char lua[] =
		"function(p)\n"
		"  if p.ip then p.ip.src = \"1.1.1.1\"; p.ip.dst = \"2.2.2.2\" end\n"
		"  return p\n"
		"end";
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied(lua, PACKET(pool, UDP_PACKET));
	ck_assert_mem_eq(m->bytes + 26, "\1\1\1\1\2\2\2\2", 8);
	ck_assert(sum_is_right(m));
	pt_msg_unref(m);
	pool_free(pool);
	becomes(lua, "plain", "plain");
}
END_TEST

START_TEST(what_a_transform_returns)
{
	becomes("function(m) return m end", "a", "a");
	becomes("function(m) return 'text' end", "a", "text");
	becomes("function(m) return '' end", "a", "");
	becomes("function(m) return 42 end", "a", "42");
	becomes("function(m) return 1.5 end", "a", "1.5");
	becomes("function(m) return 2^53 end", "a", "9.007199254741e+15");
	becomes("function(m) return m, 'more' end", "a", "a");
	fails("function(m) return {} end", "the function returned a table");
	fails("function(m) return true end", "the function returned a boolean");
	fails("function(m) return print or type end", "the function returned a function");
	fails_on_udp("function(m) return m.ip end", "the function returned a userdata");
}
END_TEST

START_TEST(nothing_returned_is_dropped)
{
	static const char *const texts[] = {"function(m) return nil end", "function(m) end",
	                                    "function(m) return false end",
	                                    "function(m) m:set_byte(1, 0) end"};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_func *f = transform(texts[i]);
		struct pt_msg *m = pt_msg_new(pool, "a", 1);
		ck_assert_int_eq(func_transform(f, &m, NULL), 1);
		pt_msg_unref(m);
		func_free(f);
	}
	pool_free(pool);
}
END_TEST

START_TEST(a_string_is_a_plain_message_of_the_same_time)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m =
		applied("function(m) m.time = 7 return m:sub(1, 3) end", PACKET(pool, UDP_PACKET));
	ck_assert(!pt_msg_is_packet(m));
	ck_assert_uint_eq(m->time_ns, UINT64_C(7000000000));
	ck_assert_uint_eq(m->wire_length, 3);
	pt_msg_unref(m);
	m = applied("function(m) m:set_byte(1, 9) return m end", PACKET(pool, UDP_PACKET));
	ck_assert_uint_eq(m->link_type, 1);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(a_result_that_is_wrong_undoes_the_edits)
{
	fails_on_udp("function(m) m.ip.src = '1.1.1.1' return {} end", "returned a table");
}
END_TEST

START_TEST(a_predicate_is_true_as_in_lua)
{
	ck_assert(holds("function(m) return #m > 3 end", "abcd"));
	ck_assert(!holds("function(m) return #m > 3 end", "abc"));
	ck_assert(holds("function(m) return 0 end", ""));
	ck_assert(holds("function(m) return '' end", ""));
	ck_assert(holds("function(m) return m end", ""));
	ck_assert(!holds("function(m) return nil end", ""));
	ck_assert(!holds("function(m) end", ""));
	ck_assert(!holds("function(m) return m == 'a' end", "a"));
	ck_assert(holds("function(m) return m:text() == 'a' end", "a"));
}
END_TEST

START_TEST(an_error_in_a_predicate_is_told)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = predicate("function(m) return m.x.y end");
	struct pt_msg *m = pt_msg_new(pool, "a", 1);
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(func_test(f, m, &err), -PT_ESCRIPT);
	ck_assert_int_eq(func_test(f, m, NULL), -PT_ESCRIPT);
	ck_assert_uint_eq(err.count, 1);
	pt_error_clear(&err);
	pt_msg_unref(m);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(operations_of_the_other_kind_are_refused)
{
	refused_transform("always",
	                  "'always' is a predicate, and a transform is wanted: reverse, …");
	refused_transform("bpf 'tcp'", "'bpf' is a predicate, and …");
	refused(PT_KIND_PREDICATE, "reverse",
	        "'reverse' is a transform, and a predicate is wanted: always, never, …");
}
END_TEST

START_TEST(unknown_names_bring_the_nearest)
{
	refused_transform("revers", "there is no 'revers'; did you mean 'reverse'?");
	refused_transform("Reverse", "there is no 'Reverse'; did you mean 'reverse'?");
	refused_transform("xyzzy", "there is no 'xyzzy'");
	refused_transform("trunkate(5)",
	                  "script:1: attempt to call a nil value (global 'trunkate');"
	                  " did you mean 'truncate'?");
	refused_transform("funtion(m) return m end",
	                  "script:1: <eof> expected near 'return'; did you mean 'function'?");
	refused_transform("io.open", "script:1: attempt to index a nil value (global 'io')");
	becomes("x = x or 5; return function(m) return x end", "", "5");
}
END_TEST

START_TEST(what_is_no_function_is_refused)
{
	refused_transform("", "the text is empty, and …");
	refused_transform(" \n ", "the text is empty, and …");
	refused_transform("5", "the value is a number, and …");
	refused_transform("nil", "the value is a nil, and …");
	refused_transform("'reverse'", "the value is a string, and …");
	refused_transform("-- nothing", "the value is a nil, and …");
	refused_transform("function(m) return m", "script:1: 'end' expected near <eof>");
	refused_transform("local x = ) return x", "script:1: unexpected symbol near ')'");
	refused_transform("error('mine')", "script:1: mine");
	char *giant = malloc(70001);
	memset(giant, ' ', 70000);
	giant[70000] = '\0';
	refused_transform(giant, "a script has at most 65536 bytes");
	free(giant);
}
END_TEST

START_TEST(lines_are_counted_as_written)
{
	fails("\n\nfunction(m)\n  error('here')\nend", "script:4: here");
	refused_transform("function(m)\n  x = = 1\nend", "script:2: unexpected symbol near '='");
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
	func_free(NULL);
}
END_TEST

UNIT_TESTS("script/func", a_text_may_be_written_in_many_ways, the_demo_of_scapy_works,
           what_a_transform_returns, nothing_returned_is_dropped,
           a_string_is_a_plain_message_of_the_same_time, a_result_that_is_wrong_undoes_the_edits,
           a_predicate_is_true_as_in_lua, an_error_in_a_predicate_is_told,
           operations_of_the_other_kind_are_refused, unknown_names_bring_the_nearest,
           what_is_no_function_is_refused, lines_are_counted_as_written, freeing_nothing_is_fine)
