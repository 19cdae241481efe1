/* SPDX-License-Identifier: BSD-2-Clause */
/* Which messages are at hand: one, and several at once beside it. */
#include "script/sandbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lua_message *lua_message_find(struct sandbox *s, uintptr_t value)
{
	uintptr_t generation = value >> LUA_LAYER_BITS;
	if (s->message.msg && s->message.generation == generation)
		return &s->message;
	uintptr_t place = s->many_count ? generation - s->many[0].generation : 0;
	return place < s->many_count ? &s->many[place] : NULL;
}

static void hold(struct lua_message *m, struct pt_msg *msg, bool writable, uintptr_t generation)
{
	m->msg = msg;
	m->generation = generation;
	m->writable = writable;
	m->dissected = m->owned = m->edited = m->starved = false;
	m->uses = 0;
	m->wire_length = msg->wire_length;
	m->link_type = msg->link_type;
	m->time_ns = msg->time_ns;
}

void lua_message_begin(struct lua_message *m, lua_State *L, struct pt_msg *msg, bool writable)
{
	hold(m, msg, writable, m->generation + 1);
	lua_pushlightuserdata(L, lua_message_handle(m, -1));
}

void lua_messages_begin(struct sandbox *s, struct pt_msg *const *messages, unsigned count)
{
	assert(count <= LUA_MESSAGES);
	if (!s->many)
		s->many = must_calloc(LUA_MESSAGES, sizeof *s->many);
	s->many_count = count;
	s->message.starved = false;
	for (unsigned i = 0; i < count; i++)
		hold(&s->many[i], messages[i], true, ++s->message.generation);
}

void lua_messages_push(lua_State *L)
{
	const struct sandbox *s = sandbox_of(L);
	lua_createtable(L, (int)s->many_count, 0);
	for (unsigned i = 0; i < s->many_count; i++) {
		lua_pushlightuserdata(L, lua_message_handle(&s->many[i], -1));
		lua_rawseti(L, -2, i + 1);
	}
}

void lua_messages_end(struct sandbox *s, struct pt_msg **messages)
{
	for (unsigned i = 0; i < s->many_count; i++)
		messages[i] = lua_message_end(&s->many[i], false);
	s->many_count = 0;
}

void lua_messages_free(struct sandbox *s)
{
	for (unsigned i = 0; s->many && i < LUA_MESSAGES; i++)
		lua_message_fini(&s->many[i]);
	free(s->many);
}

bool lua_message_is(const struct lua_message *m, lua_State *L, int index)
{
	return lua_touserdata(L, index) == lua_message_handle(m, -1) &&
	       lua_islightuserdata(L, index);
}

struct pt_msg *lua_message_end(struct lua_message *m, bool undo)
{
	struct pt_msg *msg = m->msg;
	m->msg = NULL;
	if (undo && m->edited) {
		uint8_t *bytes = pt_msg_edit(&msg);
		if (bytes && msg->length)
			memcpy(bytes, m->before.data, msg->length);
	}
	if (undo && m->owned) {
		msg->wire_length = m->wire_length;
		msg->link_type = m->link_type;
		msg->time_ns = m->time_ns;
	}
	return msg;
}

void lua_message_fini(struct lua_message *m)
{
	buf_free(&m->before);
	pt_error_clear(&m->fault);
}
