/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types that users write in Lua. */
#ifndef SCRIPT_LUA_TYPE_H
#define SCRIPT_LUA_TYPE_H

#include "script/sandbox.h"
#include <pipetool/block.h>

/*
 * A file defines one or several types by calling Drain{…}, Source{…} and Sink{…} with name, doc,
 * help, examples, params, ports, picture and functions (docs/writing-blocks.md). It is run once
 * when it is loaded, to learn what it defines, and once for each block, in a sandbox of the block's
 * own.
 *
 * What was loaded lives for ever: blocks of a type that was replaced go on with the old one.
 */

/* The functions that a definition may have. */
enum lua_call {
	LUA_PUSH,
	LUA_HIGH_PUSH,
	LUA_PUSH_MANY,
	LUA_HIGH_PUSH_MANY,
	LUA_ON_TRIGGER,
	LUA_START,
	LUA_STOP,
	LUA_CHANGED,
	LUA_SEND,
	LUA_CLOSE,
	LUA_PRODUCE,
	LUA_CALLS
};
extern const char *const lua_call_names[LUA_CALLS];

struct lua_file;

struct lua_type {
	struct pt_type type; /* first: blocks find the rest through pt_type_of */
	const struct lua_file *file;
	bool has[LUA_CALLS];
};

/* [any thread] Loads a text and adds its types; `path` is told as their origin, and its last part
   in errors, as "mine.lua:3: …". All of it or nothing. A text that was loaded from there already,
   and is not replaced since, changes nothing. *types, if asked for, ends with NULL. */
int lua_type_load(const char *path, const char *text, size_t length, const struct func_limits *,
                  const struct pt_type *const **types, struct pt_error *);

/* Runs the type's file in the sandbox, and leaves its definition, a table, on the stack. */
int lua_type_define(struct sandbox *, const struct lua_type *, struct pt_error *);

#endif
