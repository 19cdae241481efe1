/* SPDX-License-Identifier: BSD-2-Clause */
/* What a function of a block finds in self. */
#include "custom/block.h"

#include "base/buf.h"
#include "base/near.h"
#include "base/quote.h"
#include "script/lua_copy.h"
#include "custom/param.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REASONS_MAX 256 /* of all scripts, for ever: counters refer to them */
#define REASON_MAX  40  /* bytes */

static const char self_key, members_key; /* of the registry */

struct custom_block *custom_self_get(lua_State *L)
{
	struct custom_block *b = lua_touserdata(L, lua_upvalueindex(1));
	lua_rawgetp(L, LUA_REGISTRYINDEX, &self_key);
	bool same = lua_rawequal(L, 1, -1);
	lua_pop(L, 1);
	if (!same)
		luaL_error(L, "call it with a colon: self:send(msg), not self.send(msg)");
	return b;
}

/* ---- noting ---- */

/* Raises where there is no room for one more; else noting it cannot fail. */
static void check_room(lua_State *L, const struct custom_block *b)
{
	sandbox_charge(L, 64);
	if (b->action_count - b->action_floor >= ACTIONS_MAX)
		luaL_error(L, "one call can send at most %d messages", ACTIONS_MAX);
}

static struct custom_action *note(struct custom_block *b, enum custom_act what)
{
	if (b->action_count == b->action_room) {
		b->action_room = b->action_room ? 2 * b->action_room : 16;
		b->actions = must_realloc(b->actions, b->action_room, sizeof *b->actions);
	}
	struct custom_action *a = &b->actions[b->action_count++];
	*a = (struct custom_action){.what = what};
	return a;
}

/* A message at hand with a reference of its own, which counts as one use of it. */
static struct pt_msg *use(lua_State *L, int index, bool *made)
{
	struct lua_message *m = lua_message_get(L, index);
	*made = m->uses++ > 0;
	return pt_msg_ref(m->msg);
}

static struct pt_msg *from_value(lua_State *L, struct custom_block *b, int index)
{
	const struct lua_copy *k = lua_copy_get(L, index);
	size_t length;
	const char *text = k ? NULL : lua_tolstring(L, index, &length);
	if (!k && !text)
		luaL_error(L, "a message, a copy of one or a string can be sent, not a %s",
		           luaL_typename(L, index));
	sandbox_charge(L, 64 + (k ? k->length : length) / 8);
	struct pt_pool *pool = pt_pool(b->block);
	struct pt_msg *m = k ? lua_copy_message(k, pool) : pt_msg_new(pool, text, length);
	if (!m) {
		b->box->message.starved = true;
		luaL_error(L, "the memory limit for messages is reached");
	}
	return m;
}

static int send(lua_State *L, enum pt_canal canal)
{
	struct custom_block *b = custom_self_get(L);
	unsigned port = canal == PT_HIGH ? PT_HIGH_EXIT : PT_LOW_EXIT;
	if (!(b->type->type.ports & port))
		return luaL_error(L, "a %s has no %s exit", b->type->type.name,
		                  canal == PT_HIGH ? "high" : "low");
	if (lua_isnil(L, 2))
		return 0;
	luaL_checkany(L, 2);
	check_room(L, b);
	bool made = true;
	struct pt_msg *m = lua_islightuserdata(L, 2) ? use(L, 2, &made) : from_value(L, b, 2);
	struct custom_action *a = note(b, ACT_SEND);
	a->canal = canal;
	a->msg = m;
	a->made = made;
	return 0;
}

static int send_low(lua_State *L)
{
	return send(L, PT_LOW);
}

static int send_high(lua_State *L)
{
	return send(L, PT_HIGH);
}

static int trigger(lua_State *L)
{
	struct custom_block *b = custom_self_get(L);
	if (!(b->type->type.ports & PT_TRIGGER_EXIT))
		return luaL_error(L, "a %s has no trigger exit", b->type->type.name);
	check_room(L, b);
	note(b, ACT_TRIGGER);
	return 0;
}

static int print(lua_State *L)
{
	struct custom_block *b = custom_self_get(L);
	struct buf line = BUF_INIT;
	size_t length;
	const char *text = luaL_tolstring(L, 2, &length);
	if (length > TEXTS_MAX - b->text_bytes)
		return luaL_error(L, "one call can print at most %d bytes", (int)TEXTS_MAX);
	sandbox_charge(L, length);
	check_room(L, b);
	struct custom_action *a = note(b, ACT_PRINT);
	buf_add(&line, text, length);
	buf_addc(&line, '\n');
	b->text_bytes += length;
	a->length = line.length;
	a->text = buf_steal(&line);
	return 0;
}

/* A word that lives for ever, as counters need it. */
static const char *lasting(const char *word)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char *words[REASONS_MAX];
	const char *found = "other";
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < REASONS_MAX; i++) {
		if (!words[i])
			words[i] = must_strdup(word);
		if (!strcmp(words[i], word)) {
			found = words[i];
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static int leave_out(lua_State *L, enum custom_act what, const char *done)
{
	struct custom_block *b = custom_self_get(L);
	char word[REASON_MAX + 1];
	if (!lua_islightuserdata(L, 2))
		return luaL_error(L, "only the message that came can be %s, not a %s", done,
		                  luaL_typename(L, 2));
	snprintf(word, sizeof word, "%s", luaL_optstring(L, 3, "filtered"));
	sandbox_clean(word, strlen(word));
	check_room(L, b);
	bool made;
	struct pt_msg *m = use(L, 2, &made);
	struct custom_action *a = note(b, what);
	a->msg = m;
	a->made = made;
	a->why = lasting(word);
	return 0;
}

static int drop(lua_State *L)
{
	return leave_out(L, ACT_DROP, "dropped");
}

static int filter_out(lua_State *L)
{
	return leave_out(L, ACT_FILTER, "filtered");
}

static int exhaust(lua_State *L)
{
	struct custom_block *b = custom_self_get(L);
	check_room(L, b);
	note(b, ACT_EXHAUST);
	return 0;
}

static int ready(lua_State *L)
{
	struct custom_block *b = custom_self_get(L);
	b->idle = false;
	if (b->running && b->type->has[CALL_PRODUCE])
		pt_ready(b->block, !b->exhausted);
	return 0;
}

/* ---- self ---- */

static const struct {
	const char *name;
	lua_CFunction function;
	bool source; /* only of a source */
} methods[] = {
	{"send", send_low, false},
	{"high_send", send_high, false},
	{"trigger", trigger, false},
	{"every", custom_timer_every, false},
	{"after", custom_timer_after, false},
	{"drop", drop, false},
	{"filter_out", filter_out, false},
	{"print", print, false},
	{"gen_data", send_low, true},
	{"gen_high_data", send_high, true},
	{"exhaust", exhaust, true},
	{"ready", ready, true},
};

#define METHODS (sizeof methods / sizeof *methods)

bool custom_block_has_member(const char *name)
{
	for (size_t i = 0; i < METHODS; i++)
		if (!strcmp(methods[i].name, name))
			return true;
	return !strcmp(name, "name") || !strcmp(name, "state");
}

static int unknown(lua_State *L)
{
	const struct custom_block *b = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_tolstring(L, 2, NULL);
	struct near n = near_init(name);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &members_key);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (!strcmp(lua_tostring(L, -2), name))
			return 1;
		near_try(&n, lua_tostring(L, -2));
	}
	for (const struct pt_param *row = b->type->type.params; row && row->name; row++)
		if (!strcmp(row->name, name))
			return 0; /* it is None */
	return luaL_error(L, "self has no '%s'%s", name,
	                  near_say(&n, "; what a block keeps is in self.state"));
}

static int forbid(lua_State *L)
{
	return luaL_error(L, "self.%s cannot be set; what a block keeps is in self.state",
	                  luaL_tolstring(L, 2, NULL));
}

void custom_self_refresh(lua_State *L, struct custom_block *b)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &members_key);
	for (const struct pt_param *row = b->type->type.params; row && row->name; row++) {
		custom_param_push(L, row, b->block);
		lua_setfield(L, -2, row->name);
	}
	lua_pop(L, 1);
}

void custom_self_state(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &members_key);
	lua_getfield(L, -1, "state");
	lua_remove(L, -2);
}

static void push_members(lua_State *L, struct custom_block *b)
{
	lua_newtable(L);
	for (size_t i = 0; i < METHODS; i++) {
		if (methods[i].source && b->type->type.role != PT_SOURCE)
			continue;
		lua_pushlightuserdata(L, b);
		lua_pushcclosure(L, methods[i].function, 1);
		lua_setfield(L, -2, methods[i].name);
	}
	lua_newtable(L);
	lua_setfield(L, -2, "state");
	lua_pushstring(L, pt_name(b->block));
	lua_setfield(L, -2, "name");
	lua_newtable(L);
	lua_pushlightuserdata(L, b);
	lua_pushcclosure(L, unknown, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &members_key);
}

void custom_self_push(lua_State *L, struct custom_block *b)
{
	lua_newuserdatauv(L, 0, 0);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &self_key);
	lua_newtable(L);
	push_members(L, b);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, forbid);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "block");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	custom_self_refresh(L, b);
}

/* ---- doing ---- */

static void free_text(struct custom_block *b, const struct custom_action *a)
{
	if (a->text)
		b->text_bytes -= a->length - 1;
	free(a->text);
}

void custom_self_forget(struct custom_block *b, unsigned from)
{
	for (unsigned i = from; i < b->action_count; i++) {
		pt_msg_unref(b->actions[i].msg);
		free_text(b, &b->actions[i]);
	}
	b->action_count = from;
}

/* How many actions from here on send on one canal. */
static unsigned gather(struct custom_block *b, unsigned from, unsigned end,
                       struct pt_msg **messages)
{
	unsigned made = 0, n = 0;
	enum pt_canal canal = b->actions[from].canal;
	for (; n < LUA_MESSAGES && from + n < end; n++) {
		const struct custom_action *a = &b->actions[from + n];
		if (a->what != ACT_SEND || a->canal != canal)
			break;
		messages[n] = a->msg;
		made += a->made;
	}
	pt_made(b->block, made);
	return n;
}

static unsigned run_sends(struct custom_block *b, unsigned from, unsigned end)
{
	struct pt_msg *messages[LUA_MESSAGES];
	enum pt_canal canal = b->actions[from].canal;
	unsigned count = gather(b, from, end, messages);
	if (count == 1)
		pt_send(b->block, canal, messages[0]);
	else
		pt_send_many(b->block, canal, messages, count);
	return count;
}

/* What comes back by a trigger may note more, behind `end`, and move the list. */
void custom_self_run(struct custom_block *b, unsigned from)
{
	unsigned end = b->action_count;
	if (b->type->carried)
		pt_carry_changed(b->block);
	for (unsigned i = from; i < end;) {
		struct custom_action a = b->actions[i];
		switch (a.what) {
		case ACT_SEND: i += run_sends(b, i, end); continue;
		case ACT_DROP:
			pt_made(b->block, a.made);
			pt_drop(b->block, a.msg, a.why);
			break;
		case ACT_FILTER:
			pt_made(b->block, a.made);
			pt_filter_out(b->block, a.msg, a.why);
			break;
		case ACT_TRIGGER: pt_trigger(b->block); break;
		case ACT_EXHAUST:
			b->exhausted = true;
			pt_exhausted(b->block);
			break;
		case ACT_PRINT:
			pt_print(b->block, PT_LOW, a.text, a.length);
			free_text(b, &a);
			break;
		}
		i++;
	}
	b->action_count = from;
}
