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

/* Messages of all kinds: each time as many, the same. */
static unsigned some_messages(struct pt_pool *pool, struct pt_msg **messages)
{
	unsigned count = 0;
	for (int i = 0; i < 20; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		messages[count++] = pt_msg_new(pool, text, strlen(text));
		messages[count++] = PACKET(pool, UDP_PACKET);
		messages[count++] = PACKET(pool, TCP6_PACKET);
	}
	return count;
}

static const char *const functions[] = {
	"function(m) return m end",
	"function(m) return #m < 3 and m end",
	"function(m) if m.ip then m.ip.src = '1.2.3.4' m.ip.ttl = 7 return m end end",
	"function(m) if m.ip6 then m.ip6.src = '::7' m.tcp.dport = 7 return m end end",
	"function(m) return m.udp and m.udp.sport or m.tcp and m.tcp.sport or m:text() .. '!' end",
	"function(m) m.time_ns = 5 if m.ip then error('no ip') end return m:copy() end",
	"function(m) m.udp.sport = 1 return m.udp end",
	"function(m) if m.tcp then m.ip6.hlim = 9 m.tcp.none = 1 end return m end",
	"function(m) local function deep(n) if n == 0 then error({}) end deep(n - 1) return 1 end"
	" return m.tcp and deep(5) or m.ip and deep(50) or m end",
	"function(m) if m:text() == '7' then while true do end end return m.tcp and ('x'):rep(1e9) "
	"or m end",
	"(function() local n = 0 return function(m) n = n + 1 return n % 3 > 0 and m or n end "
	"end)()",
	"(function() local kept return function(m) local was = kept kept = m return was or m end"
	" end)()",
};

static void assert_same(const char *text, const struct pt_msg *one, const struct pt_msg *other)
{
	ck_assert_msg(one->length == other->length && one->link_type == other->link_type &&
	                      one->time_ns == other->time_ns &&
	                      !memcmp(one->bytes, other->bytes, one->length),
	              "%s", text);
}

/* What comes of each by itself, and of all in turn. */
static void compare_transforms(const char *text, struct pt_pool *pool)
{
	static const struct func_limits quick = {.time_ns = 50000000};
	struct pt_func *one = compile_under(PT_KIND_TRANSFORM, text, &quick),
		       *many = compile_under(PT_KIND_TRANSFORM, text, &quick);
	struct pt_msg *each[64], *all[64];
	unsigned count = some_messages(pool, each);
	some_messages(pool, all);
	for (unsigned at = 0, last; at < count; at = last + 1) {
		struct pt_error why = PT_ERROR_INIT;
		int rc;
		last = at + func_transform_many(many, all + at, count - at, &rc, &why) - 1;
		for (; at <= last; at++) {
			struct pt_error err = PT_ERROR_INIT;
			int expected = func_transform(one, &each[at], &err);
			ck_assert_msg(expected == (at == last ? rc : 0), "%s: %d", text, expected);
			if (expected < 0)
				ck_assert_str_eq(pt_error_text(&err, ""), pt_error_text(&why, ""));
			assert_same(text, each[at], all[at]);
			pt_error_clear(&err);
		}
		pt_error_clear(&why);
	}
	msg_unref_many(each, count);
	msg_unref_many(all, count);
	func_free(one);
	func_free(many);
}

static void compare_tests(const char *text, struct pt_pool *pool)
{
	static const struct func_limits quick = {.time_ns = 50000000};
	struct pt_func *one = compile_under(PT_KIND_PREDICATE, text, &quick),
		       *many = compile_under(PT_KIND_PREDICATE, text, &quick);
	struct pt_msg *messages[64];
	unsigned count = some_messages(pool, messages);
	for (unsigned at = 0; at < count; at++) {
		struct pt_error why = PT_ERROR_INIT, err = PT_ERROR_INIT;
		uint64_t passed;
		int rc;
		unsigned end =
			at + func_test_many(many, messages + at, count - at, &passed, &rc, &why);
		for (; at < end; at++, passed >>= 1)
			ck_assert_int_eq(func_test(one, messages[at], NULL), passed & 1);
		if (end < count) {
			ck_assert_int_eq(func_test(one, messages[at], &err), rc);
			ck_assert_str_eq(pt_error_text(&err, ""), pt_error_text(&why, ""));
		}
		pt_error_clear(&err);
		pt_error_clear(&why);
	}
	msg_unref_many(messages, count);
	func_free(one);
	func_free(many);
}

START_TEST(many_in_turn_are_as_each_by_itself)
{
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		compare_transforms(functions[i], pool);
		compare_tests(functions[i], pool);
	}
	compare_transforms("set{['ip.ttl']=3}", pool);
	compare_tests("bpf 'udp port 53 or ip6'", pool);
	compare_tests("every(3)", pool);
	pool_free(pool);
}
END_TEST

START_TEST(an_error_tells_where_it_was)
{
	fails("function(m)\n  m.none = 1\nend", "script:2: a message has no 'none'");
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = transform("function(m) return m.zzzzzz end");
	struct pt_msg *m = pt_msg_new(pool, "a", 1);
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(func_transform(f, &m, &err), -PT_ESCRIPT);
	ck_assert_str_eq(pt_error_text(&err, ""), "script:1: a message has no 'zzzzzz'\n"
	                                          "stack traceback:\n\t[C]: in metamethod 'index'\n"
	                                          "\tscript:1: in function <script:1>");
	pt_error_clear(&err);
	pt_msg_unref(m);
	func_free(f);
	pool_free(pool);
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
           what_is_no_function_is_refused, lines_are_counted_as_written,
           many_in_turn_are_as_each_by_itself, an_error_tells_where_it_was, freeing_nothing_is_fine)
