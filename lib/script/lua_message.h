/* SPDX-License-Identifier: BSD-2-Clause */
/* The message at hand, as a script sees it. */
#ifndef SCRIPT_LUA_MESSAGE_H
#define SCRIPT_LUA_MESSAGE_H

#include "base/buf.h"
#include "packet/packet.h"

#include <lua.h>

/*
 * m                        the message; #m, m .. "x", tostring(m), and all methods of strings,
 * which                          take it as they take its bytes: m:reverse(), m:find("a+")
 * m:text()                 its bytes as a string; m == "text" is never true, m:text() == "text" may
 * be m:byte(i), m:sub(i, j), m:len()   without making a string of the whole
 * m:set_byte(i, v)         writes one byte as it is; no checksum follows
 * m.time, m.time_ns        seconds since 1970, and nanoseconds, an integer; 0 if unknown; can be
 *                          written; the first is of 53 bits, which are microseconds in this century
 * m.link_type              a LINKTYPE_ number, nil if it is no packet; can be written
 * m.wire_length            can be written where it is a packet
 * m:with(bytes)            a message like this one of other bytes: see lua_copy.h
 * m.eth m.vlan m.arp m.ip m.ip6 m.tcp m.udp m.icmp m.icmp6   nil, or a layer
 * m.ip.src                 a field, nil where the packet is cut before it; writing one puts
 * checksums                          right. Addresses are strings, flags booleans, all else
 * integers m:copy()                 may be kept: see lua_copy.h
 * m.payload                a string, nil if there is none; can be written in the same length
 *
 * In Lua a message and a layer are light userdata: a generation, counted up with each message, and
 * which layer. So they cost nothing to make, and one that a script keeps is known to be stale.
 */
struct lua_message {
	struct pt_msg *msg; /* NULL: none is at hand */
	uintptr_t generation;
	bool writable;
	bool dissected;       /* view is that of msg's bytes */
	bool owned;           /* the descriptor is ours to write */
	bool edited;          /* before holds the bytes as they were */
	unsigned uses;        /* for whoever counts what became of it; begins at 0 */
	bool starved;         /* the engine's memory limit stopped an edit */
	uint32_t wire_length; /* these three as they were */
	uint16_t link_type;
	int64_t time_ns;
	struct packet_view view;
	struct buf before;
	struct pt_error fault;
};

#define LUA_LAYER_BITS 4 /* of the light userdata: 0 for the message, else a layer plus 1 */
static inline void *lua_message_handle(const struct lua_message *m, int layer)
{
	return (void *)(m->generation << LUA_LAYER_BITS | (uintptr_t)(layer + 1));
}

/* A name that a script has asked for: of a layer's field, or (layer -1) of a member. */
#define LUA_NAMES 64
struct lua_name {
	const void *text;
	int layer;
	union {
		const struct packet_field *field;
		int member;
	};
};

/* Makes the message the one at hand and pushes it. Never raises, nor do the next two. */
void lua_message_begin(struct lua_message *, lua_State *, struct pt_msg *, bool writable);
/* Whether the value is the message at hand, and not a stale one or a layer. */
bool lua_message_is(const struct lua_message *, lua_State *, int index);
/* The message is out of the script's reach again; with `undo` it is as it was. It may be another
   one than at the beginning. */
struct pt_msg *lua_message_end(struct lua_message *, bool undo);
void lua_message_fini(struct lua_message *);

/* Several at hand at once, beside none or one as above. */
#define LUA_MESSAGES 64
struct sandbox;
void lua_messages_begin(struct sandbox *, struct pt_msg *const *, unsigned count);
void lua_messages_push(lua_State *); /* a table of them; may raise */
void lua_messages_end(struct sandbox *, struct pt_msg **);
void lua_messages_free(struct sandbox *);

/* The message at hand that a handle is of, or of a layer of it; NULL: none any more. */
struct lua_message *lua_message_find(struct sandbox *, uintptr_t handle);
/* The message at hand that the value is; raises where it is another or none. */
struct lua_message *lua_message_get(lua_State *, int index);
/* Its bytes, or rather its packet, were replaced. */
void lua_message_changed(struct lua_message *);

/* Puts the message's bytes as a string in its place on the stack; raises if it is stale. */
void lua_message_to_string(lua_State *, int index);

#endif
