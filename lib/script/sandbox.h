/* SPDX-License-Identifier: BSD-2-Clause */
/* A Lua state that reaches nothing outside, with limits on time and memory. */
#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H

#include "script/limits.h"
#include "script/lua_message.h"

#include <lauxlib.h>
#include <lua.h>

/*
 * A script sees base without load and its kin, string, table, math and utf8, and messages. What of
 * Lua's own libraries could loop without end or without Lua noticing is replaced.
 *
 * Time is the thread's CPU time, counted from the first look at the clock in a call, and looked at
 * every few hundred instructions and wherever a C function or the allocator has worked for long
 * (sandbox_charge). Once it is up, every further instruction fails until the outermost call has
 * returned, so that a script cannot catch the error and go on. Finalizers (__gc), which run
 * without Lua's hooks, cannot be set, and there are no coroutines.
 *
 * Not bounded is what the collector does at once: tens of thousands of tables with weak keys that
 * refer to one another in a bad order can keep the thread, and no other, for seconds.
 *
 * The stack has room from the start: Lua 5.4.4 loses the result of a..b..m, and may read what it
 * has freed, where the stack has to grow for the __concat of m. Past a hundred nested calls or so
 * that can still happen.
 *
 * Past the memory limit "not enough memory" is raised; the state is good for the next call.
 *
 * A sandbox belongs to one thread at a time, and keeps its globals between calls. The lowest value
 * on its stack is its own, for good: those of others are from SANDBOX_FIRST on.
 */
enum { SANDBOX_FIRST = 2 };
struct sandbox {
	lua_State *lua;
	size_t memory_limit, memory_used;
	uint64_t time_limit_ns, started_ns, cpu_started_ns;
	size_t work;  /* since the last look at the clock */
	bool calling; /* in sandbox_call */
	bool over;    /* time is up for this call */
	bool late;    /* and memory was refused for that */
	bool ends;    /* see sandbox_ends */
	bool in_turn; /* see sandbox_call_in_turn */
	struct lua_message message;
	struct lua_message *many; /* room for LUA_MESSAGES, or NULL: see lua_messages_begin */
	unsigned many_count;
	struct lua_name names[LUA_NAMES];
};

struct sandbox *sandbox_new(const struct func_limits *, struct pt_error *); /* NULL: see `err` */
void sandbox_free(struct sandbox *);                                        /* NULL does nothing */

/* What is called from now on ends by itself after a few hundred instructions, which are counted no
   longer. What C functions and the allocator do still is. */
void sandbox_ends(struct sandbox *);

/* Leaves the text, compiled, on the stack; or -PT_ESCRIPT with Lua's words, and nothing. */
int sandbox_load(struct sandbox *, const char *text, size_t length, struct pt_error *);
/* The same under the name that errors tell: "@mine.lua". */
int sandbox_load_as(struct sandbox *, const char *name, const char *text, size_t length,
                    struct pt_error *);

/* Calls the function below `args` arguments under the limits and leaves `results` values in their
   place. A negative code, and nothing left: -PT_ESCRIPT with the error on the first line and the
   traceback behind it, or -ENOMEM where the engine's own memory is at its limit. */
int sandbox_call(struct sandbox *, int args, int results, struct pt_error *);

/* The same of a C function that calls others for one message after the other: each has the time
   limit to itself from sandbox_begin on, and the traceback does not tell of the C function. */
int sandbox_call_in_turn(struct sandbox *, int args, int results, struct pt_error *);
void sandbox_begin(struct sandbox *);

static inline struct sandbox *sandbox_of(lua_State *L)
{
	return *(struct sandbox **)lua_getextraspace(L);
}

/* Tells of work that Lua does not see: about so many nanoseconds of it. Raises an error once time
   is up. */
void sandbox_charge(lua_State *, size_t work);

/* Wraps C functions without upvalues, to be given to scripts: takes messages as strings, and
   charges for the length of what it is given. Replaces the function on top of the stack. */
void sandbox_wrap(lua_State *);

/* What a script says may be any bytes; an error is text, and goes to logs and terminals: the rest
   becomes question marks. */
void sandbox_clean(char *text, size_t length);

/* The libraries, each of which leaves nothing on the stack. */
void lua_base_open(lua_State *);   /* first: makes the table of globals */
void lua_string_open(lua_State *); /* string, utf8, and what can be called on any string */
void lua_table_open(lua_State *);
void lua_message_open(lua_State *); /* messages have the methods of strings */
void lua_copy_open(lua_State *);    /* last: and so have those that are kept */

#endif
