/* SPDX-License-Identifier: BSD-2-Clause */
/* A block whose functions are Lua's. */
#ifndef CUSTOM_BLOCK_H
#define CUSTOM_BLOCK_H

#include "custom/define.h"
#include <pipetool/outside.h>
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
struct custom_action {
	enum custom_act {
		ACT_SEND,
		ACT_DROP,
		ACT_FILTER,
		ACT_TRIGGER,
		ACT_PRINT,
		ACT_EXHAUST
	} what;
	enum pt_canal canal;
	bool made;
	struct pt_msg *msg;
	const char *why;
	char *text;
	size_t length;
};

struct custom_timer {
	uint64_t id, due_ns, period_ns; /* period 0: once */
};

#define ACTIONS_MAX 65536                     /* of one call */
#define TEXTS_MAX   ((size_t)4 * 1024 * 1024) /* bytes that one call may print */
#define TIMERS_MAX  1024

/* The state of the block, before its parameters. */
struct custom_block {
	struct pt_block *block;
	const struct custom_type *type;
	struct sandbox *box;

	struct custom_action *actions;
	unsigned action_count, action_room;
	unsigned action_floor; /* where those of the call begin that is one of many */
	size_t text_bytes;     /* of the texts among them */

	struct pt_timer timer;
	struct custom_timer *timers;
	unsigned timer_count;
	uint64_t timer_id;

	/* a source's */
	struct pt_queue waiting; /* fed while the engine is stopped, or a sink is full */
	bool running, paused, idle, closed, finished, exhausted;
};

size_t custom_block_size(void);
bool custom_block_has_member(const char *name);    /* of `self`, whatever the parameters */
void custom_block_functions(struct custom_type *); /* sets what the engine calls */

/* Calls the function below `args` arguments, and does what it asked for. 0, or reported. */
int custom_block_run(struct custom_block *, int args);

/* ---- self.c: what functions call ---- */
/* The block that a member of self is called for: self is the first argument, or it raises. */
struct custom_block *custom_self_get(lua_State *);
void custom_self_push(lua_State *, struct custom_block *);    /* may raise */
void custom_self_refresh(lua_State *, struct custom_block *); /* parameters were set; may raise */
void custom_self_run(struct custom_block *, unsigned from);   /* does what was noted from here on */
void custom_self_forget(struct custom_block *, unsigned from);

void custom_self_state(lua_State *); /* pushes self.state */

/* ---- state.c ---- */
void custom_state_carry(struct pt_block *, struct pt_carry *);
void custom_state_take_over(struct pt_block *, struct pt_block *old);
void custom_state_start(struct custom_block *); /* what was carried over a restart is there */

/* ---- timer.c ---- */
int custom_timer_every(lua_State *); /* upvalue 1: the block, as all members of self have */
int custom_timer_after(lua_State *);
void custom_timer_open(lua_State *); /* may raise */
void custom_timer_arm(struct custom_block *);
void custom_timer_clear(struct custom_block *);
#endif
