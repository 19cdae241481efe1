/* SPDX-License-Identifier: BSD-2-Clause */
/* self:every and self:after: the engine's one timer of the block, set to the next of its own. */
#include "custom/block.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e9
#define EVERY_MIN_S 0.001

static const char functions_key; /* of the registry: by number */
static const char metatable[] = "timer";

static struct custom_timer *next(const struct custom_block *b)
{
	struct custom_timer *first = NULL;
	for (unsigned i = 0; i < b->timer_count; i++)
		if (!first || b->timers[i].due_ns < first->due_ns)
			first = &b->timers[i];
	return first;
}

static struct custom_timer *find(const struct custom_block *b, uint64_t id)
{
	for (unsigned i = 0; i < b->timer_count; i++)
		if (b->timers[i].id == id)
			return &b->timers[i];
	return NULL;
}

static void forget_function(lua_State *L, uint64_t id)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &functions_key);
	lua_pushnil(L);
	lua_rawseti(L, -2, (lua_Integer)id);
	lua_pop(L, 1);
}

static void remove_timer(struct custom_block *b, struct custom_timer *t)
{
	forget_function(b->box->lua, t->id);
	*t = b->timers[--b->timer_count];
}

/* Leaves its function on the stack, and sets it for the next time, if there is one. */
static void take(struct custom_block *b, struct custom_timer *t, uint64_t now)
{
	lua_State *L = b->box->lua;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &functions_key);
	lua_rawgeti(L, -1, (lua_Integer)t->id);
	lua_remove(L, -2);
	if (!t->period_ns) {
		remove_timer(b, t);
		return;
	}
	t->due_ns += t->period_ns;
	if (t->due_ns <= now)
		t->due_ns = now + t->period_ns;
}

static void on_timer(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	uint64_t now = pt_now(block);
	for (struct custom_timer *t; !b->paused && (t = next(b)) && t->due_ns <= now;) {
		take(b, t, now);
		lua_pushvalue(b->box->lua, SANDBOX_FIRST); /* the block itself */
		custom_block_run(b, 1);
	}
	custom_timer_arm(b);
}

void custom_timer_arm(struct custom_block *b)
{
	const struct custom_timer *t = next(b);
	if (t && b->running && !b->paused)
		pt_timer_at(b->block, &b->timer, t->due_ns, on_timer);
	else
		pt_timer_stop(b->block, &b->timer);
}

void custom_timer_clear(struct custom_block *b)
{
	while (b->timer_count)
		remove_timer(b, b->timers);
}

/* ---- what scripts call ---- */

static void push_handle(lua_State *L, uint64_t id)
{
	uint64_t *handle = lua_newuserdatauv(L, sizeof *handle, 0);
	*handle = id;
	lua_rawgetp(L, LUA_REGISTRYINDEX, metatable);
	lua_setmetatable(L, -2);
}

static int add(lua_State *L, double least, bool again)
{
	struct custom_block *b = custom_self_get(L);
	lua_Number seconds = luaL_checknumber(L, 2);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	if (!(seconds >= least && seconds <= SECONDS_MAX))
		return luaL_error(L, "a time is from %f to %f seconds", least, SECONDS_MAX);
	if (!b->running)
		return luaL_error(L, "timers run while the block does: set them in start or later");
	if (b->timer_count == TIMERS_MAX)
		return luaL_error(L, "a block has at most %d timers", TIMERS_MAX);
	uint64_t id = ++b->timer_id, wait_ns = (uint64_t)(seconds * 1e9);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &functions_key);
	lua_pushvalue(L, 3);
	lua_rawseti(L, -2, (lua_Integer)id);
	push_handle(L, id);
	if (!b->timers)
		b->timers = must_calloc(TIMERS_MAX, sizeof *b->timers);
	b->timers[b->timer_count++] = (struct custom_timer){
		id, pt_now(b->block) + (wait_ns ? wait_ns : 1), again ? wait_ns : 0};
	custom_timer_arm(b);
	return 1;
}

int custom_timer_every(lua_State *L)
{
	return add(L, EVERY_MIN_S, true);
}

int custom_timer_after(lua_State *L)
{
	return add(L, 0, false);
}

static int cancel(lua_State *L)
{
	struct custom_block *b = lua_touserdata(L, lua_upvalueindex(1));
	lua_rawgetp(L, LUA_REGISTRYINDEX, metatable);
	if (lua_type(L, 1) != LUA_TUSERDATA || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, -2))
		return luaL_error(L, "call it with a colon: timer:cancel()");
	struct custom_timer *t = find(b, *(const uint64_t *)lua_touserdata(L, 1));
	if (t)
		remove_timer(b, t);
	return 0;
}

/* The block is on top of the stack. */
void custom_timer_open(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &functions_key);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, cancel, 1);
	lua_setfield(L, -2, "cancel");
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, metatable);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, metatable);
}
