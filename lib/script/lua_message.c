/* SPDX-License-Identifier: BSD-2-Clause */
/* One metatable for all light userdata: messages and their layers. */
#include "script/sandbox.h"

#include "base/moment.h"
#include "base/near.h"
#include "script/lua_copy.h"
#include <math.h>
#include <string.h>

enum member { PAYLOAD = PACKET_LAYERS, TIME, TIME_NS, LINK_TYPE, WIRE_LENGTH, IFACE, TUNNEL };

static const struct {
	const char *name;
	int member; /* or a layer */
} members[] = {
	{"eth", PACKET_ETH},      {"vlan", PACKET_VLAN},
	{"arp", PACKET_ARP},      {"ip", PACKET_IP},
	{"ip6", PACKET_IP6},      {"tcp", PACKET_TCP},
	{"udp", PACKET_UDP},      {"icmp", PACKET_ICMP},
	{"icmp6", PACKET_ICMP6},  {"payload", PAYLOAD},
	{"time", TIME},           {"time_ns", TIME_NS},
	{"link_type", LINK_TYPE}, {"wire_length", WIRE_LENGTH},
	{"iface", IFACE},         {"tunnel", TUNNEL},
};

#define MEMBERS (sizeof members / sizeof *members)
#define TABLES  (1 + PAYLOAD) /* of names: of the members, and of the fields of each layer */

/* The message at hand, if the value is it or one of its layers; -1 is no layer. */
static struct lua_message *any(lua_State *L, int index, int *layer)
{
	if (!lua_islightuserdata(L, index))
		luaL_typeerror(L, index, "message");
	uintptr_t value = (uintptr_t)lua_touserdata(L, index);
	struct lua_message *m = lua_message_find(sandbox_of(L), value);
	if (!m)
		luaL_error(L,
		           "this message is gone: a script has one only while it is called for it");
	*layer = (int)(value & ((1 << LUA_LAYER_BITS) - 1)) - 1;
	return m;
}

struct lua_message *lua_message_get(lua_State *L, int index)
{
	int layer;
	struct lua_message *m = any(L, index, &layer);
	if (layer >= 0)
		luaL_error(L, "a layer is not a message: its fields can be read and written");
	return m;
}

void lua_message_changed(struct lua_message *m)
{
	m->dissected = false;
}

void lua_message_to_string(lua_State *L, int index)
{
	const struct pt_msg *msg = lua_message_get(L, index)->msg;
	lua_pushlstring(L, (const char *)msg->bytes, msg->length);
	lua_replace(L, index);
}

static const struct packet_view *view(struct lua_message *m)
{
	if (!m->dissected)
		packet_dissect(m->msg, &m->view);
	m->dissected = true;
	return &m->view;
}

static void check_writable(lua_State *L, const struct lua_message *m)
{
	if (!m->writable)
		luaL_error(L, "a predicate cannot change the message");
}

static void starve(lua_State *L)
{
	sandbox_of(L)->message.starved = true;
	luaL_error(L, "the memory limit for messages is reached");
}

/* Makes the descriptor the script's own to write. */
static void own(lua_State *L, struct lua_message *m)
{
	check_writable(L, m);
	if (pt_msg_own(&m->msg))
		starve(L);
	m->owned = true;
}

/* The same of the bytes. Tell lua_message_changed where that may change the layers. */
static uint8_t *edit(lua_State *L, struct lua_message *m)
{
	check_writable(L, m);
	if (!m->edited) {
		buf_clear(&m->before);
		buf_add(&m->before, m->msg->bytes, m->msg->length);
	}
	uint8_t *bytes = pt_msg_edit(&m->msg);
	if (!bytes)
		starve(L);
	m->owned = m->edited = true;
	return bytes;
}

static int unknown(lua_State *L, const char *what, int names)
{
	const char *wanted = luaL_tolstring(L, 2, NULL);
	struct near n = near_init(wanted);
	for (lua_pushnil(L); lua_next(L, names); lua_pop(L, 1))
		near_try(&n, lua_tostring(L, -2));
	return luaL_error(L, "%s has no '%s'%s", what, wanted, near_say(&n, ""));
}

/* Where a name was found, the second argument: known by its place in memory, since those that the
   tables have are there once each, and for good. */
static struct lua_name *name_at(lua_State *L, int layer, bool *known)
{
	const void *text = lua_topointer(L, 2);
	uintptr_t at = (uintptr_t)text;
	struct lua_name *n =
		&sandbox_of(L)->names[(at >> 4 ^ at >> 9 ^ (unsigned)layer) % LUA_NAMES];
	*known = text && n->text == text && n->layer == layer;
	return n;
}

/* The field of the layer that the second argument names. */
static const struct packet_field *field(lua_State *L, int layer)
{
	int names = lua_upvalueindex(2 + layer);
	bool known;
	struct lua_name *n = name_at(L, layer, &known);
	if (known)
		return n->field;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, names) != LUA_TLIGHTUSERDATA)
		unknown(L, members[layer].name, names);
	*n = (struct lua_name){lua_topointer(L, 2), layer, .field = lua_touserdata(L, -1)};
	return n->field;
}

static int read_field(lua_State *L, struct lua_message *m, int layer)
{
	const struct packet_field *f = field(L, layer);
	struct packet_value value;
	char text[64];
	if (!packet_read(m->msg->bytes, view(m), f, &value)) {
		lua_pushnil(L);
		return 1;
	}
	switch (f->kind) {
	case PACKET_NUMBER: lua_pushinteger(L, (lua_Integer)value.number); break;
	case PACKET_FLAG: lua_pushboolean(L, value.number != 0); break;
	default: packet_value_print(f, &value, text, sizeof text); lua_pushstring(L, text);
	}
	return 1;
}

static int read_payload(lua_State *L, struct lua_message *m)
{
	const struct packet_view *v = view(m);
	if (!pt_msg_is_packet(m->msg) || !packet_has(v, PACKET_PAYLOAD))
		lua_pushnil(L);
	else
		lua_pushlstring(L, (const char *)m->msg->bytes + v->offset[PACKET_PAYLOAD],
		                v->payload_length);
	return 1;
}

static int read_member(lua_State *L, struct lua_message *m, int member)
{
	switch (member) {
	case PAYLOAD: return read_payload(L, m);
	case TIME: lua_pushnumber(L, moment_seconds(m->msg->time_ns)); break;
	case TIME_NS: lua_pushinteger(L, m->msg->time_ns); break;
	case WIRE_LENGTH: lua_pushinteger(L, m->msg->wire_length); break;
	case IFACE: lua_pushstring(L, pt_msg_iface(m->msg)); break;
	case TUNNEL: lua_copy_push_tunnel(L, m->msg); break;
	case LINK_TYPE:
		if (pt_msg_is_packet(m->msg))
			lua_pushinteger(L, m->msg->link_type);
		else
			lua_pushnil(L);
		break;
	default:
		if (packet_has(view(m), member))
			lua_pushlightuserdata(L, lua_message_handle(m, member));
		else
			lua_pushnil(L);
	}
	return 1;
}

static int message_index(lua_State *L)
{
	int layer;
	struct lua_message *m = any(L, 1, &layer);
	if (layer >= 0)
		return read_field(L, m, layer);
	bool known;
	struct lua_name *n = name_at(L, layer, &known);
	if (known)
		return read_member(L, m, n->member);
	lua_pushvalue(L, 2);
	switch (lua_rawget(L, lua_upvalueindex(1))) {
	case LUA_TFUNCTION: return 1;
	case LUA_TNUMBER: break;
	default: return unknown(L, "a message", lua_upvalueindex(1));
	}
	*n = (struct lua_name){lua_topointer(L, 2), layer, .member = (int)lua_tointeger(L, -1)};
	return read_member(L, m, n->member);
}

/* The third argument as a value of the field, by the rules of the pipe language for text. */
static void get_value(lua_State *L, struct lua_message *m, const struct packet_field *f,
                      struct packet_value *value)
{
	bool number = f->kind == PACKET_NUMBER || f->kind == PACKET_FLAG;
	int whole_number = 0;
	switch (lua_type(L, 3)) {
	case LUA_TBOOLEAN:
		whole_number = f->kind == PACKET_FLAG;
		value->number = (uint64_t)lua_toboolean(L, 3);
		break;
	case LUA_TNUMBER: value->number = (uint64_t)lua_tointegerx(L, 3, &whole_number); break;
	case LUA_TSTRING:
		pt_error_clear(&m->fault);
		if (packet_value_parse(f, lua_tostring(L, 3), value, &m->fault))
			luaL_error(L, "%s", pt_error_text(&m->fault, "a wrong value"));
		return;
	}
	if (!number || !whole_number || (f->bits < 64 && value->number >> f->bits))
		luaL_error(L, "%s.%s cannot be %s", f->layer, f->name, luaL_tolstring(L, 3, NULL));
}

static int write_field(lua_State *L, struct lua_message *m, int layer)
{
	const struct packet_field *f = field(L, layer);
	struct packet_set set = {.field = f};
	if (f->read_only)
		return luaL_error(L, "%s.%s cannot be written: it follows from the packet",
		                  f->layer, f->name);
	get_value(L, m, f, &set.value);
	const struct packet_view *v = view(m);
	struct packet_value old;
	if (!packet_read(m->msg->bytes, v, f, &old))
		return luaL_error(L, "the packet has no %s.%s", f->layer, f->name);
	uint8_t *bytes = edit(L, m);
	packet_rewrite(bytes, m->msg->length, v, &set, 1);
	if (!packet_field_is_address(f)) /* no layer lies elsewhere for an address */
		lua_message_changed(m);
	return 0;
}

static int write_payload(lua_State *L, struct lua_message *m)
{
	size_t length;
	if (lua_islightuserdata(L, 3))
		lua_message_to_string(L, 3);
	const char *text = luaL_checklstring(L, 3, &length);
	const struct packet_view *v = view(m);
	if (!pt_msg_is_packet(m->msg) || !packet_has(v, PACKET_PAYLOAD))
		return luaL_error(L, "the message has no payload that could be written");
	if (length != v->payload_length)
		return luaL_error(L, "the payload keeps its length, which is %d, not %d",
		                  (int)v->payload_length, (int)length);
	packet_rewrite_payload(edit(L, m), v, text);
	lua_message_changed(m);
	return 0;
}

/* Time that is moved by whole microseconds, which `seconds` can tell exactly, keeps its
   nanoseconds, which it cannot. */
static bool move_time(double seconds, int64_t *time_ns)
{
	double moved_us = (seconds - moment_seconds(*time_ns)) * 1e6;
	int64_t moved;
	if (!(fabs(moved_us) < 9e15) || fabs(moved_us - rint(moved_us)) > 1e-6)
		return false;
	if (__builtin_add_overflow(*time_ns, (int64_t)rint(moved_us) * 1000, &moved))
		return false;
	*time_ns = moved;
	return true;
}

static int write_time(lua_State *L, struct lua_message *m)
{
	lua_Number seconds = luaL_checknumber(L, 3);
	int64_t time_ns = m->msg->time_ns;
	if (!move_time(seconds, &time_ns) && moment_from_seconds(seconds, &time_ns))
		return luaL_error(L, "a time is in seconds since 1970, from 1677 to 2262, not %f",
		                  seconds);
	own(L, m);
	m->msg->time_ns = time_ns;
	return 0;
}

static int write_time_ns(lua_State *L, struct lua_message *m)
{
	lua_Integer time_ns = luaL_checkinteger(L, 3);
	own(L, m);
	m->msg->time_ns = time_ns;
	return 0;
}

static int write_wire_length(lua_State *L, struct lua_message *m)
{
	lua_Integer length = luaL_checkinteger(L, 3), least = m->msg->length;
	if (!pt_msg_is_packet(m->msg) && length != least)
		return luaL_error(L, "what is no packet has no other length on the wire; set "
		                     "link_type first");
	if (length < least || length > UINT32_MAX)
		return luaL_error(L, "a length on the wire is from %I, what the packet has, to %I",
		                  least, (lua_Integer)UINT32_MAX);
	own(L, m);
	m->msg->wire_length = (uint32_t)length;
	return 0;
}

static int write_link_type(lua_State *L, struct lua_message *m)
{
	bool none = lua_isnil(L, 3);
	lua_Integer type = none ? PT_NO_LINK_TYPE : luaL_checkinteger(L, 3);
	if (!none && (type < 0 || type >= PT_NO_LINK_TYPE))
		return luaL_error(L, "a link type is a number from 0 to %d", PT_NO_LINK_TYPE - 1);
	own(L, m);
	m->msg->link_type = (uint16_t)type;
	if (none)
		m->msg->wire_length = m->msg->length;
	m->dissected = false;
	return 0;
}

static int message_newindex(lua_State *L)
{
	int layer;
	struct lua_message *m = any(L, 1, &layer);
	if (layer >= 0)
		return write_field(L, m, layer);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
		return unknown(L, "a message", lua_upvalueindex(1));
	bool method = !lua_isnumber(L, -1);
	int member = method ? PACKET_LAYERS : (int)lua_tointeger(L, -1);
	switch (method ? -1 : member) {
	case PAYLOAD: return write_payload(L, m);
	case TIME: return write_time(L, m);
	case TIME_NS: return write_time_ns(L, m);
	case WIRE_LENGTH: return write_wire_length(L, m);
	case LINK_TYPE: return write_link_type(L, m);
	}
	return luaL_error(L, "'%s' of a message cannot be written%s", lua_tostring(L, 2),
	                  member < PACKET_LAYERS ? ", but its fields can" : "");
}

static int message_length(lua_State *L)
{
	lua_pushinteger(L, lua_message_get(L, 1)->msg->length);
	return 1;
}

static int message_text(lua_State *L)
{
	lua_message_get(L, 1);
	lua_settop(L, 1);
	lua_message_to_string(L, 1);
	return 1;
}

static int message_concat(lua_State *L)
{
	for (int i = 1; i <= 2; i++) {
		if (lua_islightuserdata(L, i))
			lua_message_to_string(L, i);
		else if (!lua_isstring(L, i))
			return luaL_error(L, "a message and a %s cannot be joined",
			                  luaL_typename(L, i));
	}
	lua_settop(L, 2);
	lua_concat(L, 2);
	return 1;
}

/* The byte, counted from 1, that an index means, which counts from the end if it is negative. */
static lua_Integer place(lua_Integer index, lua_Integer length)
{
	return index >= 0 ? index : index < -length ? 0 : length + index + 1;
}

/* The range of the arguments 2 and 3 within the message; false if it is empty. */
static bool range(const struct pt_msg *msg, lua_Integer first, lua_Integer last, lua_Integer *from,
                  lua_Integer *count)
{
	lua_Integer length = msg->length;
	first = place(first, length);
	last = place(last, length);
	if (first < 1)
		first = 1;
	if (last > length)
		last = length;
	*from = first - 1;
	*count = last - first + 1;
	return first <= last;
}

static int message_sub(lua_State *L)
{
	const struct pt_msg *msg = lua_message_get(L, 1)->msg;
	lua_Integer from, count;
	if (range(msg, luaL_checkinteger(L, 2), luaL_optinteger(L, 3, -1), &from, &count))
		lua_pushlstring(L, (const char *)msg->bytes + from, (size_t)count);
	else
		lua_pushliteral(L, "");
	return 1;
}

static int message_byte(lua_State *L)
{
	const struct pt_msg *msg = lua_message_get(L, 1)->msg;
	lua_Integer first = luaL_optinteger(L, 2, 1), last = luaL_optinteger(L, 3, first);
	lua_Integer from, count;
	if (!range(msg, first, last, &from, &count))
		return 0;
	luaL_checkstack(L, (int)(count > INT32_MAX ? INT32_MAX : count), "too many bytes at once");
	for (lua_Integer i = 0; i < count; i++)
		lua_pushinteger(L, msg->bytes[from + i]);
	return (int)count;
}

static int message_set_byte(lua_State *L)
{
	struct lua_message *m = lua_message_get(L, 1);
	lua_Integer index = luaL_checkinteger(L, 2), value = luaL_checkinteger(L, 3);
	lua_Integer at = place(index, m->msg->length);
	luaL_argcheck(L, at >= 1 && at <= m->msg->length, 2, "there is no such byte");
	luaL_argcheck(L, value >= 0 && value <= 255, 3, "a byte is 0 to 255");
	edit(L, m)[at - 1] = (uint8_t)value;
	lua_message_changed(m);
	return 0;
}

static const luaL_Reg methods[] = {
	{"text", message_text}, {"len", message_length},        {"sub", message_sub},
	{"byte", message_byte}, {"set_byte", message_set_byte}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__len", message_length},
	{"__concat", message_concat},
	{"__tostring", message_text},
	{NULL, NULL},
};

/* Pushes the table that message_index looks names up in: functions, and members as numbers. */
static void push_members(lua_State *L)
{
	lua_newtable(L);
	lua_getglobal(L, "string");
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -5);
	}
	lua_pop(L, 1);
	luaL_setfuncs(L, methods, 0);
	lua_pushcfunction(L, lua_copy_make);
	lua_setfield(L, -2, "copy");
	lua_pushcfunction(L, lua_copy_with);
	lua_setfield(L, -2, "with");
	for (size_t i = 0; i < MEMBERS; i++) {
		lua_pushinteger(L, members[i].member);
		lua_setfield(L, -2, members[i].name);
	}
}

/* Pushes for each layer a table of its fields by name. */
static void push_fields(lua_State *L)
{
	for (int layer = 0; layer < PAYLOAD; layer++) {
		lua_newtable(L);
		for (const struct packet_field *f = packet_fields; f->name; f++) {
			if ((int)f->in != layer)
				continue;
			lua_pushlightuserdata(L, (void *)(uintptr_t)f);
			lua_setfield(L, -2, f->name);
		}
	}
}

void lua_message_open(lua_State *L)
{
	lua_pushlightuserdata(L, NULL);
	lua_newtable(L);
	luaL_setfuncs(L, metamethods, 0);
	luaL_checkstack(L, 2 * TABLES, "messages");
	push_members(L);
	push_fields(L);
	for (int i = 0; i < TABLES; i++)
		lua_pushvalue(L, -TABLES);
	lua_pushcclosure(L, message_newindex, TABLES);
	lua_setfield(L, -2 - TABLES, "__newindex");
	lua_pushcclosure(L, message_index, TABLES);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "message");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}
