/* SPDX-License-Identifier: BSD-2-Clause */
/* A block whose functions are Lua's. */
#ifndef SCRIPT_LUA_BLOCK_H
#define SCRIPT_LUA_BLOCK_H

#include "script/lua_type.h"
#include <pipetool/queue.h>

/*
 * What a function sends, triggers, prints or drops is noted, and done in that order when it has
 * returned: so what is downstream does not count against the time limit, and a function is never
 * entered while it runs. A function that fails has done nothing, and the messages that it was
 * called with are dropped ("error").
 *
 * Of a message at hand, the first sending, dropping or filtering is what became of it; each further
 * one makes a message. A message that neither happened to is filtered, or was delivered, in a block
 * without exits.
 */
struct lua_action {
	enum lua_act {
		LUA_ACT_SEND,
		LUA_ACT_DROP,
		LUA_ACT_FILTER,
		LUA_ACT_TRIGGER,
		LUA_ACT_PRINT,
		LUA_ACT_EXHAUST
	} what;
	enum pt_canal canal;
	bool made;
	struct pt_msg *msg;
	const char *why;
	char *text;
	size_t length;
};

struct lua_timer {
	uint64_t id, due_ns, period_ns; /* period 0: once */
};

#define LUA_ACTIONS_MAX 65536                     /* of one call */
#define LUA_TEXTS_MAX   ((size_t)4 * 1024 * 1024) /* bytes that one call may print */
#define LUA_TIMERS_MAX  1024

/* The state of the block, before its parameters. */
struct lua_block {
	struct pt_block *block;
	const struct lua_type *type;
	struct sandbox *box;

	struct lua_action *actions;
	unsigned action_count, action_room;
	unsigned action_floor; /* where those of the call begin that is one of many */
	size_t text_bytes;     /* of the texts among them */

	struct pt_timer timer;
	struct lua_timer *timers;
	unsigned timer_count;
	uint64_t timer_id;

	/* a source's */
	struct pt_queue waiting; /* fed while the engine is stopped, or a sink is full */
	bool running, paused, idle, closed, finished, exhausted;
};

size_t lua_block_size(void);
bool lua_block_has_member(const char *name); /* of `self`, whatever the parameters */
void lua_block_functions(struct lua_type *); /* sets what the engine calls */
void lua_block_open(lua_State *);            /* functions that are there beside self: repr */

/* Calls the function below `args` arguments, and does what it asked for. 0, or reported. */
int lua_block_run(struct lua_block *, int args);

/* ---- lua_self.c: what functions call ---- */
/* The block that a member of self is called for: self is the first argument, or it raises. */
struct lua_block *lua_self_get(lua_State *);
void lua_self_push(lua_State *, struct lua_block *);    /* may raise */
void lua_self_refresh(lua_State *, struct lua_block *); /* parameters were set; may raise */
void lua_self_run(struct lua_block *, unsigned from);   /* does what was noted from here on */
void lua_self_forget(struct lua_block *, unsigned from);

/* ---- lua_timer.c ---- */
int lua_timer_every(lua_State *); /* upvalue 1: the block, as all members of self have */
int lua_timer_after(lua_State *);
void lua_timer_open(lua_State *); /* may raise */
void lua_timer_arm(struct lua_block *);
void lua_timer_clear(struct lua_block *);
#endif
