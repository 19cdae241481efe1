/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a script tries, a call ends in time and in memory, and the next one works. */
#include "script/run.h"

#include "script/sandbox.h"

START_TEST(no_loop_outlives_its_time)
{
	static const char *const loops[] = {
		"while true do end",
		"repeat until false",
		"::again:: goto again",
		"for i = 1, math.maxinteger do end",
		"while true do pcall(function() while true do end end) end",
		"while true do pcall(pcall, error) end",
		"local function f() return f() end f()",
		"local t = setmetatable({}, {__index = function(t, k) while true do end end}) "
		"return t.x",
		"local x <close> = setmetatable({}, {__close = function() while true do end end})",
		"local x <close> = setmetatable({}, {__close = function() while true do end end})"
		" while true do end",
		"error(setmetatable({}, {__tostring = function() while true do end end}))",
		"while true do local s = ('x'):rep(1e6) end",
		"while true do local a = {table.unpack({}, 1, 1e4)} end",
		"return (('x'):rep(100):gsub('.', function() while true do end end))",
		"return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))",
		"return ('a'):rep(5000):match('.-.-.-.-b')",
		"for w in ('a'):rep(5000):gmatch('.-.-.-.-b') do end",
		"return ('a'):rep(5000):gsub('.-.-.-.-b', '')",
		"while true do utf8.len(('x'):rep(1e6)) end",
		"local t = {} for i = 1, 1e5 do t[i] = -i end while true do table.sort(t) end",
		"local s = ('x'):rep(1e6) local t = {} for i = 1, 1e4 do t[i] = s end "
		"table.sort(t)",
		"local t = {} for i = 1, 5e4 do t[i] = {} end"
		" while true do pcall(string.rep, 'x', 1e9) end",
		"while true do pcall(string.pack, 'c99999999', 'x') end",
	};
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
		char text[512];
		snprintf(text, sizeof text, "function(m) %s end", loops[i]);
		fails(text, "the time limit of 100 ms is reached");
	}
	fails("function(m) local t = setmetatable({}, {}) getmetatable(t).__call = t t() end",
	      "the time limit of 100 ms is reached");
	/* functions that find themselves, and no loops */
	fails("function f(m) return f(m) end return f", "the time limit of 100 ms is reached");
	fails("local t = {} t.f = function(m) return t.f(m) end return t.f",
	      "the time limit of 100 ms is reached");
	fails("function --\nf(m) return f(m) end return f", "the time limit of 100 ms is reached");
	fails("function(m) return next(x)(m) end .. setmetatable({}, {__concat = rawset(_G, 'x', "
	      "setmetatable({}, {__call = rawset})).x}) and next(x)",
	      "the time limit of 100 ms is reached");
}
END_TEST

START_TEST(time_counts_anew_for_each_message)
{
	static const struct func_limits limits = {.time_ns = 50000000};
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = compile_under(PT_KIND_TRANSFORM,
	                                  "function(m) if #m == 4 then while true do end end"
	                                  " for i = 1, 10000 do end return m end",
	                                  &limits);
	struct pt_msg *quick = pt_msg_new(pool, "abc", 3);
	for (int i = 0; i < 3; i++) {
		fails_with(f, pt_msg_new(pool, "slow", 4), "script:1: the time limit of 50 ms");
		for (int n = 0; n < 1000; n++)
			ck_assert_int_eq(func_transform(f, &quick, NULL), 0);
	}
	pt_msg_unref(quick);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(compiling_has_the_same_limits)
{
	refused(PT_KIND_TRANSFORM, "(function() while true do end end)()",
	        "script:1: the time limit of 100 ms is reached");
	refused(PT_KIND_TRANSFORM, "('x'):rep(1e9)", "not enough memory: …");
	static const struct func_limits tiny = {.memory = 1000};
	struct pt_error err = PT_ERROR_INIT;
	struct pt_func *f = NULL;
	ck_assert_int_eq(func_compile(PT_KIND_TRANSFORM, "reverse", &tiny, &f, &err), -PT_ELIMIT);
	ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "1000 bytes"));
	pt_error_clear(&err);
}
END_TEST

START_TEST(memory_runs_out_and_comes_back)
{
	static const struct func_limits limits = {.memory = 1 << 20,
	                                          .time_ns = UINT64_C(60000000000)};
	static const char *const eaters[] = {
		"local t = {} while true do t[#t + 1] = {} end",
		"local s = 'x' while true do s = s .. s end",
		"return ('x'):rep(1e9)",
		"return ('x'):rep(1e6, 'y')",
		"return (('x'):rep(1e3):gsub('.', ('y'):rep(1e4)))",
		"return table.concat({('x'):rep(5e5)}, '') .. ('y'):rep(6e5)",
		"return string.format(('%s'):rep(20), table.unpack({}, 1, 20)) .. ('x'):rep(2e6)",
		"local function f() return f() + 1 end return f()",
		"local t = {} for i = 1, 1e9 do t[i] = i end",
		"return string.pack('c99999999', 'x')",
		"return ('x'):rep(1e5):find(('()'):rep(10) .. ('[a]'):rep(1e5))",
	};
	for (size_t i = 0; i < sizeof eaters / sizeof *eaters; i++) {
		char text[512];
		snprintf(text, sizeof text, "function(m) if #m == 5 then %s end return m end",
		         eaters[i]);
		struct pt_pool *pool = pool_new(0);
		struct pt_func *f = compile_under(PT_KIND_TRANSFORM, text, &limits);
		struct pt_msg *small = pt_msg_new(pool, "abc", 3);
		for (int n = 0; n < 3; n++) {
			fails_with(f, pt_msg_new(pool, "large", 5), "not enough memory");
			ck_assert_int_eq(func_transform(f, &small, NULL), 0);
		}
		pt_msg_unref(small);
		func_free(f);
		pool_free(pool);
	}
}
END_TEST

START_TEST(a_script_that_catches_the_lack_of_memory_goes_on)
{
	becomes("function(m) local good, words = pcall(string.rep, 'x', 1e9)\n"
	        "return tostring(good) .. ' ' .. words end",
	        "", "false not enough memory");
}
END_TEST

START_TEST(depth_ends_in_an_error)
{
	fails("function() local function f(s) return (s:gsub('.', f)) end return f('x') end",
	      "stack overflow");
	fails("function() local mt = {} mt.__index = function(t, k) return t[k] end\n"
	      "return setmetatable({}, mt).x end",
	      "stack overflow");
	fails("function() local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x "
	      "end",
	      "loop");
	char text[3000] = "function() return ";
	memset(text + strlen(text), '(', 1000);
	refused(PT_KIND_TRANSFORM, text, "C stack overflow");
}
END_TEST

START_TEST(any_error_becomes_text)
{
	fails("function() error('words') end", "script:1: words\nstack traceback:\n");
	fails("function() error('words', 0) end", "words\nstack traceback:\n");
	fails("function() error(42) end", "42\n");
	fails("function() error({}) end", "an error that is a table");
	fails("function() error() end", "an error that is a nil");
	fails("function() error(setmetatable({}, {__tostring = function() return 'mine' end})) end",
	      "mine\n");
	fails("function() error(setmetatable({}, {__tostring = function() error('inner') end})) "
	      "end",
	      "inner");
	fails("function() local e = setmetatable({}, {})\n"
	      "getmetatable(e).__tostring = function() error(e) end error(e) end",
	      "stack overflow");
	fails("function() local x\n\nx.y = 1 end",
	      "script:3: attempt to index a nil value (local 'x')");
}
END_TEST

START_TEST(an_error_holds_nothing_that_is_not_text)
{
	fails("function() error('ab\\xff\\27[31m \\u{e4}\\u{200b}\\xc3', 0) end",
	      "ab??[31m \xc3\xa4???");
	fails("function() error(('x'):rep(1e6), 0) end", "xxxx");
}
END_TEST

START_TEST(globals_and_upvalues_stay)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = transform("local n = 0; return function(m)\n"
	                              "n = n + 1; count = (count or 10) + 1\n"
	                              "return n .. ',' .. count end");
	struct pt_msg *m = pt_msg_new(pool, "", 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(func_transform(f, &m, NULL), 0);
	expect_bytes("counting", m, "3,13", 4);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(sandboxes_share_nothing)
{
	becomes("(function() string.upper = nil; x = 1; return function(m) return m end end)()",
	        "a", "a");
	becomes("function(m) return tostring(x) .. string.upper(m) end", "a", "nilA");
}
END_TEST

UNIT_TESTS("script/sandbox", no_loop_outlives_its_time, time_counts_anew_for_each_message,
           compiling_has_the_same_limits, memory_runs_out_and_comes_back,
           a_script_that_catches_the_lack_of_memory_goes_on, depth_ends_in_an_error,
           any_error_becomes_text, an_error_holds_nothing_that_is_not_text,
           globals_and_upvalues_stay, sandboxes_share_nothing)
