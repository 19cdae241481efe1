/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of a parameter table out of Lua, and values back. */
#include "custom/param.h"

#include "base/buf.h"
#include "base/near.h"
#include "msg/json.h"
#include "script/func.h"
#include "script/lua_copy.h"
#include "script/sandbox.h"
#include "type/param.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS_MAX 64

/* What makes sense in a script. */
static const enum pt_kind kinds[] = {
	PT_KIND_BOOL,    PT_KIND_INT,       PT_KIND_NUMBER,    PT_KIND_SIZE,
	PT_KIND_SECONDS, PT_KIND_STRING,    PT_KIND_PATH,      PT_KIND_CHOICE,
	PT_KIND_BYTES,   PT_KIND_TRANSFORM, PT_KIND_PREDICATE, PT_KIND_FILTER,
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- rows ---- */

static enum pt_kind kind_of_word(lua_State *L, const char *name, const char *word)
{
	struct near n = near_init(word);
	for (size_t i = 0; i < KINDS; i++) {
		if (!strcmp(word, param_kind_name(kinds[i])))
			return kinds[i];
		near_try(&n, param_kind_name(kinds[i]));
	}
	luaL_error(L, "parameter '%s': no kind '%s'%s", name, word,
	           near_say(&n, "; it is one of bool, int, number, size, seconds, string, path, "
	                        "choice, bytes, transform, predicate, filter"));
	return 0;
}

static enum pt_kind kind_of_value(lua_State *L, const char *name, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN: return PT_KIND_BOOL;
	case LUA_TNUMBER: return lua_isinteger(L, index) ? PT_KIND_INT : PT_KIND_NUMBER;
	case LUA_TSTRING: return PT_KIND_STRING;
	case LUA_TNIL: luaL_error(L, "parameter '%s' has neither a kind nor a default", name);
	}
	luaL_error(L, "parameter '%s': a %s cannot be a default", name, luaL_typename(L, index));
	return 0;
}

static const char *text_at(lua_State *L, struct arena *a, int index)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);
	return arena_strndup(a, text, length);
}

static int wrong_default(lua_State *L, const char *name, enum pt_kind kind, int index)
{
	return luaL_error(L, "parameter '%s': a %s is no default for kind '%s'", name,
	                  luaL_typename(L, index), param_kind_name(kind));
}

static char *bytes_literal(const char *bytes, size_t length)
{
	json_t *json = bytes_to_json(bytes, length);
	char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(json);
	return text;
}

/* The value at `index` as a user would type it. */
static const char *fallback(lua_State *L, struct arena *a, const struct pt_param *row, int index)
{
	bool number = lua_type(L, index) == LUA_TNUMBER, text = lua_type(L, index) == LUA_TSTRING;
	size_t length;
	switch (row->kind) {
	case PT_KIND_BOOL:
		if (!lua_isboolean(L, index))
			wrong_default(L, row->name, row->kind, index);
		return lua_toboolean(L, index) ? "true" : "false";
	case PT_KIND_INT:
	case PT_KIND_NUMBER:
	case PT_KIND_SIZE:
	case PT_KIND_SECONDS:
		if (text && (row->kind == PT_KIND_SIZE || row->kind == PT_KIND_SECONDS))
			return text_at(L, a, index);
		if (!number)
			wrong_default(L, row->name, row->kind, index);
		if (lua_isinteger(L, index))
			return arena_take(a,
			                  must_printf("%lld", (long long)lua_tointeger(L, index)));
		return arena_take(a, must_printf("%.17g", lua_tonumber(L, index)));
	case PT_KIND_BYTES:
		if (!text)
			wrong_default(L, row->name, row->kind, index);
		const char *bytes = lua_tolstring(L, index, &length);
		return arena_take(a, bytes_literal(bytes, length));
	default:
		if (!text)
			wrong_default(L, row->name, row->kind, index);
		return arena_take(a, must_printf("'%s'", lua_tostring(L, index)));
	}
}

static bool may_be_none(enum pt_kind kind)
{
	return kind == PT_KIND_STRING || kind == PT_KIND_PATH || kind == PT_KIND_CHOICE ||
	       kind == PT_KIND_BYTES || kind == PT_KIND_TRANSFORM || kind == PT_KIND_PREDICATE ||
	       kind == PT_KIND_FILTER;
}

/* Of the value on top of the stack; the value is nil where there is none. */
static void set_fallback(lua_State *L, struct arena *a, struct pt_param *row)
{
	bool given = !lua_isnil(L, -1);
	if (row->flags & PT_REQUIRED) {
		if (given)
			luaL_error(L, "parameter '%s' is required and has a default", row->name);
		return;
	}
	if (!given && !may_be_none(row->kind))
		luaL_error(L, "parameter '%s' needs a default, or required=true", row->name);
	row->fallback = given ? fallback(L, a, row, lua_gettop(L)) : "None";
}

static const char *const *choices(lua_State *L, struct arena *a, const char *name)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "parameter '%s': choices={\"…\", …} is missing", name);
	lua_Integer count = luaL_len(L, -1);
	if (count > PARAMS_MAX)
		luaL_error(L, "parameter '%s': more than %d choices", name, PARAMS_MAX);
	const char **list = arena_calloc(a, (size_t)count + 1, sizeof *list);
	for (lua_Integer i = 0; i < count; i++, lua_pop(L, 1)) {
		if (lua_geti(L, -1, i + 1) != LUA_TSTRING)
			luaL_error(L, "parameter '%s': a choice is text", name);
		list[i] = text_at(L, a, -1);
	}
	return list;
}

static bool flag(lua_State *L, int table, const char *member)
{
	lua_getfield(L, table, member);
	bool set = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return set;
}

static double number(lua_State *L, int table, const char *name, const char *member, bool *given)
{
	double value = 0;
	switch (lua_getfield(L, table, member)) {
	case LUA_TNIL: break;
	case LUA_TNUMBER:
		value = lua_tonumber(L, -1);
		*given = true;
		break;
	default: luaL_error(L, "parameter '%s': '%s' is a number", name, member);
	}
	lua_pop(L, 1);
	return value;
}

static void check_members(lua_State *L, int table, const char *name)
{
	static const char *const known[] = {"name", "kind", "default", "doc",    "required",
	                                    "live", "min",  "max",     "choices"};
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		const char *member = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
		size_t i = 0;
		while (i < sizeof known / sizeof *known && strcmp(known[i], member) != 0)
			i++;
		if (i == sizeof known / sizeof *known)
			luaL_error(L, "parameter '%s' cannot have '%s'", name, member);
	}
}

static void read_range(lua_State *L, int table, struct pt_param *row)
{
	bool min = false, max = false;
	row->min = number(L, table, row->name, "min", &min);
	row->max = number(L, table, row->name, "max", &max);
	if (min && !max)
		row->max = row->min - 1; /* no upper end */
	if (max && !min)
		row->min =
			row->kind == PT_KIND_SIZE || row->kind == PT_KIND_SECONDS ? 0 : -HUGE_VAL;
}

/* {kind=…, default=…, …} at `table`. */
static void read_full(lua_State *L, struct arena *a, int table, struct pt_param *row)
{
	check_members(L, table, row->name);
	row->flags = (flag(L, table, "required") ? PT_REQUIRED : 0) |
	             (flag(L, table, "live") ? PT_LIVE : 0);
	if (lua_getfield(L, table, "doc") == LUA_TSTRING)
		row->doc = text_at(L, a, -1);
	lua_getfield(L, table, "default");
	if (lua_getfield(L, table, "kind") == LUA_TSTRING)
		row->kind = kind_of_word(L, row->name, lua_tostring(L, -1));
	else
		row->kind = kind_of_value(L, row->name, -2);
	lua_pop(L, 1);
	lua_getfield(L, table, "choices");
	if (row->kind == PT_KIND_CHOICE)
		row->choices = choices(L, a, row->name);
	lua_pop(L, 1);
	set_fallback(L, a, row);
	read_range(L, table, row);
}

/* Who writes f="transform" means the kind, not a text. */
static void refuse_kind(lua_State *L, const char *name, int value)
{
	const char *word = lua_type(L, value) == LUA_TSTRING ? lua_tostring(L, value) : "";
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(word, param_kind_name(kinds[i])))
			luaL_error(L,
			           "parameter '%s': '%s' is a kind; write %s={kind=\"%s\"}, or "
			           "%s={default=\"%s\"} for that text",
			           name, word, name, word, name, word);
}

/* The value on top of the stack, taken off, becomes the row of the parameter. */
static void read_row(lua_State *L, struct arena *a, const char *name, struct pt_param *row)
{
	int value = lua_gettop(L);
	row->name = arena_strndup(a, name, strlen(name));
	row->doc = "";
	if (lua_istable(L, value)) {
		read_full(L, a, value, row);
	} else {
		row->kind = kind_of_value(L, row->name, value);
		refuse_kind(L, row->name, value);
		set_fallback(L, a, row);
	}
	lua_settop(L, value - 1);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pt_param *)a)->name, ((const struct pt_param *)b)->name);
}

static size_t read_map(lua_State *L, struct arena *a, struct pt_param *rows)
{
	int table = lua_gettop(L);
	size_t count = 0;
	for (lua_pushnil(L); lua_next(L, table);) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "params={name=default, …} or params={{name=…, …}, …}");
		if (count == PARAMS_MAX)
			luaL_error(L, "more than %d parameters", PARAMS_MAX);
		read_row(L, a, lua_tostring(L, -2), &rows[count++]);
	}
	qsort(rows, count, sizeof *rows, by_name);
	return count;
}

static size_t read_list(lua_State *L, struct arena *a, struct pt_param *rows)
{
	size_t count = (size_t)luaL_len(L, -1);
	if (count > PARAMS_MAX)
		luaL_error(L, "more than %d parameters", PARAMS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (lua_geti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE)
			luaL_error(L, "parameter %d is no table: {name=…, kind=…, default=…}",
			           (int)i + 1);
		if (lua_getfield(L, -1, "name") != LUA_TSTRING)
			luaL_error(L, "parameter %d has no name", (int)i + 1);
		const char *name = text_at(L, a, -1);
		lua_pop(L, 1);
		read_row(L, a, name, &rows[i]);
	}
	return count;
}

const struct pt_param *custom_param_read(lua_State *L, struct arena *a, size_t *offset)
{
	if (lua_isnil(L, -1))
		return NULL;
	if (!lua_istable(L, -1))
		luaL_error(L, "params is a table, not a %s", luaL_typename(L, -1));
	struct pt_param *rows = arena_calloc(a, PARAMS_MAX + 1, sizeof *rows);
	luaL_checkstack(L, 16, NULL);
	bool list = lua_geti(L, -1, 1) != LUA_TNIL;
	lua_pop(L, 1);
	size_t count = list ? read_list(L, a, rows) : read_map(L, a, rows);
	for (size_t i = 0; i < count; i++) {
		rows[i].offset = *offset;
		*offset += (param_size(&rows[i]) + 7) / 8 * 8;
	}
	return rows;
}

/* ---- values ---- */

/* A string, or what is kept, as a message of its own. */
static struct pt_msg *copied(lua_State *L, struct pt_pool *pool, int index)
{
	const struct lua_copy *k = lua_copy_get(L, index);
	size_t length;
	const char *text = k ? NULL : luaL_checklstring(L, index, &length);
	struct pt_msg *m = k ? lua_copy_message(k, pool) : pt_msg_new(pool, text, length);
	if (!m)
		luaL_error(L, "the memory limit for messages is reached");
	return m;
}

static int raise(lua_State *L, struct pt_error *err)
{
	lua_pushstring(L, pt_error_text(err, "the function failed"));
	pt_error_clear(err);
	return lua_error(L);
}

/* The result of a transform, which is left in the sandbox's buffer, where it is not lost if the
   string cannot be made. */
static void push_bytes(lua_State *L, const struct pt_msg *m)
{
	struct buf *room = &sandbox_of(L)->message.before;
	buf_clear(room);
	buf_add(room, m->bytes, m->length);
}

static int test(lua_State *L, const struct pt_block *b, struct pt_func *f)
{
	struct pt_error *err = &sandbox_of(L)->message.fault;
	int rc;
	pt_error_clear(err);
	if (lua_islightuserdata(L, 1)) {
		rc = func_test(f, lua_message_get(L, 1)->msg, err);
	} else {
		struct pt_msg *m = copied(L, pt_pool((struct pt_block *)(uintptr_t)b), 1);
		rc = func_test(f, m, err);
		pt_msg_unref(m);
	}
	if (rc < 0)
		return raise(L, err);
	lua_pushboolean(L, rc);
	return 1;
}

static int transform(lua_State *L, struct pt_block *b, struct pt_func *f)
{
	struct pt_error *err = &sandbox_of(L)->message.fault;
	pt_error_clear(err);
	bool at_hand = lua_islightuserdata(L, 1);
	struct lua_message *held = at_hand ? lua_message_get(L, 1) : NULL;
	struct pt_msg *m = at_hand ? held->msg : copied(L, pt_pool(b), 1);
	int rc = func_transform(f, &m, err);
	if (at_hand) {
		held->msg = m;
		lua_message_changed(held);
	} else {
		push_bytes(L, m);
		pt_msg_unref(m);
	}
	if (rc < 0)
		return raise(L, err);
	if (rc) {
		lua_pushnil(L);
	} else if (!at_hand) {
		const struct buf *made = &sandbox_of(L)->message.before;
		lua_pushlstring(L, made->length ? made->data : "", made->length);
	} else {
		lua_settop(L, 1);
	}
	return 1;
}

static int apply(lua_State *L)
{
	struct pt_block *b = lua_touserdata(L, lua_upvalueindex(1));
	const struct pt_param *row = lua_touserdata(L, lua_upvalueindex(2));
	struct pt_func *f = *(struct pt_func **)((char *)pt_state(b) + row->offset);
	if (!f)
		return luaL_error(L, "'%s' is None", row->name);
	return row->kind == PT_KIND_TRANSFORM ? transform(L, b, f) : test(L, b, f);
}

static void push_function(lua_State *L, struct pt_block *b, const struct pt_param *row)
{
	lua_pushlightuserdata(L, b);
	lua_pushlightuserdata(L, (void *)(uintptr_t)row);
	lua_pushcclosure(L, apply, 2);
}

void custom_param_push(lua_State *L, const struct pt_param *row, struct pt_block *b)
{
	const void *field = (char *)pt_state(b) + row->offset;
	const struct pt_bytes *bytes = field;
	switch (row->kind) {
	case PT_KIND_BOOL: lua_pushboolean(L, *(const bool *)field); break;
	case PT_KIND_INT: lua_pushinteger(L, *(const int64_t *)field); break;
	case PT_KIND_SIZE: lua_pushinteger(L, (lua_Integer) * (const uint64_t *)field); break;
	case PT_KIND_NUMBER:
	case PT_KIND_SECONDS: lua_pushnumber(L, *(const double *)field); break;
	case PT_KIND_CHOICE:
		if (*(const int *)field < 0)
			lua_pushnil(L);
		else
			lua_pushstring(L, row->choices[*(const int *)field]);
		break;
	case PT_KIND_BYTES:
		if (bytes->data)
			lua_pushlstring(L, (const char *)bytes->data, bytes->length);
		else
			lua_pushnil(L);
		break;
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE:
	case PT_KIND_FILTER:
		if (*(struct pt_func *const *)field)
			push_function(L, b, row);
		else
			lua_pushnil(L);
		break;
	default: lua_pushstring(L, *(char *const *)field);
	}
}
