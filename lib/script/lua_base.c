/* SPDX-License-Identifier: BSD-2-Clause */
/* The globals: an allow-list of Lua's own, and five that had to be written anew. */
#include "base/moment.h"
#include "script/sandbox.h"

#include <lualib.h>

/* By name from Lua's base library; all else of it stays out. */
static const char *const allowed[] = {
	"_VERSION", "assert", "error",  "getmetatable", "ipairs", "next",     "pairs", "pcall",
	"rawequal", "rawget", "rawlen", "rawset",       "select", "tostring", "type",
};

/* Finalizers run without the hook that keeps the time limit. */
static int set_metatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a script cannot have finalizers (__gc)");
		lua_pop(L, 1);
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* An error that the hook raises is handled while hooks are off: the script's handler is not called
   for it. */
static int handle(lua_State *L)
{
	if (sandbox_of(L)->over)
		return 1;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int protected_call(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handle, 1);
	lua_replace(L, 2);
	lua_pushvalue(L, 1);
	lua_insert(L, 3);
	int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 2);
	lua_pushboolean(L, status == LUA_OK);
	lua_replace(L, 2);
	return lua_gettop(L) - 1;
}

static int memory_used(lua_State *L)
{
	static const char *const options[] = {"count", NULL};
	luaL_checkoption(L, 1, NULL, options);
	lua_pushnumber(L, (double)sandbox_of(L)->memory_used / 1024);
	return 1;
}

/* It would write to the daemon's standard output, past the block that it is about. */
static int no_print(lua_State *L)
{
	return luaL_error(L, "there is no print here; in a function of a block type it is "
	                     "self:print(…)");
}

static int now(lua_State *L)
{
	lua_pushnumber(L, moment_seconds(moment_now()));
	return 1;
}

static int now_ns(lua_State *L)
{
	lua_pushinteger(L, moment_now());
	return 1;
}

void lua_base_open(lua_State *L)
{
	lua_pushcfunction(L, luaopen_base);
	lua_call(L, 0, 1);
	lua_newtable(L);
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		lua_getfield(L, -2, allowed[i]);
		lua_setfield(L, -2, allowed[i]);
	}
	lua_getfield(L, -2, "tonumber");
	sandbox_wrap(L);
	lua_setfield(L, -2, "tonumber");
	lua_getfield(L, -2, "setmetatable");
	lua_pushcclosure(L, set_metatable, 1);
	lua_setfield(L, -2, "setmetatable");
	lua_pushcfunction(L, protected_call);
	lua_setfield(L, -2, "xpcall");
	lua_pushcfunction(L, memory_used);
	lua_setfield(L, -2, "collectgarbage");
	lua_pushcfunction(L, no_print);
	lua_setfield(L, -2, "print");
	lua_pushcfunction(L, now);
	lua_setfield(L, -2, "now");
	lua_pushcfunction(L, now_ns);
	lua_setfield(L, -2, "now_ns");
	lua_pushcfunction(L, luaopen_math);
	lua_call(L, 0, 1);
	lua_setfield(L, -2, "math");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "_G");
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_pop(L, 1);
}
