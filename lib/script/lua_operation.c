/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of native operations, made visible. */
#include "script/lua_operation.h"

#include <lauxlib.h>

static const char metatable[] = "operation";

struct operation {
	const struct native_op *op;
	bool called;
};

#define ARGUMENTS 2 /* at most */

static void push(lua_State *L, const struct native_op *op, bool called)
{
	struct operation *o = lua_newuserdatauv(L, sizeof *o, ARGUMENTS);
	*o = (struct operation){op, called};
	luaL_setmetatable(L, metatable);
}

static int call(lua_State *L)
{
	const struct operation *o = luaL_checkudata(L, 1, metatable);
	if (!o->op->read)
		return luaL_error(L, "%s takes no argument", o->op->name);
	if (o->called)
		return luaL_error(L, "%s has its argument already", o->op->name);
	int most = o->op->pair ? ARGUMENTS : 1, count = lua_gettop(L) - 1;
	if (count < 1 || count > most)
		return luaL_error(L, "%s takes %s: %s", o->op->name,
		                  o->op->pair ? "two arguments" : "one argument", o->op->usage);
	push(L, o->op, true);
	for (int i = 1; i <= count; i++) {
		lua_pushvalue(L, 1 + i);
		lua_setiuservalue(L, -2, i);
	}
	return 1;
}

void lua_operation_open(lua_State *L)
{
	luaL_newmetatable(L, metatable);
	lua_pushcfunction(L, call);
	lua_setfield(L, -2, "__call");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	for (const struct native_op *op = native_ops; op->name; op++) {
		push(L, op, false);
		lua_setglobal(L, op->name);
	}
}

/* luaL_testudata would make a string of the name. */
static const struct operation *get(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TUSERDATA ? lua_touserdata(L, index) : NULL;
}

const struct native_op *lua_operation_get(lua_State *L, int index)
{
	const struct operation *o = get(L, index);
	return o ? o->op : NULL;
}

bool lua_operation_argument(lua_State *L, int index)
{
	if (!get(L, index)->called)
		return false;
	bool pair = get(L, index)->op->pair;
	lua_getiuservalue(L, index, 1);
	if (pair)
		lua_getiuservalue(L, index - (index < 0), 2);
	return true;
}
