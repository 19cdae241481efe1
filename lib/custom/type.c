/* SPDX-License-Identifier: BSD-2-Clause */
/* Definitions in Lua become tables as those of C. */
#include "custom/type.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "base/utf8.h"
#include "custom/arena.h"
#include "custom/block.h"
#include "custom/param.h"
#include "type/table.h"
#include "type/type.h"
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_MAX 64                         /* of one file */
#define TEXT_MAX  ((size_t)1024 * 1024)      /* of one file */
#define KEPT_MAX  ((size_t)64 * 1024 * 1024) /* of all that was ever loaded */

struct custom_file {
	struct custom_file *next;
	struct custom_text text;
	struct arena arena;
	const struct pt_type **types; /* ends with NULL */
	size_t count;
	struct pt_error fault; /* of the table that is being made */
};

/* ---- members ---- */

static const char *const members[] = {"name",     "doc",     "help",    "params", "ports",
                                      "examples", "example", "picture", "carries"};

static int member_number(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

static void check_members(lua_State *L)
{
	const size_t count = sizeof members / sizeof *members;
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a definition has names: Drain{name=\"…\", push=function…}");
		const char *name = lua_tostring(L, -2);
		if (member_number(members, count, name) >= 0)
			continue;
		if (member_number(custom_call_names, CALLS, name) >= 0) {
			if (!lua_isfunction(L, -1))
				luaL_error(L, "'%s' is a function, not a %s", name,
				           luaL_typename(L, -1));
			continue;
		}
		struct near n = near_init(name);
		for (size_t i = 0; i < count; i++)
			near_try(&n, members[i]);
		for (size_t i = 0; i < CALLS; i++)
			near_try(&n, custom_call_names[i]);
		luaL_error(L, "a definition cannot have '%s'%s", name,
		           near_say(&n, "; what a block keeps is in self.state"));
	}
}

static const char *text_at(lua_State *L, struct arena *a, const char *what)
{
	size_t length;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "'%s' is text, not a %s", what, luaL_typename(L, -1));
	const char *text = lua_tolstring(L, -1, &length);
	if (strlen(text) != length || utf8_valid(text, length) != length)
		luaL_error(L, "'%s' is not UTF-8 text", what);
	return arena_strndup(a, text, length);
}

static const char *text_member(lua_State *L, struct arena *a, const char *name)
{
	const char *text = NULL;
	if (lua_getfield(L, 1, name) != LUA_TNIL)
		text = text_at(L, a, name);
	lua_pop(L, 1);
	return text;
}

/* ---- what is said of it ---- */

/* The first line of `doc` is the summary, and what follows the help. */
static void read_doc(lua_State *L, struct arena *a, const char *path, struct pt_type *type)
{
	const char *doc = text_member(L, a, "doc"), *help = text_member(L, a, "help");
	if (!doc)
		doc = arena_take(a, must_printf("Defined in %s", path));
	doc += strspn(doc, " \t\n");
	size_t length = strcspn(doc, "\n");
	const char *rest = doc + length + strspn(doc + length, "\n");
	while (length && (doc[length - 1] == '.' || isspace((unsigned char)doc[length - 1])))
		length--;
	type->summary = arena_strndup(a, doc, length);
	type->help = help ? help : *rest ? rest : NULL;
}

static bool has_required(const struct pt_type *type)
{
	for (const struct pt_param *row = type->params; row && row->name; row++)
		if (row->flags & PT_REQUIRED)
			return true;
	return false;
}

static char *make_example(const struct pt_type *type)
{
	bool high_in = !(type->ports & PT_LOW_ENTRY), high_out = !(type->ports & PT_LOW_EXIT);
	struct buf b = BUF_INIT;
	if (type->ports & (PT_LOW_ENTRY | PT_HIGH_ENTRY))
		buf_adds(&b, high_in ? "CLIHighFeeder() >> " : "CLIFeeder() > ");
	buf_addf(&b, "%s()", type->name);
	if (type->ports & (PT_LOW_EXIT | PT_HIGH_EXIT))
		buf_adds(&b, high_out ? " >> ConsoleSink()" : " > ConsoleSink()");
	return buf_steal(&b);
}

static void read_examples(lua_State *L, struct arena *a, struct pt_type *type)
{
	const char *one = text_member(L, a, "example");
	bool many = lua_getfield(L, 1, "examples") == LUA_TTABLE;
	if (!many && !lua_isnil(L, -1))
		luaL_error(L, "examples={\"…\", …}");
	lua_Integer count = many ? luaL_len(L, -1) : 0;
	if (count > TYPES_MAX)
		luaL_error(L, "more than %d examples", TYPES_MAX);
	const char **list = arena_calloc(a, (size_t)count + 2, sizeof *list);
	size_t n = 0;
	if (one)
		list[n++] = one;
	for (lua_Integer i = 1; i <= count; i++, lua_pop(L, 1)) {
		lua_geti(L, -1, i);
		list[n++] = text_at(L, a, "examples");
	}
	lua_pop(L, 1);
	if (!n && !has_required(type))
		list[n++] = arena_take(a, make_example(type));
	type->examples = list;
}

/* ---- ports ---- */

static const struct {
	const char *name;
	unsigned port;
} ports[] = {
	{"low_entry", PT_LOW_ENTRY},         {"low_exit", PT_LOW_EXIT},
	{"high_entry", PT_HIGH_ENTRY},       {"high_exit", PT_HIGH_EXIT},
	{"trigger_entry", PT_TRIGGER_ENTRY}, {"trigger_exit", PT_TRIGGER_EXIT},
};

#define PORTS (sizeof ports / sizeof *ports)

static unsigned port_of(lua_State *L)
{
	const char *name = luaL_tolstring(L, -1, NULL);
	struct near n = near_init(name);
	for (size_t i = 0; i < PORTS; i++) {
		near_try(&n, ports[i].name);
		if (!strcmp(name, ports[i].name)) {
			lua_pop(L, 1);
			return ports[i].port;
		}
	}
	luaL_error(L, "there is no port '%s'%s", name, near_say(&n, ""));
	return 0;
}

/* A drain passes on what it has no function for, as Scapy's does. */
static unsigned usual_ports(const struct custom_type *t)
{
	const unsigned low = PT_LOW_ENTRY | PT_LOW_EXIT, high = PT_HIGH_ENTRY | PT_HIGH_EXIT;
	const bool *has = t->has;
	unsigned entries = (has[CALL_PUSH] || has[CALL_PUSH_MANY] ? PT_LOW_ENTRY : 0) |
	                   (has[CALL_HIGH_PUSH] || has[CALL_HIGH_PUSH_MANY] ? PT_HIGH_ENTRY : 0);
	unsigned all = has[CALL_ON_TRIGGER] ? PT_TRIGGER_ENTRY : 0;
	switch (t->type.role) {
	case PT_DRAIN: return all | low | high | PT_TRIGGER_EXIT;
	case PT_SOURCE: return all | entries | PT_LOW_EXIT | PT_HIGH_EXIT | PT_TRIGGER_EXIT;
	default: return all | (entries || all ? entries : PT_LOW_ENTRY | PT_HIGH_ENTRY);
	}
}

static void check_entry(lua_State *L, const struct custom_type *t, enum custom_call call,
                        unsigned port, const char *name)
{
	if (t->has[call] && !(t->type.ports & port))
		luaL_error(L, "there is a function '%s', but ports={…} has no %s",
		           custom_call_names[call], name);
}

static void read_ports(lua_State *L, struct custom_type *t)
{
	unsigned given = 0;
	bool is_given = lua_getfield(L, 1, "ports") == LUA_TTABLE;
	if (!is_given && !lua_isnil(L, -1))
		luaL_error(L, "ports={\"low_entry\", …}");
	lua_Integer count = is_given ? luaL_len(L, -1) : 0;
	for (lua_Integer i = 1; i <= count && i <= TYPES_MAX; i++, lua_pop(L, 1)) {
		lua_geti(L, -1, i);
		given |= port_of(L);
	}
	lua_pop(L, 1);
	t->type.ports = is_given ? given : usual_ports(t);
	check_entry(L, t, CALL_PUSH, PT_LOW_ENTRY, "low_entry");
	check_entry(L, t, CALL_PUSH_MANY, PT_LOW_ENTRY, "low_entry");
	check_entry(L, t, CALL_HIGH_PUSH, PT_HIGH_ENTRY, "high_entry");
	check_entry(L, t, CALL_HIGH_PUSH_MANY, PT_HIGH_ENTRY, "high_entry");
	check_entry(L, t, CALL_ON_TRIGGER, PT_TRIGGER_ENTRY, "trigger_entry");
}

/* A script may send on any exit whatever comes in. */
static unsigned all_routes(unsigned of)
{
	static const unsigned entries[] = {PT_LOW_ENTRY, PT_HIGH_ENTRY, PT_TRIGGER_ENTRY};
	static const unsigned exits[] = {PT_LOW_EXIT, PT_HIGH_EXIT, PT_TRIGGER_EXIT};
	unsigned routes = 0;
	for (int entry = PT_LOW; entry <= PT_TRIGGER; entry++)
		for (int exit = PT_LOW; exit <= PT_TRIGGER; exit++)
			if (of & entries[entry] && of & exits[exit])
				routes |= PT_ROUTE(entry, exit);
	return routes;
}

static char *make_picture(unsigned of)
{
	bool high_in = of & PT_HIGH_ENTRY, high_out = of & PT_HIGH_EXIT;
	bool low_in = of & PT_LOW_ENTRY, low_out = of & PT_LOW_EXIT;
	return must_printf("     +----%s----+\n"
	                   "  %s|%s%s%s|%s\n"
	                   "     |         |\n"
	                   "  %s|%s%s%s|%s\n"
	                   "     +----%s----+\n",
	                   of & PT_TRIGGER_EXIT ? "^" : "-", high_in ? ">>-" : "   ",
	                   high_in ? "--" : "  ", high_in || high_out ? "[lua]" : "     ",
	                   high_out ? "--" : "  ", high_out ? "->>" : "", low_in ? " >-" : "   ",
	                   low_in ? "--" : "  ", low_in || low_out ? "[lua]" : "     ",
	                   low_out ? "--" : "  ", low_out ? "->" : "",
	                   of & PT_TRIGGER_ENTRY ? "^" : "-");
}

/* ---- one definition ---- */

static void read_functions(lua_State *L, struct custom_type *t)
{
	for (size_t i = 0; i < CALLS; i++) {
		t->has[i] = lua_getfield(L, 1, custom_call_names[i]) != LUA_TNIL;
		lua_pop(L, 1);
	}
	if ((t->has[CALL_PUSH] && t->has[CALL_PUSH_MANY]) ||
	    (t->has[CALL_HIGH_PUSH] && t->has[CALL_HIGH_PUSH_MANY]))
		luaL_error(L, "a function takes one message or many: there are both for a canal");
	for (size_t i = CALL_SEND; i <= CALL_PRODUCE; i++)
		if (t->has[i] && t->type.role != PT_SOURCE)
			luaL_error(L, "'%s' is for a Source", custom_call_names[i]);
}

static void read_params(lua_State *L, struct custom_file *file, struct pt_type *type)
{
	size_t size = custom_block_size();
	lua_getfield(L, 1, "params");
	type->params = custom_param_read(L, &file->arena, &size);
	lua_pop(L, 1);
	type->size = size;
	for (const struct pt_param *row = type->params; row && row->name; row++)
		if (custom_block_has_member(row->name))
			luaL_error(L,
			           "a parameter cannot be named '%s': self.%s is the block's own",
			           row->name, row->name);
}

static void read_carried(lua_State *L, struct custom_file *file, struct custom_type *t)
{
	bool given = lua_getfield(L, 1, "carries") == LUA_TTABLE;
	if (!given && !lua_isnil(L, -1))
		luaL_error(L, "carries={\"…\", …}: members of self.state");
	lua_Integer count = given ? luaL_len(L, -1) : 0;
	if (count > TYPES_MAX)
		luaL_error(L, "carries={…}: more than %d members", TYPES_MAX);
	const char **list = arena_calloc(&file->arena, (size_t)count + 1, sizeof *list);
	for (lua_Integer i = 0; i < count; i++, lua_pop(L, 1)) {
		lua_geti(L, -1, i + 1);
		list[i] = text_at(L, &file->arena, "carries");
	}
	lua_pop(L, 1);
	t->carried = count ? list : NULL;
}

static void make_type(void *arg, lua_State *L, enum pt_role role)
{
	struct custom_file *file = arg;
	if (file->count == TYPES_MAX)
		luaL_error(L, "more than %d types in a file", TYPES_MAX);
	struct custom_type *t = arena_calloc(&file->arena, 1, sizeof *t);
	struct pt_type *type = &t->type;
	t->text = &file->text;
	*type = (struct pt_type){.api = PT_API, .role = role, .outside = "console"};
	check_members(L);
	type->name = text_member(L, &file->arena, "name");
	if (!type->name)
		luaL_error(L, "a definition has a name: name=\"Mine\"");
	read_functions(L, t);
	read_doc(L, &file->arena, file->text.path, type);
	read_ports(L, t);
	type->routes = all_routes(type->ports);
	read_params(L, file, type);
	read_carried(L, file, t);
	read_examples(L, &file->arena, type);
	type->picture = text_member(L, &file->arena, "picture");
	if (!type->picture)
		type->picture = arena_take(&file->arena, make_picture(type->ports));
	custom_block_functions(t);
	if (table_check(type, &file->fault))
		luaL_error(L, "%s: %s", type->name,
		           pt_error_text(&file->fault, "contradicts itself"));
	file->types[file->count++] = type;
}

/* ---- a file ---- */

static struct custom_file *file_new(const char *path, const char *text, size_t length)
{
	struct custom_file *f = must_calloc(1, sizeof *f);
	const char *slash = strrchr(path, '/');
	f->text.path = arena_strndup(&f->arena, path, strlen(path));
	f->text.chunk = arena_take(&f->arena, must_printf("@%s", slash ? slash + 1 : path));
	f->text.text = arena_strndup(&f->arena, text, length);
	f->text.length = length;
	f->types = arena_calloc(&f->arena, TYPES_MAX + 1, sizeof(const struct pt_type *));
	return f;
}

static void file_free(struct custom_file *f)
{
	arena_free(&f->arena);
	free(f);
}

static bool is_python(const struct custom_file *f)
{
	static const char *const words[] = {"import ", "from ", "class ", "def ", "#"};
	size_t length = strlen(f->text.path);
	const char *text = f->text.text + strspn(f->text.text, " \t\r\n");
	bool python = length > 3 && !strcmp(f->text.path + length - 3, ".py");
	for (size_t i = 0; !python && i < sizeof words / sizeof *words; i++)
		python = !strncmp(text, words[i], strlen(words[i]));
	return python;
}

/* One line that begins with the file's name. */
static int tell(const struct custom_file *f, const struct pt_error *why, struct pt_error *err)
{
	const char *words = pt_error_text(why, "cannot be loaded"), *name = f->text.chunk + 1;
	int length = (int)strcspn(words, "\n");
	bool named = !strncmp(words, name, strlen(name)) && words[strlen(name)] == ':';
	int rc = pt_fail(err, why->faults[0].code, NULL, "%s%s%.*s", named ? "" : name,
	                 named ? "" : ": ", length, words);
	if (is_python(f))
		pt_hint(err, "block types are written in Lua, not in Python: 'ptctl help lua'");
	return rc;
}

static int read_types(struct custom_file *f, const struct func_limits *limits, struct pt_error *err)
{
	struct sandbox *s = sandbox_new(limits, err);
	int rc = s ? define_all(s, &f->text, make_type, f, err) : -PT_ELIMIT;
	sandbox_free(s);
	pt_error_clear(&f->fault);
	if (!rc && !f->count)
		rc = pt_fail(err, -PT_ESCRIPT, NULL,
		             "it defines no type: Drain{name=\"Mine\", push=function(self, msg) … "
		             "end}");
	return rc;
}

/* ---- all files ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct custom_file *files; /* for ever */
static size_t kept_bytes;

static bool is_current(const struct custom_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (type_find(f->types[i]->name) != f->types[i])
			return false;
	return true;
}

static const struct custom_file *find_same(const char *path, const char *text, size_t length)
{
	for (const struct custom_file *f = files; f; f = f->next)
		if (f->text.length == length && !memcmp(f->text.text, text, length) &&
		    !strcmp(f->text.path, path) && is_current(f))
			return f;
	return NULL;
}

static int load(const char *path, const char *text, size_t length, const struct func_limits *limits,
                const struct custom_file **loaded, struct pt_error *err)
{
	if ((*loaded = find_same(path, text, length)))
		return 0;
	struct custom_file *f = file_new(path, text, length);
	struct pt_error why = PT_ERROR_INIT;
	int rc = read_types(f, limits, &why);
	if (!rc && kept_bytes + f->arena.bytes > KEPT_MAX)
		rc = pt_fail(&why, -PT_ELIMIT, NULL,
		             "types of %zu MiB were loaded already; restart the daemon",
		             KEPT_MAX >> 20);
	if (!rc)
		rc = type_add_all(f->types, f->count, TYPE_SCRIPT, f->text.path, &why);
	if (rc) {
		rc = tell(f, &why, err);
		file_free(f);
	} else {
		f->next = files;
		files = f;
		kept_bytes += f->arena.bytes;
		*loaded = f;
	}
	pt_error_clear(&why);
	return rc;
}

int custom_type_load(const char *path, const char *text, size_t length,
                     const struct func_limits *limits, const struct pt_type *const **types,
                     struct pt_error *err)
{
	const struct custom_file *f;
	if (length > TEXT_MAX)
		return pt_fail(err, -PT_ELIMIT, NULL, "a file of block types has at most %zu bytes",
		               TEXT_MAX);
	pthread_mutex_lock(&lock);
	int rc = load(path, text, length, limits, &f, err);
	pthread_mutex_unlock(&lock);
	if (!rc && types)
		*types = f->types;
	return rc;
}
