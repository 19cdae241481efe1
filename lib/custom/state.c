/* SPDX-License-Identifier: BSD-2-Clause */
/* The members of self.state that a type carries, to a successor and over a restart. */
#include "custom/block.h"

#include "base/buf.h"
#include "base/error.h"
#include <string.h>

/* One of them on its way: a letter for its Lua type, and its bytes. Empty: nil. */
struct parcel {
	const char *name;
	struct buf bytes;
};

/* For a protected call, with a parcel; the state is below the member, on top. */
static struct parcel *begin(lua_State *L)
{
	struct parcel *p = lua_touserdata(L, 1);
	custom_self_state(L);
	lua_pushstring(L, p->name);
	return p;
}

static int pack(lua_State *L)
{
	struct parcel *p = begin(L);
	size_t length;
	lua_rawget(L, -2);
	switch (lua_type(L, -1)) {
	case LUA_TNIL: break;
	case LUA_TBOOLEAN: buf_adds(&p->bytes, lua_toboolean(L, -1) ? "t" : "f"); break;
	case LUA_TNUMBER: {
		lua_Integer integer = lua_tointeger(L, -1);
		lua_Number number = lua_tonumber(L, -1);
		bool whole = lua_isinteger(L, -1);
		buf_addc(&p->bytes, whole ? 'i' : 'n');
		buf_add(&p->bytes, whole ? (void *)&integer : (void *)&number, sizeof integer);
		break;
	}
	case LUA_TSTRING: {
		const char *text = lua_tolstring(L, -1, &length);
		buf_addc(&p->bytes, 's');
		buf_add(&p->bytes, text, length);
		break;
	}
	default:
		return luaL_error(L,
		                  "self.state.%s is a %s: a boolean, a number or a string can be "
		                  "carried",
		                  p->name, luaL_typename(L, -1));
	}
	return 0;
}

static int unpack(lua_State *L)
{
	const struct parcel *p = begin(L);
	const char *bytes = p->bytes.data ? p->bytes.data : "";
	size_t length = p->bytes.length;
	lua_Integer integer;
	lua_Number number;
	bool whole = length == 1 + sizeof integer;
	if (length == 1 && (*bytes == 't' || *bytes == 'f'))
		lua_pushboolean(L, *bytes == 't');
	else if (whole && *bytes == 'i')
		lua_pushinteger(L, (memcpy(&integer, bytes + 1, sizeof integer), integer));
	else if (whole && *bytes == 'n')
		lua_pushnumber(L, (memcpy(&number, bytes + 1, sizeof number), number));
	else if (length && *bytes == 's')
		lua_pushlstring(L, bytes + 1, length - 1);
	else
		lua_pushnil(L);
	lua_rawset(L, -3);
	return 0;
}

static bool run(struct custom_block *b, lua_CFunction function, struct parcel *p)
{
	struct pt_error err = PT_ERROR_INIT;
	lua_pushcfunction(b->box->lua, function);
	lua_pushlightuserdata(b->box->lua, p);
	int rc = sandbox_call(b->box, 1, 0, &err);
	if (rc)
		pt_report(b->block, rc, "%s", pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	return !rc;
}

#define FOR_EACH_CARRIED(name, b) \
	for (const char *const *name = (b)->type->carried; name && *name; name++)

void custom_state_carry(struct pt_block *block, struct pt_carry *carry)
{
	struct custom_block *b = pt_state(block);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		return;
	FOR_EACH_CARRIED(name, b)
	{
		struct parcel p = {*name, BUF_INIT};
		if (run(b, pack, &p) && p.bytes.length)
			pt_carry_bytes(carry, *name, p.bytes.data, p.bytes.length);
		buf_free(&p.bytes);
	}
}

void custom_state_take_over(struct pt_block *block, struct pt_block *old)
{
	struct custom_block *b = pt_state(block), *before = pt_state(old);
	FOR_EACH_CARRIED(name, b)
	{
		struct parcel p = {*name, BUF_INIT};
		if (before->running && run(before, pack, &p))
			run(b, unpack, &p);
		buf_free(&p.bytes);
	}
}

void custom_state_start(struct custom_block *b)
{
	FOR_EACH_CARRIED(name, b)
	{
		struct parcel p = {*name, BUF_INIT};
		size_t length;
		const void *bytes = pt_carried_bytes(b->block, *name, &length);
		if (bytes) {
			buf_add(&p.bytes, bytes, length);
			run(b, unpack, &p);
		}
		buf_free(&p.bytes);
	}
}
