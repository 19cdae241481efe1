/* SPDX-License-Identifier: BSD-2-Clause */
/* Source{…}, Drain{…}, Sink{…}, and whom they are for. */
#include "custom/define.h"

#include "base/buf.h"
#include "base/quote.h"
#include <string.h>

const char *const custom_call_names[CALLS] = {
	"push", "high_push", "push_many", "high_push_many", "on_trigger", "start",
	"stop", "changed",   "send",      "close",          "produce",
};

struct definer {
	void (*each)(void *arg, lua_State *, enum pt_role);
	void *arg;
};

static const char definer_key, found_key; /* of the registry */

static int define(lua_State *L)
{
	enum pt_role role = (enum pt_role)lua_tointeger(L, lua_upvalueindex(1));
	lua_rawgetp(L, LUA_REGISTRYINDEX, &definer_key);
	const struct definer *d = lua_touserdata(L, -1);
	lua_settop(L, 1);
	if (!d)
		return luaL_error(L, "types are defined while their file is loaded");
	if (!lua_istable(L, 1))
		return luaL_error(L, "write Drain{name=\"Mine\", push=function(self, msg) … end}");
	d->each(d->arg, L, role);
	return 0;
}

static int repr(lua_State *L)
{
	struct buf *room = &sandbox_of(L)->message.before;
	size_t length;
	const char *text = luaL_tolstring(L, 1, &length);
	sandbox_charge(L, 64 + length);
	buf_clear(room);
	quote_text(room, text, length);
	lua_pushlstring(L, room->data, room->length);
	return 1;
}

static int open_definitions(lua_State *L)
{
	static const char *const names[] = {"Source", "Drain", "Sink"};
	lua_rawsetp(L, LUA_REGISTRYINDEX, &definer_key);
	for (int i = 0; i < 3; i++) {
		lua_pushinteger(L, PT_SOURCE + i);
		lua_pushcclosure(L, define, 1);
		lua_setglobal(L, names[i]);
	}
	lua_pushcfunction(L, repr);
	lua_setglobal(L, "repr");
	return 0;
}

int define_all(struct sandbox *s, const struct custom_text *t,
               void (*each)(void *arg, lua_State *, enum pt_role), void *arg, struct pt_error *err)
{
	struct definer d = {each, arg};
	lua_pushcfunction(s->lua, open_definitions);
	lua_pushlightuserdata(s->lua, &d);
	int rc = sandbox_call(s, 1, 0, err);
	if (!rc)
		rc = sandbox_load_as(s, t->chunk, t->text, t->length, err);
	if (!rc)
		rc = sandbox_call(s, 0, 0, err);
	lua_pushnil(s->lua);
	lua_rawsetp(s->lua, LUA_REGISTRYINDEX, &definer_key);
	return rc;
}

static void keep_wanted(void *arg, lua_State *L, enum pt_role role)
{
	const struct custom_type *wanted = *(const struct custom_type *const *)arg;
	lua_getfield(L, 1, "name");
	if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), wanted->type.name) != 0)
		return;
	lua_pushvalue(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &found_key);
}

int define_one(struct sandbox *s, const struct custom_type *t, struct pt_error *err)
{
	int rc = define_all(s, t->text, keep_wanted, &t, err);
	if (rc)
		return rc;
	if (lua_rawgetp(s->lua, LUA_REGISTRYINDEX, &found_key) == LUA_TTABLE)
		return 0;
	lua_pop(s->lua, 1);
	return pt_fail(err, -PT_ESCRIPT, NULL, "%s does not define '%s' each time that it is run",
	               t->text->chunk + 1, t->type.name);
}
