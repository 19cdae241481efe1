/* SPDX-License-Identifier: BSD-2-Clause */
/* The table library on tables as they are, without metamethods, so that lengths are real. */
#include "script/sandbox.h"

#include <limits.h>
#include <lualib.h>

#define STEP 32 /* nanoseconds for one element, by estimate */

static lua_Integer length(lua_State *L, int index)
{
	luaL_checktype(L, index, LUA_TTABLE);
	return (lua_Integer)lua_rawlen(L, index);
}

static int table_insert(lua_State *L)
{
	lua_Integer last = length(L, 1) + 1;
	if (lua_gettop(L) == 2) {
		lua_rawseti(L, 1, last);
		return 0;
	}
	if (lua_gettop(L) != 3)
		return luaL_error(L, "wrong number of arguments to 'insert'");
	lua_Integer at = luaL_checkinteger(L, 2);
	luaL_argcheck(L, at >= 1 && at <= last, 2, "position out of bounds");
	for (lua_Integer i = last; i > at; i--) {
		lua_rawgeti(L, 1, i - 1);
		lua_rawseti(L, 1, i);
		sandbox_charge(L, STEP);
	}
	lua_rawseti(L, 1, at);
	return 0;
}

static int table_remove(lua_State *L)
{
	lua_Integer last = length(L, 1), at = luaL_optinteger(L, 2, last);
	if (lua_gettop(L) > 1)
		luaL_argcheck(L, (at >= 1 && at <= last + 1) || (!last && !at), 2,
		              "position out of bounds");
	lua_rawgeti(L, 1, at);
	for (; at < last; at++) {
		lua_rawgeti(L, 1, at + 1);
		lua_rawseti(L, 1, at);
		sandbox_charge(L, STEP);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, at);
	return 1;
}

static int table_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
	lua_Integer to = luaL_checkinteger(L, 4);
	int target = lua_isnoneornil(L, 5) ? 1 : 5;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, target, LUA_TTABLE);
	if (last >= first) {
		luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3,
		              "too many elements to move");
		lua_Integer count = last - first + 1;
		luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wraps around");
		bool backwards = to > first && to <= last && lua_rawequal(L, 1, target);
		for (lua_Integer n = 0; n < count; n++) {
			lua_Integer i = backwards ? count - 1 - n : n;
			lua_rawgeti(L, 1, first + i);
			lua_rawseti(L, target, to + i);
			sandbox_charge(L, STEP);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

static void add_element(lua_State *L, luaL_Buffer *b, lua_Integer i)
{
	lua_rawgeti(L, 1, i);
	if (!lua_isstring(L, -1))
		luaL_error(L, "element %I of the table is a %s, which 'concat' cannot take", i,
		           luaL_typename(L, -1));
	luaL_addvalue(b);
	sandbox_charge(L, STEP);
}

static int table_concat(lua_State *L)
{
	lua_Integer count = length(L, 1);
	size_t size;
	const char *separator = luaL_optlstring(L, 2, "", &size);
	lua_Integer i = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, count);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (; i < last; i++) {
		add_element(L, &b, i);
		luaL_addlstring(&b, separator, size);
	}
	if (i == last)
		add_element(L, &b, i);
	luaL_pushresult(&b);
	return 1;
}

/* Whether the value at `a` comes before the one at `b`. */
static bool before(lua_State *L, int a, int b)
{
	size_t work = STEP;
	if (lua_type(L, a) == LUA_TSTRING && lua_type(L, b) == LUA_TSTRING)
		work += lua_rawlen(L, a);
	sandbox_charge(L, work);
	if (lua_isnil(L, 2))
		return lua_compare(L, a, b, LUA_OPLT);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, a);
	lua_pushvalue(L, b);
	lua_call(L, 2, 1);
	bool result = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return result;
}

/* Lets the value on top of the stack sink from i to its place in the heap of `count`. */
static void sink(lua_State *L, lua_Integer i, lua_Integer count)
{
	int value = lua_gettop(L), child = value + 1;
	for (lua_Integer c; (c = 2 * i) <= count; i = c) {
		lua_rawgeti(L, 1, c);
		if (c < count) {
			lua_rawgeti(L, 1, c + 1);
			if (before(L, child, child + 1)) {
				c++;
				lua_replace(L, child);
			}
			lua_settop(L, child);
		}
		if (!before(L, value, child)) {
			lua_settop(L, value);
			break;
		}
		lua_rawseti(L, 1, i);
	}
	lua_rawseti(L, 1, i);
}

/* By a heap: the same bound on time whatever the elements and the comparison are. */
static int table_sort(lua_State *L)
{
	lua_Integer count = length(L, 1);
	luaL_argcheck(L, count < INT_MAX, 1, "array too big");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	for (lua_Integer i = count / 2; i >= 1; i--) {
		lua_rawgeti(L, 1, i);
		sink(L, i, count);
	}
	for (lua_Integer last = count; last > 1; last--) {
		lua_rawgeti(L, 1, last);
		lua_rawgeti(L, 1, 1);
		lua_rawseti(L, 1, last);
		sink(L, 1, last - 1);
	}
	return 0;
}

static const luaL_Reg functions[] = {
	{"concat", table_concat}, {"insert", table_insert}, {"move", table_move},
	{"remove", table_remove}, {"sort", table_sort},     {NULL, NULL},
};

void lua_table_open(lua_State *L)
{
	lua_pushcfunction(L, luaopen_table);
	lua_call(L, 0, 1);
	luaL_setfuncs(L, functions, 0);
	lua_setglobal(L, "table");
}
