/* SPDX-License-Identifier: BSD-2-Clause */
/* A message that a script keeps beyond the call that it came with. */
#ifndef SCRIPT_LUA_COPY_H
#define SCRIPT_LUA_COPY_H

#include <lua.h>
#include <pipetool/msg.h>

/*
 * k = m:copy()     bytes, time, link type and length on the wire, in the script's own memory
 * #k, k .. "x", tostring(k), k:text() and all methods of strings, on its bytes
 * k.time, k.time_ns, k.link_type, k.wire_length, k.iface, k.tunnel     as those of a message, but
 *                                 cannot be written
 * k:with(bytes), m:with(bytes)    the same with other bytes; what was not captured stays missing:
 * the                                 length on the wire changes as the bytes' does
 *
 * Sending it makes a message of it each time. It has no layers: what is wanted of them is looked at
 * before.
 */
struct lua_copy {
	int64_t time_ns;
	uint32_t wire_length, length;
	uint16_t link_type;
	struct pt_origin *origin; /* its own; or NULL */
	uint8_t bytes[];
};

int lua_copy_make(lua_State *); /* the function: of a message at hand, or of what is kept already */

int lua_copy_with(lua_State *);

/* What is kept in the value; NULL if it is no such thing. Never raises. */
const struct lua_copy *lua_copy_get(lua_State *, int index);

/* Pushes what m.tunnel is: an id, or nil. */
void lua_copy_push_tunnel(lua_State *, const struct pt_msg *);

struct pt_msg *lua_copy_message(const struct lua_copy *, struct pt_pool *); /* NULL: no memory */

#endif
