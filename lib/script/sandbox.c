/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocator and the hook keep the limits; everything that can raise runs in protected calls. */
#include "script/sandbox.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_NS      UINT64_C(100000000)
#define MEMORY       ((size_t)16 << 20)
#define INSTRUCTIONS 256   /* between two looks at the clock */
#define WORK         16384 /* likewise, in nanoseconds by estimate */
#define TEXT_MAX     4096  /* of an error */
#define LARGE        ((size_t)256 * 1024)
#define TOO_LATE     "the time limit of %d ms is reached"
#define STACK        1000 /* values that it holds before it has to be moved */
#define EXPLAIN      1    /* where on it what makes errors texts is */

/* A thread that was kept waiting has not used its time. But its own clock is a system call, so it
   is read only if much of the limit has passed on the wall. */
static bool out_of_time(struct sandbox *s)
{
	uint64_t now = clock_ns();
	if (!s->started_ns)
		s->started_ns = now;
	uint64_t passed = now - s->started_ns, first = s->time_limit_ns / 16;
	if (passed < first)
		return false;
	if (!s->cpu_started_ns) {
		s->cpu_started_ns = clock_of_ns(CLOCK_THREAD_CPUTIME_ID);
		return false;
	}
	if (passed < s->time_limit_ns)
		return false;
	return clock_of_ns(CLOCK_THREAD_CPUTIME_ID) - s->cpu_started_ns >= s->time_limit_ns - first;
}

static void hook(lua_State *, lua_Debug *);

static bool look(struct sandbox *s)
{
	if (!s->over && out_of_time(s)) {
		s->over = true;
		lua_sethook(s->lua, hook, LUA_MASKCOUNT, 1);
	}
	return s->over;
}

/* `level` of the stack is where the script is. */
static int complain(lua_State *L, int level)
{
	luaL_where(L, level);
	lua_pushfstring(L, TOO_LATE, (int)(sandbox_of(L)->time_limit_ns / 1000000));
	lua_concat(L, 2);
	return lua_error(L);
}

static void hook(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (look(sandbox_of(L)))
		complain(L, 0);
}

/* Where no error may be raised, that is left to the next instruction. */
static void note(struct sandbox *s, size_t work)
{
	s->work += work;
	if (s->work < WORK || !s->calling)
		return;
	s->work = 0;
	look(s);
}

void sandbox_charge(lua_State *L, size_t work)
{
	struct sandbox *s = sandbox_of(L);
	note(s, work);
	if (s->over)
		complain(L, 1);
}

/* Once time is up, nothing large is to be had. Lua's stack is, twice as large each time, and
   shifted by one each time, where a table is called that is to be called for itself: without an
   instruction of which the hook is told. */
static void *allocate(void *arg, void *old, size_t old_size, size_t size)
{
	struct sandbox *s = arg;
	size_t before = old ? old_size : 0;
	if (!size) {
		free(old);
		s->memory_used -= before;
		return NULL;
	}
	note(s, size / 16);
	if (size > before && size - before > s->memory_limit - s->memory_used) {
		note(s, WORK); /* all garbage is looked for now */
		return NULL;
	}
	if (s->over && size > before && size >= LARGE) {
		s->late = true;
		return NULL;
	}
	void *now = realloc(old, size);
	if (!now)
		return size <= before ? old : NULL;
	s->memory_used += size - before;
	return now;
}

/* The last line of a traceback, which is of the C function that all began with. */
static void hide_caller(lua_State *L)
{
	const char *text = lua_tostring(L, -1), *line = strrchr(text, '\n');
	lua_pushlstring(L, text, (size_t)(line - text));
}

/* Makes any error a text with the traceback behind it. */
static int explain(lua_State *L)
{
	struct sandbox *s = sandbox_of(L);
	if (lua_type(L, 1) != LUA_TSTRING && !s->over &&
	    (lua_type(L, 1) == LUA_TNUMBER || luaL_getmetafield(L, 1, "__tostring"))) {
		lua_settop(L, 1);
		luaL_tolstring(L, 1, NULL);
		lua_replace(L, 1);
	}
	if (lua_type(L, 1) != LUA_TSTRING) {
		lua_pushfstring(L, "the script raised an error that is a %s, not a text",
		                luaL_typename(L, 1));
		lua_replace(L, 1);
	}
	luaL_traceback(L, L, lua_tostring(L, 1), 1);
	if (s->in_turn)
		hide_caller(L);
	return 1;
}

/* How many bytes of text begin here: 0 where a terminal should not get them. */
static size_t letter(const char *s, size_t left)
{
	uint32_t point;
	size_t length = utf8_read(s, left, &point);
	bool text = length && (utf8_is_printable(point) || point == '\n' || point == '\t');
	return text ? length : 0;
}

void sandbox_clean(char *text, size_t length)
{
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = letter(text + i, length - i);
		if (!n)
			text[i] = '?';
	}
}

static int fail(struct pt_error *err, int code, const char *words, size_t length)
{
	struct buf b = BUF_INIT;
	buf_add(&b, words, length < TEXT_MAX ? length : TEXT_MAX);
	sandbox_clean(b.data, b.length);
	int rc = pt_fail(err, code, NULL, "%s", b.length ? b.data : "the script failed");
	buf_free(&b);
	return rc;
}

/* Takes the error from the stack. */
static int take_error(struct sandbox *s, int status, struct pt_error *err)
{
	int rc;
	if (status == LUA_ERRMEM && s->late) {
		rc = pt_fail(err, -PT_ESCRIPT, NULL, TOO_LATE, (int)(s->time_limit_ns / 1000000));
	} else if (status == LUA_ERRMEM) {
		rc = pt_fail(err, -PT_ESCRIPT, NULL,
		             "not enough memory: the limit of a script is %zu bytes",
		             s->memory_limit);
	} else {
		size_t length = 0;
		const char *words = lua_tolstring(s->lua, -1, &length);
		rc = fail(err, s->message.starved ? -ENOMEM : -PT_ESCRIPT, words, length);
	}
	lua_pop(s->lua, 1);
	return rc;
}

static void count_instructions(struct sandbox *s)
{
	lua_sethook(s->lua, hook, s->ends ? 0 : LUA_MASKCOUNT, INSTRUCTIONS);
}

static void end(struct sandbox *s)
{
	s->calling = false;
	if (!s->over)
		return;
	s->over = s->late = false;
	count_instructions(s);
}

void sandbox_begin(struct sandbox *s)
{
	end(s);
	s->calling = true;
	s->started_ns = 0;
	s->cpu_started_ns = 0;
	s->work = 0;
}

void sandbox_ends(struct sandbox *s)
{
	s->ends = true;
	count_instructions(s);
}

int sandbox_call(struct sandbox *s, int args, int results, struct pt_error *err)
{
	lua_State *L = s->lua;
	assert(!s->calling);
	sandbox_begin(s);
	int status = lua_pcall(L, args, results, EXPLAIN);
	int rc = status == LUA_OK ? 0 : take_error(s, status, err);
	end(s);
	if (status == LUA_ERRMEM)
		lua_gc(L, LUA_GCCOLLECT);
	return rc;
}

int sandbox_call_in_turn(struct sandbox *s, int args, int results, struct pt_error *err)
{
	s->in_turn = true;
	int rc = sandbox_call(s, args, results, err);
	s->in_turn = false;
	return rc;
}

int sandbox_load_as(struct sandbox *s, const char *name, const char *text, size_t length,
                    struct pt_error *err)
{
	int status = luaL_loadbufferx(s->lua, text, length, name, "t");
	if (status == LUA_OK)
		return 0;
	return take_error(s, status, err);
}

int sandbox_load(struct sandbox *s, const char *text, size_t length, struct pt_error *err)
{
	return sandbox_load_as(s, "=script", text, length, err);
}

static int wrapped(lua_State *L)
{
	size_t length = 0;
	for (int i = lua_gettop(L); i; i--) {
		if (lua_islightuserdata(L, i))
			lua_message_to_string(L, i);
		if (lua_type(L, i) == LUA_TSTRING)
			length += lua_rawlen(L, i);
	}
	sandbox_charge(L, 32 + length);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void sandbox_wrap(lua_State *L)
{
	lua_pushcclosure(L, wrapped, 1);
}

static int open_all(lua_State *L)
{
	lua_base_open(L);
	lua_table_open(L);
	lua_string_open(L);
	lua_message_open(L);
	lua_copy_open(L);
	return 0;
}

struct sandbox *sandbox_new(const struct func_limits *limits, struct pt_error *err)
{
	struct sandbox *s = must_calloc(1, sizeof *s);
	s->memory_limit = limits && limits->memory ? limits->memory : MEMORY;
	s->time_limit_ns = limits && limits->time_ns ? limits->time_ns : TIME_NS;
	s->lua = lua_newstate(allocate, s);
	if (s->lua) {
		*(struct sandbox **)lua_getextraspace(s->lua) = s;
		lua_pushcfunction(s->lua, open_all);
		if (lua_pcall(s->lua, 0, 0, 0) == LUA_OK && lua_checkstack(s->lua, STACK)) {
			lua_pushcfunction(s->lua, explain);
			count_instructions(s);
			return s;
		}
	}
	pt_fail(err, -PT_ELIMIT, NULL, "a script does not fit into its memory limit of %zu bytes",
	        s->memory_limit);
	sandbox_free(s);
	return NULL;
}

void sandbox_free(struct sandbox *s)
{
	if (!s)
		return;
	if (s->lua)
		lua_close(s->lua);
	lua_message_fini(&s->message);
	lua_messages_free(s);
	assert(!s->memory_used);
	free(s);
}
