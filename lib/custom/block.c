/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine calls of a block in Lua. */
#include "custom/block.h"

#include "base/buf.h"
#include "base/error.h"
#include "msg/pool.h"
#include <stdlib.h>
#include <string.h>

/* Where they lie on the sandbox's stack. */
#define SELF           SANDBOX_FIRST
#define FUNCTION(call) (SELF + 1 + (int)(call))
#define WORD(canal)    (SELF + 1 + CALLS + (canal == PT_HIGH))
#define RESULTS        (3 + CALLS)

size_t custom_block_size(void)
{
	return (sizeof(struct custom_block) + 7) / 8 * 8;
}

/* ---- life ---- */

/* With the block as light userdata: leaves self, all functions, nil where there is none, and the
   words for canals. The definition lies below. */
static int prepare(lua_State *L)
{
	struct custom_block *b = lua_touserdata(L, 2);
	luaL_checkstack(L, CALLS + 8, NULL);
	custom_timer_open(L);
	custom_self_push(L, b);
	for (size_t i = 0; i < CALLS; i++)
		lua_getfield(L, 1, custom_call_names[i]);
	lua_pushliteral(L, "low");
	lua_pushliteral(L, "high");
	return RESULTS;
}

/* For whoever asked: the first line, without the traceback. */
static int tell(struct pt_error *err, int rc, const struct pt_error *why)
{
	const char *words = pt_error_text(why, error_words(rc));
	return pt_fail(err, rc, NULL, "%.*s", (int)strcspn(words, "\n"), words);
}

static int make(struct custom_block *b, struct pt_error *err)
{
	lua_pushcfunction(b->box->lua, prepare);
	int rc = define_one(b->box, b->type, err);
	if (rc)
		return rc;
	lua_pushlightuserdata(b->box->lua, b);
	return sandbox_call(b->box, 2, RESULTS, err);
}

static int init(struct pt_block *block, struct pt_error *err)
{
	struct custom_block *b = pt_state(block);
	struct pt_error why = PT_ERROR_INIT;
	b->block = block;
	b->type = (const struct custom_type *)pt_type_of(block);
	b->box = sandbox_new(func_limits_of(block), err);
	if (!b->box)
		return -PT_ELIMIT;
	int rc = make(b, &why);
	if (rc)
		tell(err, rc, &why);
	pt_error_clear(&why);
	return rc;
}

static void fini(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	sandbox_free(b->box);
	free(b->actions);
	free(b->timers);
}

/* ---- calling ---- */

static bool has(const struct custom_block *b, enum custom_call call)
{
	return b->type->has[call];
}

static void push_function(struct custom_block *b, enum custom_call call)
{
	lua_pushvalue(b->box->lua, FUNCTION(call));
	lua_pushvalue(b->box->lua, SELF);
}

static void report(struct custom_block *b, int rc, struct pt_error *err)
{
	pt_report(b->block, rc, "%s", pt_error_text(err, error_words(rc)));
}

static int run(struct custom_block *b, int args, struct pt_error *err)
{
	unsigned from = b->action_count;
	int rc = sandbox_call(b->box, args, 0, err);
	if (rc)
		custom_self_forget(b, from);
	else
		custom_self_run(b, from);
	return rc;
}

int custom_block_run(struct custom_block *b, int args)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = run(b, args, &err);
	if (rc)
		report(b, rc, &err);
	pt_error_clear(&err);
	return rc;
}

static int call(struct custom_block *b, enum custom_call what)
{
	if (!has(b, what))
		return 0;
	push_function(b, what);
	return custom_block_run(b, 1);
}

/* ---- messages ---- */

/* What became of a message that a function was called with. */
static void settle_one(struct custom_block *b, struct pt_msg *m, unsigned uses, int rc)
{
	const unsigned exits = PT_LOW_EXIT | PT_HIGH_EXIT;
	if (rc)
		pt_drop(b->block, m, "error");
	else if (uses)
		pt_msg_unref(m);
	else if (b->type->type.ports & exits)
		pt_drop(b->block, m, "filtered");
	else
		pt_done(b->block, m);
}

/* A call for these messages is over. What went wrong is told first: it is why they are gone. */
static int settle(struct custom_block *b, unsigned from, struct pt_msg **messages,
                  const unsigned *uses, unsigned count, int rc, struct pt_error *err)
{
	if (rc) {
		custom_self_forget(b, from);
		report(b, rc, err);
	}
	for (unsigned i = 0; i < count; i++)
		settle_one(b, messages[i], uses[i], rc);
	if (!rc)
		custom_self_run(b, from);
	return rc;
}

/* Calls the function below `args` arguments for the message at hand. */
static int run_one(struct custom_block *b, int args, struct pt_error *err)
{
	unsigned from = b->action_count;
	int rc = sandbox_call(b->box, args, 0, err);
	unsigned uses = b->box->message.uses;
	struct pt_msg *m = lua_message_end(&b->box->message, false);
	return settle(b, from, &m, &uses, 1, rc, err);
}

/* A canal that there is no function for: a drain repeats it, as Scapy's does. */
static void pass(struct custom_block *b, enum pt_canal canal, struct pt_msg *m)
{
	if (b->type->type.ports & (canal == PT_HIGH ? PT_HIGH_EXIT : PT_LOW_EXIT))
		pt_send(b->block, canal, m);
	else
		settle_one(b, m, 0, 0);
}

static void push(struct pt_block *block, enum pt_canal canal, struct pt_msg *m)
{
	struct custom_block *b = pt_state(block);
	enum custom_call what = canal == PT_HIGH ? CALL_HIGH_PUSH : CALL_PUSH;
	if (!has(b, what)) {
		pass(b, canal, m);
		return;
	}
	struct pt_error err = PT_ERROR_INIT;
	push_function(b, what);
	lua_message_begin(&b->box->message, b->box->lua, m, true);
	run_one(b, 2, &err);
	pt_error_clear(&err);
}

static int call_with_many(lua_State *L)
{
	lua_messages_push(L);
	lua_call(L, 2, 0);
	return 0;
}

static void push_vector(struct custom_block *b, enum custom_call what, struct pt_msg **messages,
                        unsigned count)
{
	struct pt_error err = PT_ERROR_INIT;
	unsigned from = b->action_count, uses[LUA_MESSAGES];
	lua_pushcfunction(b->box->lua, call_with_many);
	push_function(b, what);
	lua_messages_begin(b->box, messages, count);
	int rc = sandbox_call(b->box, 2, 0, &err);
	for (unsigned i = 0; i < count; i++)
		uses[i] = b->box->many[i].uses;
	lua_messages_end(b->box, messages);
	settle(b, from, messages, uses, count, rc, &err);
	pt_error_clear(&err);
}

static void push_many(struct pt_block *block, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct custom_block *b = pt_state(block);
	enum custom_call what = canal == PT_HIGH ? CALL_HIGH_PUSH_MANY : CALL_PUSH_MANY;
	if (has(b, what)) {
		push_vector(b, what, messages, count);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		push(block, canal, messages[i]);
}

static void trigger(struct pt_block *block)
{
	call(pt_state(block), CALL_ON_TRIGGER);
}

/* ---- sources ---- */

static void finish_now(struct custom_block *b)
{
	b->finished = true;
	if (has(b, CALL_CLOSE))
		call(b, CALL_CLOSE);
	else
		pt_exhausted(b->block);
}

static bool has_work(const struct custom_block *b)
{
	return b->waiting.count || (has(b, CALL_PRODUCE) && !b->idle && !b->exhausted);
}

static void check(struct custom_block *b)
{
	if (!b->running)
		return;
	if (b->closed && !b->finished && !b->waiting.count)
		finish_now(b);
	pt_ready(b->block, has_work(b));
}

static void push_send(struct custom_block *b, enum pt_canal canal, struct pt_msg *m)
{
	push_function(b, CALL_SEND);
	lua_message_begin(&b->box->message, b->box->lua, m, true);
	lua_pushvalue(b->box->lua, WORD(canal));
}

static int send(struct custom_block *b, enum pt_canal canal, struct pt_msg *m, struct pt_error *err)
{
	push_send(b, canal, m);
	return run_one(b, 3, err);
}

/* The function is called for all of them before anything that it asked for is done: a fault in the
   last refuses them all. */
static int send_all(struct custom_block *b, enum pt_canal canal, struct pt_msg **messages,
                    unsigned *uses, unsigned count, struct pt_error *err)
{
	unsigned from = b->action_count, n = 0;
	int rc = 0;
	for (; n < count && rc == 0; n++) {
		b->action_floor = b->action_count;
		push_send(b, canal, messages[n]);
		rc = sandbox_call(b->box, 3, 0, err);
		uses[n] = b->box->message.uses;
		messages[n] = lua_message_end(&b->box->message, false);
	}
	b->action_floor = 0;
	pt_made(b->block, count);
	return settle(b, from, messages, uses, count, rc, err);
}

/* The sender is told of an error, too. */
static int send_now(struct custom_block *b, enum pt_canal canal, struct pt_msg **messages,
                    unsigned count, struct pt_error *err)
{
	struct pt_error why = PT_ERROR_INIT;
	unsigned *uses = must_calloc(count, sizeof *uses);
	int rc = send_all(b, canal, messages, uses, count, &why);
	if (rc)
		tell(err, rc, &why);
	pt_error_clear(&why);
	free(uses);
	return rc;
}

static int feed(struct pt_block *block, enum pt_canal canal, struct pt_msg **messages,
                unsigned count, struct pt_error *err)
{
	struct custom_block *b = pt_state(block);
	int rc = pt_queue_may_feed(block, &b->waiting, b->closed, messages, count, err);
	if (rc)
		return rc;
	if (b->running && !b->paused && !b->waiting.count)
		return send_now(b, canal, messages, count, err);
	pt_made(block, count);
	pt_queue_feed(block, &b->waiting, canal, messages, count);
	check(b);
	return 0;
}

static void finish(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	b->closed = true;
	check(b);
}

/* false: it said that there is nothing for now, or it failed. */
static bool produce_once(struct custom_block *b, unsigned max)
{
	struct pt_error err = PT_ERROR_INIT;
	lua_State *L = b->box->lua;
	unsigned from = b->action_count;
	push_function(b, CALL_PRODUCE);
	lua_pushinteger(L, max);
	int rc = sandbox_call(b->box, 2, 1, &err);
	bool more = !rc && !(lua_isboolean(L, -1) && !lua_toboolean(L, -1));
	if (rc) {
		custom_self_forget(b, from);
		b->exhausted = true;
		pt_failed(b->block, rc, "%s", pt_error_text(&err, error_words(rc)));
	} else {
		lua_pop(L, 1);
		custom_self_run(b, from);
	}
	pt_error_clear(&err);
	return more;
}

static void produce(struct pt_block *block, unsigned max)
{
	struct custom_block *b = pt_state(block);
	enum pt_canal canal;
	for (; max && b->waiting.count && !pt_held_back(block); max--) {
		struct pt_msg *m = pt_queue_take(block, &b->waiting, &canal, UINT64_MAX);
		struct pt_error err = PT_ERROR_INIT;
		send(b, canal, m, &err);
		pt_error_clear(&err);
	}
	if (max && has_work(b) && !pt_held_back(block) && !produce_once(b, max))
		b->idle = true;
	check(b);
}

static void pause_source(struct pt_block *block, bool paused)
{
	struct custom_block *b = pt_state(block);
	b->paused = paused;
	custom_timer_arm(b);
}

/* ---- start, stop, set, replace ---- */

static void start(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	b->running = true;
	b->paused = b->idle = b->exhausted = false;
	struct pt_error err = PT_ERROR_INIT;
	int rc = 0;
	custom_state_start(b);
	if (has(b, CALL_START)) {
		push_function(b, CALL_START);
		rc = run(b, 1, &err);
	}
	if (rc)
		pt_failed(block, rc, "%s", pt_error_text(&err, error_words(rc)));
	else if (b->type->type.role == PT_SOURCE)
		check(b);
	pt_error_clear(&err);
}

static void stop(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	call(b, CALL_STOP);
	b->running = b->closed = b->finished = false;
	custom_timer_clear(b);
}

static int refresh_members(lua_State *L)
{
	custom_self_refresh(L, lua_touserdata(L, 1));
	return 0;
}

static void changed(struct pt_block *block)
{
	struct custom_block *b = pt_state(block);
	lua_pushcfunction(b->box->lua, refresh_members);
	lua_pushlightuserdata(b->box->lua, b);
	if (!custom_block_run(b, 1))
		call(b, CALL_CHANGED);
}

static const struct pt_carried carries[] = {
	{"waiting", PT_CARRY_QUEUE(struct custom_block, waiting)},
	{"closed", PT_CARRY_BOOL(struct custom_block, closed), .flags = PT_ALIVE},
	{NULL},
};

void custom_block_functions(struct custom_type *t)
{
	struct pt_type *type = &t->type;
	type->init = init;
	type->start = start;
	type->stop = stop;
	type->changed = changed;
	type->fini = fini;
	if (t->has[CALL_PUSH_MANY] || t->has[CALL_HIGH_PUSH_MANY])
		type->push_many = push_many;
	else if (type->ports & (PT_LOW_ENTRY | PT_HIGH_ENTRY))
		type->push = push;
	if (t->has[CALL_ON_TRIGGER])
		type->trigger = trigger;
	if (t->carried) {
		type->carry = custom_state_carry;
		type->take_over = custom_state_take_over;
	}
	if (t->has[CALL_SEND])
		type->feed = feed;
	if (t->has[CALL_SEND] || t->has[CALL_CLOSE])
		type->finish = finish;
	if (t->has[CALL_SEND] || t->has[CALL_PRODUCE])
		type->produce = produce;
	if (type->role == PT_SOURCE) {
		type->pause = pause_source;
		type->carries = carries;
	}
}
