/* SPDX-License-Identifier: BSD-2-Clause */
/* A userdata with the bytes behind it. */
#include "script/lua_copy.h"

#include "base/moment.h"
#include "msg/origin.h"
#include "packet/tunnel.h"
#include "script/sandbox.h"

#include <string.h>

static const char metatable[] = "copy of a message";

const struct lua_copy *lua_copy_get(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, metatable);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same ? lua_touserdata(L, index) : NULL;
}

static struct lua_copy like_message(const struct pt_msg *m)
{
	return (struct lua_copy){m->time_ns, m->wire_length, m->length, m->link_type, m->origin};
}

/* The origin is freed with the value, on whatever thread the script ends: it is no message's. */
static void make(lua_State *L, const struct lua_copy *like, const void *bytes)
{
	uint32_t told = like->origin ? like->origin->size : 0;
	sandbox_charge(L, 64 + like->length / 8 + told);
	struct lua_copy *k = lua_newuserdatauv(L, sizeof *k + like->length, 0);
	*k = *like;
	k->origin = origin_copy(like->origin);
	memcpy(k->bytes, bytes, like->length);
	lua_rawgetp(L, LUA_REGISTRYINDEX, metatable);
	lua_setmetatable(L, -2);
}

int lua_copy_make(lua_State *L)
{
	if (lua_copy_get(L, 1)) {
		lua_settop(L, 1);
		return 1;
	}
	const struct pt_msg *m = lua_message_get(L, 1)->msg;
	const struct lua_copy like = like_message(m);
	make(L, &like, m->bytes);
	return 1;
}

/* The bytes of a message of any kind, or of a string, as a string in its place. */
static const char *bytes_at(lua_State *L, int index, size_t *length)
{
	const struct lua_copy *k = lua_copy_get(L, index);
	if (k) {
		lua_pushlstring(L, (const char *)k->bytes, k->length);
		lua_replace(L, index);
	} else if (lua_islightuserdata(L, index)) {
		lua_message_to_string(L, index);
	}
	return luaL_checklstring(L, index, length);
}

int lua_copy_with(lua_State *L)
{
	size_t length;
	const char *bytes = bytes_at(L, 2, &length);
	const struct lua_copy *k = lua_copy_get(L, 1);
	struct lua_copy like = k ? *k : like_message(lua_message_get(L, 1)->msg);
	uint64_t wire = (uint64_t)(like.wire_length - like.length) + length;
	luaL_argcheck(L, wire <= UINT32_MAX, 2, "too long for a message");
	like.length = (uint32_t)length;
	like.wire_length = (uint32_t)wire;
	make(L, &like, bytes);
	return 1;
}

struct pt_msg *lua_copy_message(const struct lua_copy *k, struct pt_pool *pool)
{
	struct pt_msg *m =
		pt_msg_packet(pool, k->bytes, k->length, k->wire_length, k->link_type, k->time_ns);
	if (m)
		m->origin = origin_copy(k->origin);
	return m;
}

void lua_copy_push_tunnel(lua_State *L, const struct pt_msg *m)
{
	uint32_t id;
	if (packet_tunnel_id(m, &id))
		lua_pushinteger(L, id);
	else
		lua_pushnil(L);
}

static void push_tunnel(lua_State *L, const struct lua_copy *k)
{
	const struct pt_msg m = {.bytes = k->bytes,
	                         .length = k->length,
	                         .wire_length = k->wire_length,
	                         .link_type = k->link_type,
	                         .origin = k->origin};
	lua_copy_push_tunnel(L, &m);
}

static const struct lua_copy *check(lua_State *L)
{
	const struct lua_copy *k = lua_copy_get(L, 1);
	if (!k)
		luaL_typeerror(L, 1, metatable);
	return k;
}

static int text(lua_State *L)
{
	const struct lua_copy *k = check(L);
	lua_pushlstring(L, (const char *)k->bytes, k->length);
	return 1;
}

static int length(lua_State *L)
{
	lua_pushinteger(L, check(L)->length);
	return 1;
}

static int concat(lua_State *L)
{
	for (int i = 1; i <= 2; i++) {
		luaL_tolstring(L, i, NULL);
		lua_replace(L, i);
	}
	lua_settop(L, 2);
	lua_concat(L, 2);
	return 1;
}

/* A function of the string library on the bytes. */
static int call(lua_State *L)
{
	text(L);
	lua_replace(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int get(lua_State *L)
{
	const struct lua_copy *k = check(L);
	const char *name = luaL_tolstring(L, 2, NULL);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	if (!strcmp(name, "time"))
		lua_pushnumber(L, moment_seconds(k->time_ns));
	else if (!strcmp(name, "time_ns"))
		lua_pushinteger(L, k->time_ns);
	else if (!strcmp(name, "iface"))
		lua_pushstring(L, k->origin ? k->origin->name : NULL);
	else if (!strcmp(name, "tunnel"))
		push_tunnel(L, k);
	else if (!strcmp(name, "wire_length"))
		lua_pushinteger(L, k->wire_length);
	else if (strcmp(name, "link_type") != 0)
		return luaL_error(L, "a copy of a message has no '%s'", name);
	else if (k->link_type == PT_NO_LINK_TYPE)
		lua_pushnil(L);
	else
		lua_pushinteger(L, k->link_type);
	return 1;
}

static int end(lua_State *L)
{
	struct lua_copy *k = lua_touserdata(L, 1);
	pt_origin_unref(k->origin);
	k->origin = NULL;
	return 0;
}

static int set(lua_State *L)
{
	return luaL_error(L, "a copy of a message cannot be written");
}

static const luaL_Reg methods[] = {{"text", text},
                                   {"len", length},
                                   {"copy", lua_copy_make},
                                   {"with", lua_copy_with},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
	{"__len", length},   {"__concat", concat}, {"__tostring", text},
	{"__newindex", set}, {"__gc", end},        {NULL, NULL},
};

void lua_copy_open(lua_State *L)
{
	lua_newtable(L);
	luaL_setfuncs(L, metamethods, 0);
	lua_newtable(L);
	lua_getglobal(L, "string");
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_pushcclosure(L, call, 1);
		lua_rawset(L, -5);
	}
	lua_pop(L, 1);
	luaL_setfuncs(L, methods, 0);
	lua_pushcclosure(L, get, 1);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, metatable);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, metatable);
}
