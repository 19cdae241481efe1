/* SPDX-License-Identifier: BSD-2-Clause */
/* A text becomes a native operation, or a Lua function in a sandbox of its own. */
#include "script/func.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "script/comment.h"
#include "script/filter.h"
#include "script/lua_copy.h"
#include "script/lua_operation.h"
#include "script/meant.h"
#include "script/sandbox.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 65536
#define FUNCTION SANDBOX_FIRST /* where it lies on the sandbox's stack */

static const char unknown_key; /* of the registry: the first name that was read and is not there */

struct pt_func {
	unsigned (*transform)(struct pt_func *, struct pt_msg **, unsigned count, int *rc,
	                      struct pt_error *);
	unsigned (*test)(struct pt_func *, struct pt_msg *const *, unsigned count, uint64_t *passed,
	                 int *rc, struct pt_error *);
	struct native *native; /* either this */
	struct sandbox *box;   /* or this */
	int handed;            /* in place of its file; -1: none */
};

/* Native operations. */

static unsigned native_transform(struct pt_func *f, struct pt_msg **messages, unsigned count,
                                 int *rc, struct pt_error *err)
{
	unsigned at = 0;
	for (*rc = 0; at < count && !*rc; at++)
		*rc = f->native->op->transform(f->native, &messages[at], err);
	return at;
}

static unsigned native_test(struct pt_func *f, struct pt_msg *const *messages, unsigned count,
                            uint64_t *passed, int *rc, struct pt_error *err)
{
	const struct native_op *op = f->native->op;
	uint64_t unsure = UINT64_MAX >> (64 - count);
	*passed = op->test_many ? op->test_many(f->native, messages, count, &unsure) : 0;
	for (*rc = 0; unsure; unsure &= unsure - 1) {
		unsigned at = (unsigned)__builtin_ctzll(unsure);
		*rc = op->test(f->native, messages[at], err);
		if (*rc < 0)
			return at;
		*passed |= (uint64_t)*rc << at;
	}
	return count;
}

/* Lua functions. */

static int to_text(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

static int put_in_place(struct pt_msg **m, struct pt_msg *other, struct pt_error *err)
{
	if (!other)
		return pt_fail(err, -ENOMEM, NULL, "the memory limit for messages is reached");
	pt_msg_unref(*m);
	*m = other;
	return 0;
}

/* Replaces *m by a plain message of the string on top of the stack. */
static int replace(struct pt_msg **m, lua_State *L, struct pt_error *err)
{
	size_t length;
	const char *text = lua_tolstring(L, -1, &length);
	struct pt_msg *plain = pt_msg_new((*m)->pool, text, length);
	if (plain)
		plain->time_ns = (*m)->time_ns;
	if (plain)
		pt_msg_set_origin(plain, (*m)->origin);
	return put_in_place(m, plain, err);
}

/* Does what the value on top of the stack says. */
static int take_result(struct sandbox *s, struct pt_msg **m, struct pt_error *err)
{
	lua_State *L = s->lua;
	int rc = 0;
	if (!lua_toboolean(L, -1))
		return FUNC_NOTHING;
	const struct lua_copy *copy = lua_copy_get(L, -1);
	if (copy)
		return put_in_place(m, lua_copy_message(copy, (*m)->pool), err);
	if (lua_type(L, -1) == LUA_TNUMBER) {
		lua_pushcfunction(L, to_text);
		lua_insert(L, -2);
		rc = sandbox_call(s, 1, 1, err);
	}
	return rc ? rc : replace(m, L, err);
}

static bool is_result(lua_State *L)
{
	int type = lua_type(L, -1);
	return type == LUA_TSTRING || type == LUA_TNUMBER || !lua_toboolean(L, -1) ||
	       lua_copy_get(L, -1);
}

/* Messages that a function is called for, one after the other, in one protected call. */
struct turn {
	struct pt_msg **messages;
	unsigned count, at;
	uint64_t passed;
};

/* Above itself: the turn, and the function. */
enum { TURN = 1, CALLED };

static void call_for_next(lua_State *L, struct turn *turn, bool writable)
{
	struct sandbox *s = sandbox_of(L);
	sandbox_begin(s);
	lua_settop(L, CALLED);
	lua_pushvalue(L, CALLED);
	lua_message_begin(&s->message, L, turn->messages[turn->at], writable);
	lua_call(L, 1, 1);
}

/* Until one is not just the message again. */
static int transform_in_turn(lua_State *L)
{
	struct turn *turn = lua_touserdata(L, TURN);
	struct lua_message *held = &sandbox_of(L)->message;
	for (; turn->at < turn->count; turn->at++) {
		call_for_next(L, turn, true);
		if (!lua_message_is(held, L, -1))
			return 1;
		turn->messages[turn->at] = lua_message_end(held, false);
	}
	return 0;
}

static int test_in_turn(lua_State *L)
{
	struct turn *turn = lua_touserdata(L, TURN);
	struct lua_message *held = &sandbox_of(L)->message;
	for (; turn->at < turn->count; turn->at++) {
		call_for_next(L, turn, false);
		turn->passed |= (uint64_t)lua_toboolean(L, -1) << turn->at;
		lua_message_end(held, false);
	}
	return 0;
}

static int take(struct sandbox *s, lua_CFunction what, struct turn *turn, struct pt_error *err)
{
	lua_State *L = s->lua;
	lua_pushcfunction(L, what);
	lua_pushlightuserdata(L, turn);
	lua_pushvalue(L, FUNCTION);
	return sandbox_call_in_turn(s, 2, 1, err);
}

static unsigned lua_transform(struct pt_func *f, struct pt_msg **messages, unsigned count, int *rc,
                              struct pt_error *err)
{
	struct sandbox *s = f->box;
	struct turn turn = {messages, count, 0, 0};
	*rc = take(s, transform_in_turn, &turn, err);
	if (turn.at < count) {
		if (!*rc && !is_result(s->lua))
			*rc = pt_fail(err, -PT_ESCRIPT, NULL,
			              "the function returned a %s, not a message, a string or nil",
			              luaL_typename(s->lua, -1));
		if (s->message.msg)
			messages[turn.at] = lua_message_end(&s->message, *rc < 0);
		if (!*rc)
			*rc = take_result(s, &messages[turn.at], err);
		turn.at++;
	}
	lua_settop(s->lua, FUNCTION);
	return turn.at;
}

static unsigned lua_test(struct pt_func *f, struct pt_msg *const *messages, unsigned count,
                         uint64_t *passed, int *rc, struct pt_error *err)
{
	struct turn turn = {(struct pt_msg **)(uintptr_t)messages, count, 0, 0};
	*rc = take(f->box, test_in_turn, &turn, err);
	if (*rc)
		lua_message_end(&f->box->message, false);
	lua_settop(f->box->lua, FUNCTION);
	*passed = turn.passed;
	return turn.at;
}

/* Compiling. */

static int note_unknown(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TSTRING &&
	    lua_rawgetp(L, LUA_REGISTRYINDEX, &unknown_key) == LUA_TNIL) {
		lua_pushvalue(L, 2);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &unknown_key);
	}
	return 0;
}

static int prepare(lua_State *L)
{
	lua_operation_open(L);
	lua_pushglobaltable(L);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, note_unknown);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	return 0;
}

/* The nearest global, or the keyword that all begins with; NULL if there is none, or it is
   right. */
static const char *nearest(lua_State *L, const char *wanted)
{
	struct near n = near_init(wanted);
	near_try(&n, "function");
	lua_pushglobaltable(L);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			near_try(&n, lua_tostring(L, -2));
	lua_pop(L, 1);
	const char *best = near_best(&n);
	return best && strcmp(best, wanted) ? best : NULL;
}

/* Passes on the first line of what went wrong, with the name that may have been meant. */
static int refuse(struct pt_error *err, const struct pt_error *why, struct near *meant)
{
	const struct pt_fault *fault = &why->faults[0];
	int length = (int)strcspn(fault->message, "\n");
	return pt_fail(err, fault->code, NULL, "%.*s%s", length, fault->message,
	               near_say(meant, ""));
}

/* The word that the text begins with, behind comments. */
static const char *first_word(const char *text, char *word, size_t room)
{
	for (;;) {
		text += strspn(text, " \t\r\n\f\v");
		if (strncmp(text, "--", 2) || !strncmp(text, "--[", 3))
			break;
		text += strcspn(text, "\n");
	}
	size_t n = 0;
	for (; (isalnum((unsigned char)text[n]) || text[n] == '_') && n + 1 < room; n++)
		word[n] = text[n];
	word[n] = '\0';
	return word;
}

static bool begins_statement(const char *word)
{
	static const char *const words[] = {"local", "return", "do",    "for",
	                                    "while", "if",     "repeat"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* Leaves a function on the stack whose value is that of the text: an expression, or statements
   that return one. */
static int load_as_is(struct sandbox *s, const char *text, struct pt_error *err)
{
	struct pt_error as_expression = PT_ERROR_INIT, as_chunk = PT_ERROR_INIT;
	char *expression = must_printf("return %s", text), word[32];
	int rc = sandbox_load(s, expression, strlen(expression), &as_expression);
	if (rc && !sandbox_load(s, text, strlen(text), &as_chunk))
		rc = 0;
	if (rc) {
		first_word(text, word, sizeof word);
		bool chunk = begins_statement(word);
		struct near meant = near_found(chunk ? NULL : nearest(s->lua, word));
		rc = refuse(err, chunk ? &as_chunk : &as_expression, &meant);
	}
	pt_error_clear(&as_expression);
	pt_error_clear(&as_chunk);
	free(expression);
	return rc;
}

static int load(struct sandbox *s, const char *text, struct pt_error *err)
{
	struct pt_error as_is = PT_ERROR_INIT;
	int rc = load_as_is(s, text, &as_is);
	if (rc) {
		char *bare = must_strdup(text);
		comment_blank(bare);
		rc = strcmp(bare, text) ? load_as_is(s, bare, NULL) : rc;
		free(bare);
	}
	if (rc)
		error_move(err, &as_is);
	pt_error_clear(&as_is);
	return rc;
}

/* Leaves the text's value on the stack. */
static int evaluate(struct sandbox *s, const char *text, struct pt_error *err)
{
	lua_State *L = s->lua;
	struct pt_error why = PT_ERROR_INIT;
	lua_pushcfunction(L, prepare);
	int rc = sandbox_call(s, 0, 0, err);
	if (rc || (rc = load(s, text, err)))
		return rc;
	rc = sandbox_call(s, 0, 1, &why);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &unknown_key);
	const char *name = lua_tostring(L, -1);
	struct near meant = near_found(name ? nearest(L, name) : NULL);
	if (rc)
		rc = refuse(err, &why, &meant);
	else if (lua_isnil(L, -2) && name)
		rc = pt_fail(err, -PT_ESCRIPT, NULL, "there is no '%s'%s", name,
		             near_say(&meant, ""));
	lua_pop(L, 1);
	lua_pushglobaltable(L);
	lua_pushnil(L);
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
	pt_error_clear(&why);
	return rc;
}

static int wrong_kind(enum pt_kind wanted, const char *what, struct pt_error *err)
{
	bool transform = wanted == PT_KIND_TRANSFORM;
	struct buf names = BUF_INIT;
	native_list(wanted, &names);
	int rc = pt_fail(err, -PT_ESCRIPT, NULL, "%s, and a %s is wanted: %s, or function(m) … end",
	                 what, transform ? "transform" : "predicate", names.data);
	buf_free(&names);
	return rc;
}

/* An argument may hold any bytes, and words about it too. */
static void clean(struct pt_error *err, size_t from)
{
	for (size_t i = from; err && i < err->count; i++)
		sandbox_clean(err->faults[i].message, strlen(err->faults[i].message));
}

/* Whether nothing stands behind the function that the text is, by which it could be laid somewhere
   and find itself: with a name it is a statement then. `rest` is behind the word "function". */
static bool is_alone(struct sandbox *s, const char *rest)
{
	char *named = must_printf("local function f%s", rest);
	bool alone = !sandbox_load(s, named, strlen(named), NULL);
	if (alone)
		lua_pop(s->lua, 1);
	free(named);
	return alone;
}

/* Whether each call of the function that the text is ends after a few hundred instructions: it has
   no loop, no other function, and no name by which it could call itself. */
static bool ends_by_itself(struct sandbox *s, const char *text)
{
	enum { MOST = 256 }; /* bytes, which are hardly more instructions */
	static const char function[] = "function";
	static const char *const more[] = {"for", "while", "repeat", "goto", function};
	const char *rest = strstr(text, function);
	char word[32];
	if (strlen(text) > MOST || strcmp(first_word(text, word, sizeof word), function))
		return false;
	rest += strlen(function);
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (strstr(rest, more[i]))
			return false;
	return rest[strspn(rest, " \t\r\n")] == '(' && is_alone(s, rest);
}

/* Makes the function out of the value on top of the stack. */
static int make(struct pt_func *f, enum pt_kind kind, lua_State *L, struct pt_error *err)
{
	const struct native_op *op = lua_operation_get(L, -1);
	char *what;
	int rc;
	if (!op && lua_isfunction(L, -1)) {
		f->transform = lua_transform;
		f->test = lua_test;
		return 0;
	}
	if (!op) {
		what = must_printf("the value is a %s", luaL_typename(L, -1));
	} else if (op->kind != kind) {
		what = must_printf("'%s' is a %s", op->name,
		                   kind == PT_KIND_TRANSFORM ? "predicate" : "transform");
	} else {
		bool given = op->read && lua_operation_argument(L, -1);
		if (op->optional && !given)
			lua_pushnil(L);
		else if (op->read && !given)
			return pt_fail(err, -PT_ESCRIPT, NULL, "%s takes an argument: %s", op->name,
			               op->usage);
		f->transform = native_transform;
		f->test = native_test;
		size_t before = err ? err->count : 0;
		rc = native_new(op, L, &f->native, err);
		clean(err, before);
		return rc;
	}
	rc = wrong_kind(kind, what, err);
	free(what);
	return rc;
}

/* What was meant by a text that is no function, in place of what Lua has to say of it. */
static int explain(struct sandbox *s, enum pt_kind kind, const char *text, struct pt_error *why,
                   struct pt_error *err)
{
	char *operation = meant_operation(s, text);
	int rc = why->faults[0].code;
	if (kind == PT_KIND_PREDICATE && meant_filter(text))
		rc = pt_fail(err, -PT_ESCRIPT, NULL,
		             "that is a capture filter, not a function; write filter=\"%s\", or "
		             "bpf '%s'",
		             text, text);
	else if (kind == PT_KIND_PREDICATE && filter_is_display(text))
		rc = pt_fail(err, -PT_ESCRIPT, NULL,
		             "that is a display filter, not a function; write a capture filter, "
		             "filter='udp port 53', or ask the message: function(m) return m.udp "
		             "and m.udp.dport == 53 end");
	else if (operation && !strstr(pt_error_text(why, ""), operation))
		rc = pt_fail(err, -PT_ESCRIPT, NULL, "%.*s; write it as %s",
		             (int)strcspn(pt_error_text(why, ""), "\n;"), pt_error_text(why, ""),
		             operation);
	else if (err)
		error_move(err, why);
	free(operation);
	return rc;
}

static int compile_filter(struct pt_func *f, const char *text, struct pt_error *err)
{
	f->test = native_test;
	return native_new_filter(text, &f->native, err);
}

static int compile_script(struct pt_func *f, enum pt_kind kind, const char *text,
                          const struct func_limits *limits, struct pt_error *err)
{
	struct pt_error why = PT_ERROR_INIT;
	f->box = sandbox_new(limits, err);
	int rc = f->box ? evaluate(f->box, text, &why) : -PT_ELIMIT;
	if (why.count)
		rc = explain(f->box, kind, text, &why, err);
	pt_error_clear(&why);
	if (!rc && ends_by_itself(f->box, text))
		sandbox_ends(f->box);
	return rc ? rc : make(f, kind, f->box->lua, err);
}

int func_compile(enum pt_kind kind, const char *text, const struct func_limits *limits,
                 struct pt_func **result, struct pt_error *err)
{
	assert(kind == PT_KIND_TRANSFORM || kind == PT_KIND_PREDICATE || kind == PT_KIND_FILTER);
	if (strlen(text) > TEXT_MAX)
		return pt_fail(err, -PT_ELIMIT, NULL, "a script has at most %d bytes", TEXT_MAX);
	if (kind != PT_KIND_FILTER && !text[strspn(text, " \t\r\n\f\v")])
		return wrong_kind(kind, "the text is empty", err);
	struct pt_func *f = must_calloc(1, sizeof *f);
	f->handed = -1;
	int rc = kind == PT_KIND_FILTER ? compile_filter(f, text, err)
	                                : compile_script(f, kind, text, limits, err);
	if (rc) {
		func_free(f);
		return rc;
	}
	if (f->native) {
		sandbox_free(f->box);
		f->box = NULL;
	}
	*result = f;
	return 0;
}

void func_free(struct pt_func *f)
{
	if (!f)
		return;
	native_free(f->native);
	sandbox_free(f->box);
	func_hand(f, -1);
	free(f);
}

const char *func_file(const struct pt_func *f)
{
	const struct native_op *op = f->native ? f->native->op : NULL;
	return op && op->file ? op->file(f->native) : NULL;
}

void func_hand(struct pt_func *f, int fd)
{
	if (f->handed >= 0)
		close(f->handed);
	f->handed = fd;
}

int func_handed(const struct pt_func *f)
{
	return f->handed;
}

void func_begin(struct pt_func *f)
{
	if (f && f->native && f->native->op->begin)
		f->native->op->begin(f->native);
}

int func_open(struct pt_func *f, const struct func_site *site, struct pt_error *err)
{
	const struct native_op *op = f->native ? f->native->op : NULL;
	return op && op->open ? op->open(f->native, site, err) : 0;
}

unsigned func_transform_many(struct pt_func *f, struct pt_msg **messages, unsigned count, int *rc,
                             struct pt_error *err)
{
	return f->transform(f, messages, count, rc, err);
}

int func_transform(struct pt_func *f, struct pt_msg **m, struct pt_error *err)
{
	int rc;
	f->transform(f, m, 1, &rc, err);
	return rc;
}

unsigned func_test_many(struct pt_func *f, struct pt_msg *const *messages, unsigned count,
                        uint64_t *passed, int *rc, struct pt_error *err)
{
	return f->test(f, messages, count, passed, rc, err);
}

int func_test(struct pt_func *f, const struct pt_msg *m, struct pt_error *err)
{
	struct pt_msg *one = (struct pt_msg *)(uintptr_t)m;
	uint64_t passed;
	int rc;
	return f->test(f, &one, 1, &passed, &rc, err) ? (int)passed : rc;
}
