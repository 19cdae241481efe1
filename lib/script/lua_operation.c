/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of native operations, made visible. */
#include "script/lua_operation.h"

#include <lauxlib.h>

static const char metatable[] = "operation";

struct operation {
	const struct native_op *op;
	bool called;
};

/* The value below the new userdata becomes its argument. */
static void push(lua_State *L, const struct native_op *op, bool called)
{
	struct operation *o = lua_newuserdatauv(L, sizeof *o, 1);
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
	if (lua_gettop(L) != 2)
		return luaL_error(L, "%s takes one argument: %s", o->op->name, o->op->usage);
	push(L, o->op, true);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, -2, 1);
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
	lua_getiuservalue(L, index, 1);
	return true;
}
