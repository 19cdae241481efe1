/* SPDX-License-Identifier: BSD-2-Clause */
/* The string library behaves as Lua's own does, on random patterns and on chosen calls. */
#include "script/run.h"

#include "script/sandbox.h"
#include <lualib.h>

#define ROUNDS 20000

/* All that the library makes of a subject, a pattern and a replacement, as one string; "error…" if
   Lua's own refuses any of it. */
static const char tries[] =
	"local s, p, r, init = ...\n"
	"local out = {}\n"
	"local function add(good, ...)\n"
	"  if not good then out.failed = true return end\n"
	"  for i = 1, select('#', ...) do out[#out + 1] = tostring((select(i, ...))) end\n"
	"  out[#out + 1] = '|'\n"
	"end\n"
	"add(pcall(string.find, s, p, init))\n"
	"add(pcall(string.match, s, p, init))\n"
	"add(pcall(string.gsub, s, p, r))\n"
	"add(pcall(string.gsub, s, p, '<%0>', 2))\n"
	"add(pcall(string.gsub, s, p, {a = 'x', ab = 1, b = false}))\n"
	"add(pcall(string.gsub, s, p, function(...) return select('#', ...) end))\n"
	"add(pcall(function() for a, b in string.gmatch(s, p) do add(true, a, b) end end))\n"
	"return (out.failed and 'error' or '') .. table.concat(out, ',')\n";

struct twins {
	lua_State *stock;
	struct sandbox *box;
};

static struct twins twins(const char *chunk)
{
	struct twins t = {luaL_newstate(), sandbox_new(NULL, NULL)};
	luaL_openlibs(t.stock);
	ck_assert_int_eq(luaL_loadstring(t.stock, chunk), LUA_OK);
	ck_assert_int_eq(sandbox_load(t.box, chunk, strlen(chunk), NULL), 0);
	return t;
}

static void end(struct twins *t)
{
	lua_close(t->stock);
	sandbox_free(t->box);
}

static void random_text(char *out, size_t most, const char *const *parts, size_t count)
{
	size_t n = (size_t)random() % (most + 1);
	*out = '\0';
	while (n--)
		strcat(out, parts[(size_t)random() % count]);
}

static void push(lua_State *L, const char *s, const char *p, const char *r, int init)
{
	lua_pushvalue(L, -1);
	lua_pushstring(L, s);
	lua_pushstring(L, p);
	lua_pushstring(L, r);
	lua_pushinteger(L, init);
}

START_TEST(random_patterns_match_as_in_lua)
{
	static const char *const letters[] = {"a", "b", "ab", "]", "-", "1",
	                                      " ", "(", ")",  "^", "%"};
	static const char *const magic[] = {
		"a",    "b",    ".",  "*",  "+",    "-",  "?",      "(",      ")",  "()",
		"[ab]", "[^a]", "%a", "%W", "$",    "^",  "%b()",   "%f[%w]", "%1", "[a-]",
		"%%",   "]",    "(a", "b)", "(.-)", "%d", "[%a%s]", "%]",
	};
	static const char *const replacements[] = {"x", "%0", "%1", "%%", "%2", "-"};
	struct twins t = twins(tries);
	int good = 0;
	srandom(1);
	for (int i = 0; i < ROUNDS; i++) {
		char s[64], p[64], r[16];
		random_text(s, 12, letters, sizeof letters / sizeof *letters);
		random_text(p, 7, magic, sizeof magic / sizeof *magic);
		random_text(r, 3, replacements, sizeof replacements / sizeof *replacements);
		int init = (int)(random() % 20) - 10;
		push(t.stock, s, p, r, init);
		push(t.box->lua, s, p, r, init);
		ck_assert_int_eq(lua_pcall(t.stock, 4, 1, 0), LUA_OK);
		ck_assert_int_eq(sandbox_call(t.box, 4, 1, NULL), 0);
		const char *theirs = lua_tostring(t.stock, -1),
			   *ours = lua_tostring(t.box->lua, -1);
		bool failed = !strncmp(ours, "error", 5);
		/* Ours refuses a malformed pattern also where Lua's own does not get that far. */
		ck_assert_msg(failed || !strcmp(ours, theirs),
		              "'%s' with '%s' by '%s' from %d: %s, but in Lua %s", s, p, r, init,
		              ours, theirs);
		good += !failed;
		lua_pop(t.stock, 1);
		lua_pop(t.box->lua, 1);
	}
	ck_assert_int_gt(good, ROUNDS / 5);
	end(&t);
}
END_TEST

/* Both give the same, down to whether it is an error. */
static void alike(const char *expression)
{
	char chunk[1024];
	snprintf(chunk, sizeof chunk,
	         "local t = table.pack(pcall(function() return %s end))\n"
	         "if not t[1] then return 'error' end\n"
	         "for i = 1, t.n do t[i] = tostring(t[i]) end\n"
	         "return table.concat(t, ',')",
	         expression);
	struct twins t = twins(chunk);
	ck_assert_int_eq(lua_pcall(t.stock, 0, 1, 0), LUA_OK);
	ck_assert_int_eq(sandbox_call(t.box, 0, 1, NULL), 0);
	ck_assert_msg(!strcmp(lua_tostring(t.stock, -1), lua_tostring(t.box->lua, -1)),
	              "%s: %s, but in Lua %s", expression, lua_tostring(t.box->lua, -1),
	              lua_tostring(t.stock, -1));
	end(&t);
}

START_TEST(chosen_calls_do_as_in_lua)
{
	static const char *const calls[] = {
		"('ab'):rep(3)",
		"('ab'):rep(3, ', ')",
		"('ab'):rep(0, 'x')",
		"('ab'):rep(-1)",
		"(''):rep(5, 'x')",
		"(''):rep(5)",
		"('x'):rep(1)",
		"('x'):rep(1 << 62)",
		"('x'):rep('2')",
		"('x'):rep()",
		"('hello'):find('l')",
		"('hello'):find('l', 4, true)",
		"('hello'):find('', 6)",
		"('hello'):find('', 7)",
		"('hello'):find('.', 1, true)",
		"('hello'):find('o', -1)",
		"('a\\0b'):find('\\0b')",
		"('a\\0b'):find('%z')",
		"('a.b'):gsub('%.', '%%')",
		"('abc'):gsub('', '-')",
		"('abc'):gsub('%w', '%2')",
		"('abc'):gsub('b', '%')",
		"('abc'):gsub('b', 5)",
		"('abc'):gsub('b', true)",
		"('abc'):gsub('b', {b = {}})",
		"('abc'):gsub('.', '%0%0', 2)",
		"('abc'):gsub('^a', 'x')",
		"('abc abc'):gsub('^abc', '')",
		"('abc'):gsub('b', 'x', 0)",
		"('abc'):gsub('b', 'x', -1)",
		"('k=v, a=b'):gsub('(%w+)=(%w+)', '%2=%1')",
		"('abc'):gsub('()', '%1')",
		"('x'):gmatch('y')()",
		"('key = value'):match('^(%w+)%s*=%s*(%w+)$')",
		"('2026-11-23'):match('(%d+)-(%d+)-(%d+)')",
		"('f(a(b)c)d'):match('%b()')",
		"('THE (quick) fox'):find('%f[%a]%a+%f[%A]', 5)",
		"('aXb'):gsub('%u', string.lower)",
		"('abcabc'):match('(abc)%1')",
		"('a'):byte(1, -1)",
		"string.char(72, 105)",
		"('%5.2f|%d|%s|%q'):format(3.14159, 42, 'x', 'a\\nb')",
		"('x'):format()",
		"'10' + 5",
		"'3' * '4'",
		"10 // '3'",
		"-'2'",
		"'a' + 1",
		"'0x10' + 0",
		"'10' < '9'",
		"tonumber('ff', 16)",
		"tonumber('8', 8)",
		"tonumber(' 12 ')",
		"utf8.char(228, 8364)",
		"utf8.len('\\u{e4}x')",
		"utf8.codepoint('\\u{20ac}')",
		"#utf8.charpattern",
		"string.pack('>I2', 258)",
		"string.unpack('<I2', '\\1\\2')",
		"('x'):upper():lower():len()",
		"math.type(3)",
		"math.max(1, 2.5)",
		"('x'):bad()",
		"string.len(5)",
		"('a,b,,c'):find(',,')",
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		alike(calls[i]);
}
END_TEST

START_TEST(repeating_nothing_takes_no_time)
{
	becomes("function(m) return #(''):rep(1e18) .. m end", "x", "0x");
}
END_TEST

START_TEST(plain_finding_takes_no_square_of_time)
{
	static const struct func_limits patient = {.time_ns = UINT64_C(60000000000)};
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f =
		compile_under(PT_KIND_PREDICATE,
	                      "local s = ('a'):rep(3e6); local w = ('a'):rep(1e6) .. 'b'\n"
	                      "return function() return s:find(w, 1, true) end",
	                      &patient);
	struct pt_msg *m = pt_msg_new(pool, "", 0);
	ck_assert_int_eq(func_test(f, m, NULL), 0);
	pt_msg_unref(m);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(strings_cannot_be_given_other_methods_from_behind)
{
	becomes("function(m) return tostring(getmetatable('')) end", "", "false");
	fails("function(m) setmetatable(getmetatable(''), {}) end", "table expected");
}
END_TEST

START_TEST(bytecode_can_neither_be_made_nor_read)
{
	becomes("function(m) return tostring(string.dump) end", "", "nil");
	refused(PT_KIND_TRANSFORM, "\x1bLua", "script:1: …");
}
END_TEST

START_TEST(functions_take_messages_as_strings)
{
	becomes("function(m) return ('%s!'):format(m) .. ('xhellox'):find(m, 1, true) end", "hello",
	        "hello!2");
	becomes("function(m) local n = 0 for w in m:gmatch('%a+') do n = n + 1 end return n end",
	        "a bc d", "3");
	becomes("function(m) return (string.gsub(m, 'l', m)) end", "l", "l");
}
END_TEST

UNIT_TESTS("script/lua_string", random_patterns_match_as_in_lua, chosen_calls_do_as_in_lua,
           repeating_nothing_takes_no_time, plain_finding_takes_no_square_of_time,
           strings_cannot_be_given_other_methods_from_behind, bytecode_can_neither_be_made_nor_read,
           functions_take_messages_as_strings)
