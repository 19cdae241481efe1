/* SPDX-License-Identifier: BSD-2-Clause */
/* The string and utf8 libraries: Lua's own, but for patterns and what could repeat nothing. */
#include "script/pattern.h"
#include "script/sandbox.h"

#include <lualib.h>
#include <string.h>

#define LOCAL_NODES 24 /* longer patterns get memory from Lua */

/* A pattern on its subject. Lives on the C stack or, for gmatch, in a userdata. */
struct search {
	struct pattern pattern;
	struct pattern_match match;
	struct pattern_node local[LOCAL_NODES];
};

static void charge(void *L, unsigned steps)
{
	sandbox_charge(L, 4 * (size_t)steps);
}

/* May push a userdata, which must stay as long as the search is used. */
static void search_init(lua_State *L, struct search *s, int subject, int pattern, bool anchors)
{
	size_t length, size;
	const char *text = luaL_checklstring(L, subject, &length);
	const char *wanted = luaL_checklstring(L, pattern, &size);
	struct pattern_node *nodes = s->local;
	if (size >= LOCAL_NODES)
		nodes = lua_newuserdatauv(L, (size + 1) * sizeof *nodes, 0);
	const char *wrong = pattern_parse(&s->pattern, nodes, wanted, size, anchors);
	if (wrong)
		luaL_error(L, "%s", wrong);
	s->match.subject = text;
	s->match.end = text + length;
	s->match.charge = charge;
	s->match.arg = L;
	s->match.steps = 0;
}

static const char *search_at(struct search *s, const char *at)
{
	return pattern_match(&s->match, &s->pattern, at);
}

/* Capture `i` of a match from `at` to `end`; without captures, the first is the whole. */
static void push_capture(lua_State *L, const struct search *s, unsigned i, const char *at,
                         const char *end)
{
	if (!s->pattern.captures && !i)
		lua_pushlstring(L, at, (size_t)(end - at));
	else if (i >= s->pattern.captures)
		luaL_error(L, "there is no capture %%%d", (int)i + 1);
	else if (s->match.captures[i].length == PATTERN_POSITION)
		lua_pushinteger(L, s->match.captures[i].start - s->match.subject + 1);
	else
		lua_pushlstring(L, s->match.captures[i].start, (size_t)s->match.captures[i].length);
}

static int push_captures(lua_State *L, const struct search *s, const char *at, const char *end,
                         bool whole)
{
	unsigned count = s->pattern.captures || !whole ? s->pattern.captures : 1;
	luaL_checkstack(L, (int)count, "too many captures");
	for (unsigned i = 0; i < count; i++)
		push_capture(L, s, i, at, end);
	return (int)count;
}

/* The byte that an argument `init` means, counted from 0; past `length` for none. */
static size_t first_byte(lua_State *L, int index, size_t length)
{
	lua_Integer at = luaL_optinteger(L, index, 1);
	if (at > 0)
		return (lua_Unsigned)at - 1 > length ? length + 1 : (size_t)at - 1;
	if (!at || at < -(lua_Integer)length)
		return 0;
	return length - (size_t)-at;
}

static int find_plain(lua_State *L, size_t first)
{
	size_t length, size;
	const char *text = lua_tolstring(L, 1, &length), *wanted = lua_tolstring(L, 2, &size);
	const char *found = memmem(text + first, length - first, wanted, size);
	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, found - text + 1);
	lua_pushinteger(L, found - text + (lua_Integer)size);
	return 2;
}

static int find_or_match(lua_State *L, bool find)
{
	size_t length, size;
	const char *text = luaL_checklstring(L, 1, &length);
	const char *wanted = luaL_checklstring(L, 2, &size);
	size_t first = first_byte(L, 3, length);
	if (first > length) {
		lua_pushnil(L);
		return 1;
	}
	if (find && (lua_toboolean(L, 4) || pattern_is_plain(wanted, size)))
		return find_plain(L, first);
	struct search s;
	search_init(L, &s, 1, 2, true);
	for (const char *at = text + first; at <= text + length; at++) {
		const char *end = search_at(&s, at);
		if (end && find) {
			lua_pushinteger(L, at - text + 1);
			lua_pushinteger(L, end - text);
			return 2 + push_captures(L, &s, at, end, false);
		}
		if (end)
			return push_captures(L, &s, at, end, true);
		if (s.pattern.anchored)
			break;
	}
	lua_pushnil(L);
	return 1;
}

static int string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* A walk over all matches, as gmatch and gsub take it: an empty match right behind another one
   does not count. */
struct walk {
	struct search search;
	const char *at, *last; /* where to try next; where the last match ended */
};

static int next_match(lua_State *L)
{
	struct walk *w = lua_touserdata(L, lua_upvalueindex(3));
	for (; w->at <= w->search.match.end; w->at++) {
		const char *at = w->at, *end = search_at(&w->search, at);
		if (end && end != w->last) {
			w->at = w->last = end;
			return push_captures(L, &w->search, at, end, true);
		}
	}
	return 0;
}

static int string_gmatch(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	luaL_checkstring(L, 2);
	size_t first = first_byte(L, 3, length);
	lua_settop(L, 2);
	struct walk *w = lua_newuserdatauv(L, sizeof *w, 0);
	search_init(L, &w->search, 1, 2, false);
	w->at = text + first;
	w->last = NULL;
	lua_pushcclosure(L, next_match, lua_gettop(L));
	return 1;
}

/* The text of a replacement with %0 to %9 and %% put in. */
static void add_template(lua_State *L, luaL_Buffer *b, const struct search *s, const char *at,
                         const char *end)
{
	size_t size;
	const char *text = lua_tolstring(L, 3, &size), *stop = text + size;
	while (text < stop) {
		const char *percent = memchr(text, '%', (size_t)(stop - text));
		luaL_addlstring(b, text, (size_t)((percent ? percent : stop) - text));
		if (!percent)
			return;
		char c = percent + 1 < stop ? percent[1] : '\0';
		text = percent + 2;
		if (c == '%') {
			luaL_addchar(b, '%');
		} else if (c == '0') {
			luaL_addlstring(b, at, (size_t)(end - at));
		} else if (c >= '1' && c <= '9') {
			push_capture(L, s, (unsigned)(c - '1'), at, end);
			luaL_tolstring(L, -1, NULL);
			lua_remove(L, -2);
			luaL_addvalue(b);
		} else {
			luaL_error(L, "a '%%' in a replacement needs a digit or '%%' behind it");
		}
	}
}

static void add_replacement(lua_State *L, luaL_Buffer *b, const struct search *s, const char *at,
                            const char *end)
{
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(L, s, at, end, true), 1);
		break;
	case LUA_TTABLE:
		push_capture(L, s, 0, at, end);
		lua_gettable(L, 3);
		break;
	default: add_template(L, b, s, at, end); return;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(b, at, (size_t)(end - at));
		return;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "a replacement cannot be a %s", luaL_typename(L, -1));
	luaL_addvalue(b);
}

static int string_gsub(lua_State *L)
{
	size_t length;
	const char *at = luaL_checklstring(L, 1, &length), *text_end = at + length, *last = NULL;
	luaL_checkstring(L, 2);
	int kind = lua_type(L, 3);
	luaL_argexpected(L,
	                 kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION ||
	                         kind == LUA_TTABLE,
	                 3, "string/function/table");
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1), count = 0;
	struct search s;
	search_init(L, &s, 1, 2, true);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	while (count < most) {
		const char *end = search_at(&s, at);
		if (end && end != last) {
			count++;
			add_replacement(L, &b, &s, at, end);
			at = last = end;
		} else if (at < text_end) {
			luaL_addchar(&b, *at++);
		} else {
			break;
		}
		if (s.pattern.anchored)
			break;
	}
	luaL_addlstring(&b, at, (size_t)(text_end - at));
	luaL_pushresult(&b);
	lua_pushinteger(L, count);
	return 2;
}

/* Lua's own would count to n also where there is nothing to repeat. */
static int string_rep(lua_State *L)
{
	size_t length, size;
	const char *text = luaL_checklstring(L, 1, &length);
	lua_Integer count = luaL_checkinteger(L, 2);
	const char *separator = luaL_optlstring(L, 3, "", &size);
	if (count <= 0 || !(length + size)) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((size_t)count > PTRDIFF_MAX / (length + size))
		return luaL_error(L, "the resulting string is too large");
	size_t total = (size_t)count * (length + size) - size;
	luaL_Buffer b;
	char *out = luaL_buffinitsize(L, &b, total);
	memcpy(out, text, length);
	if (count > 1)
		memcpy(out + length, separator, size);
	for (size_t done = length + size, more; done < total; done += more) {
		more = total - done < done ? total - done : done;
		memcpy(out + done, out, more);
	}
	luaL_pushresultsize(&b, total);
	return 1;
}

static const luaL_Reg functions[] = {
	{"find", string_find},   {"gmatch", string_gmatch}, {"gsub", string_gsub},
	{"match", string_match}, {"rep", string_rep},       {NULL, NULL},
};

/* Wraps every function of the table on top of the stack. */
static void wrap_all(lua_State *L)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (!lua_iscfunction(L, -1)) {
			lua_pop(L, 1);
			continue;
		}
		sandbox_wrap(L);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_settable(L, -4);
	}
}

void lua_string_open(lua_State *L)
{
	lua_pushcfunction(L, luaopen_utf8);
	lua_call(L, 0, 1);
	wrap_all(L);
	lua_setglobal(L, "utf8");
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	luaL_setfuncs(L, functions, 0);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	wrap_all(L);
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1); /* sums of numbers that are written as text */
	wrap_all(L);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
	lua_setglobal(L, "string");
}
