/* SPDX-License-Identifier: BSD-2-Clause */
/* The table library does on plain tables what Lua's own does, and ends on all others. */
#include "script/run.h"

#include "script/sandbox.h"
#include <lualib.h>

#define ROUNDS 3000

/* A random walk over a table's functions, the same in both states for the same seed. */
static const char walk[] =
	"local seed = ...\n"
	"local function any(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff return seed % n "
	"end\n"
	"local t, u, out = {}, {}, {}\n"
	"for i = 1, any(9) do t[i] = any(5) end\n"
	"local function note(good, ...)\n"
	"  out[#out + 1] = good and table.concat({...}, ' ') or 'error'\n"
	"end\n"
	"local acts = {\n"
	"  function() return pcall(table.insert, t, any(100)) end,\n"
	"  function() return pcall(table.insert, t, any(#t + 3), any(100)) end,\n"
	"  function() return pcall(table.remove, t) end,\n"
	"  function() return pcall(table.remove, t, any(#t + 3)) end,\n"
	"  function() return pcall(table.concat, t, ',', any(4), any(#t + 2)) end,\n"
	"  function() return pcall(table.concat, t) end,\n"
	"  function() table.sort(t) return true end,\n"
	"  function() table.sort(t, function(a, b) return a > b end) return true end,\n"
	"  function() table.move(t, any(3), any(#t + 1), any(5)) return true end,\n"
	"  function() table.move(t, any(3), any(#t + 1), any(5), u) return true end,\n"
	"  function() return true, table.unpack(t, any(3), any(4)) end,\n"
	"}\n"
	"for i = 1, 12 do\n"
	"  note(acts[any(#acts) + 1]())\n"
	"  for i = #t, 1, -1 do if t[i] == nil then t = {table.unpack(t, 1, i - 1)} end end\n"
	"  note(true, table.unpack(t))\n"
	"  note(true, table.unpack(u))\n"
	"end\n"
	"return table.concat(out, ';')\n";

START_TEST(random_walks_end_as_in_lua)
{
	lua_State *stock = luaL_newstate();
	struct sandbox *box = sandbox_new(NULL, NULL);
	luaL_openlibs(stock);
	ck_assert_int_eq(luaL_loadstring(stock, walk), LUA_OK);
	ck_assert_int_eq(sandbox_load(box, walk, strlen(walk), NULL), 0);
	for (int seed = 1; seed <= ROUNDS; seed++) {
		lua_pushvalue(stock, 1);
		lua_pushinteger(stock, seed);
		int theirs = lua_pcall(stock, 1, 1, 0);
		lua_pushvalue(box->lua, SANDBOX_FIRST);
		lua_pushinteger(box->lua, seed);
		int ours = sandbox_call(box, 1, 1, NULL);
		ck_assert_msg(!ours == !theirs, "seed %d: %s", seed, lua_tostring(stock, -1));
		if (!ours)
			ck_assert_str_eq(lua_tostring(box->lua, -1), lua_tostring(stock, -1));
		lua_settop(stock, 1);
		lua_settop(box->lua, SANDBOX_FIRST);
	}
	lua_close(stock);
	sandbox_free(box);
}
END_TEST

START_TEST(sorting_puts_in_order)
{
	becomes("function(m) local t = {} for c in m:gmatch('.') do t[#t + 1] = c end\n"
	        "table.sort(t) return table.concat(t) end",
	        "the quick brown fox", "   bcefhiknooqrtuwx");
	becomes("function() local t = {} for i = 1, 1000 do t[i] = i * 7919 % 1009 end\n"
	        "table.sort(t, function(a, b) return a > b end)\n"
	        "for i = 2, #t do assert(t[i - 1] >= t[i]) end return #t end",
	        "", "1000");
	fails("function() table.sort({1, 'x'}) end", "attempt to compare");
	fails("function() table.sort({3, 1, 2}, 5) end", "function expected");
}
END_TEST

START_TEST(an_order_that_contradicts_itself_ends)
{
	becomes("function(m) local t = {} for i = 1, 500 do t[i] = i end\n"
	        "table.sort(t, function() return true end)\n"
	        "local seen = {} for i = 1, #t do seen[t[i]] = true end return #seen end",
	        "", "500");
}
END_TEST

START_TEST(a_length_that_lies_is_not_believed)
{
	static const char *const calls[] = {
		"table.insert(t, 1, 5)",
		"table.remove(t, 1)",
		"table.sort(t, rawequal)",
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		char text[256];
		snprintf(text, sizeof text,
		         "function(m) local t = setmetatable({}, {__len = function() return 1e15 "
		         "end})"
		         " %s return m end",
		         calls[i]);
		becomes(text, "m", "m");
	}
}
END_TEST

START_TEST(giant_ranges_run_into_a_limit)
{
	fails("function() table.move({}, 1, 1e9, 2) end", "time limit");
	fails("function() table.move({}, 1, 1 << 62, 2) end", "time limit");
	fails("function() table.move({}, -(1 << 62), 1 << 62, 2) end", "too many elements");
	fails("function() table.unpack({}, 1, 1e8) end", "too many results");
	fails("function() table.concat({}, '', 1, 1e9) end", "element 1");
	fails("function() table.concat(setmetatable({}, {__index = table.concat}), '', 1, 1e15) "
	      "end",
	      "element 1");
}
END_TEST

UNIT_TESTS("script/lua_table", random_walks_end_as_in_lua, sorting_puts_in_order,
           an_order_that_contradicts_itself_ends, a_length_that_lies_is_not_believed,
           giant_ranges_run_into_a_limit)
