/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the table of a block type: the picture against the ports, defaults against their rows. */
#include "type/table.h"

#include "base/buf.h"
#include "base/error.h"
#include "type/param.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum pt_port port;
	const char *words;
} ports[] = {
	{PT_LOW_ENTRY, "low entry"},         {PT_LOW_EXIT, "low exit"},
	{PT_HIGH_ENTRY, "high entry"},       {PT_HIGH_EXIT, "high exit"},
	{PT_TRIGGER_ENTRY, "trigger entry"}, {PT_TRIGGER_EXIT, "trigger exit"},
};

/* ---- pictures ---- */

static const char *find_last(const char *line, size_t length, char c)
{
	return memrchr(line, c, length);
}

static bool ends_with(const char *from, const char *to, const char *word)
{
	size_t length = strlen(word);
	return (size_t)(to - from) >= length && !memcmp(to - length, word, length);
}

static unsigned stub_ports(const char *line, size_t length)
{
	const char *left = memchr(line, '|', length), *right = find_last(line, length, '|');
	const char *end = line + length;
	unsigned found = 0;
	if (!left || left == right)
		return 0;
	if (left[1] != ' ' && ends_with(line, left, ">>-"))
		found |= PT_HIGH_ENTRY;
	else if (left[1] != ' ' && ends_with(line, left, ">-"))
		found |= PT_LOW_ENTRY;
	if (right[-1] != ' ' && end - right >= 4 && !memcmp(right, "|->>", 4))
		found |= PT_HIGH_EXIT;
	else if (right[-1] != ' ' && end - right >= 3 && !memcmp(right, "|->", 3))
		found |= PT_LOW_EXIT;
	return found;
}

static bool is_border(const char *line, size_t length)
{
	while (length && *line == ' ') {
		line++;
		length--;
	}
	return length && *line == '+';
}

unsigned table_picture_ports(const char *picture)
{
	unsigned found = 0, trigger = PT_TRIGGER_EXIT;
	for (const char *line = picture; line && *line;) {
		size_t length = strcspn(line, "\n");
		if (is_border(line, length)) {
			if (memchr(line, '^', length))
				found |= trigger;
			trigger = PT_TRIGGER_ENTRY;
		} else {
			found |= stub_ports(line, length);
		}
		line += length + (line[length] == '\n');
	}
	return found;
}

/* ---- faults ---- */

static int note(int code, int more)
{
	return code ? code : more;
}

static bool is_identifier(const char *name)
{
	if (!name || !(isalpha((unsigned char)*name) || *name == '_'))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return true;
}

static int check_ports(const struct pt_type *type, struct pt_error *err)
{
	unsigned drawn = table_picture_ports(type->picture);
	int code = 0;
	for (size_t i = 0; type->picture && i < sizeof ports / sizeof *ports; i++) {
		bool has = type->ports & ports[i].port, shows = drawn & ports[i].port;
		if (has != shows)
			code = note(code, pt_fail(err, -PT_EPARAM, "picture",
			                          "the picture %s a %s, .ports %s it",
			                          shows ? "shows" : "lacks", ports[i].words,
			                          has ? "has" : "lacks"));
	}
	return code;
}

static unsigned entry_port(int canal)
{
	static const unsigned entries[] = {PT_LOW_ENTRY, PT_HIGH_ENTRY, PT_TRIGGER_ENTRY};
	return entries[canal];
}

static unsigned exit_port(int canal)
{
	static const unsigned exits[] = {PT_LOW_EXIT, PT_HIGH_EXIT, PT_TRIGGER_EXIT};
	return exits[canal];
}

static int check_routes(const struct pt_type *type, struct pt_error *err)
{
	int code = 0;
	if (type->routes >> 9)
		code = pt_fail(err, -PT_EPARAM, "routes", "a route beyond the three canals");
	for (int entry = PT_LOW; entry <= PT_TRIGGER; entry++)
		for (int exit = PT_LOW; exit <= PT_TRIGGER; exit++)
			if (type->routes & PT_ROUTE(entry, exit) &&
			    !(type->ports & entry_port(entry) && type->ports & exit_port(exit)))
				code = note(code, pt_fail(err, -PT_EPARAM, "routes",
				                          "a route between ports that the "
				                          "block has not"));
	return code;
}

static int check_functions(const struct pt_type *type, struct pt_error *err)
{
	unsigned entries = PT_LOW_ENTRY | PT_HIGH_ENTRY;
	int code = 0;
	if (!!type->push + !!type->push_many + !!type->act > 1)
		code = pt_fail(err, -PT_EPARAM, "push", "more than one of act, push and push_many");
	if ((type->push || type->push_many || type->act) && !(type->ports & entries))
		code = note(code, pt_fail(err, -PT_EPARAM, "push",
		                          "messages are taken, but there is no entry"));
	if (type->trigger && !(type->ports & PT_TRIGGER_ENTRY))
		code = note(code, pt_fail(err, -PT_EPARAM, "trigger",
		                          "triggers are taken, but there is no trigger entry"));
	return code;
}

static int check_carried(const struct pt_type *type, const struct pt_carried *row, unsigned queues,
                         struct pt_error *err)
{
	bool shows = row->kind == PT_CARRIED_BOOL || row->kind == PT_CARRIED_INT;
	if (row->kind < PT_CARRIED_BOOL || row->kind > PT_CARRIED_QUEUE)
		return pt_fail(err, -PT_EPARAM, row->name, "carried, but its kind is unknown");
	if (row->offset > type->size || row->size > type->size - row->offset)
		return pt_fail(err, -PT_EPARAM, row->name, "carried, but not in the state");
	if (row->flags & PT_SHOWN && !shows)
		return pt_fail(err, -PT_EPARAM, row->name, "shown, but no bool and no int");
	if (row->kind == PT_CARRIED_QUEUE && queues)
		return pt_fail(err, -PT_EPARAM, row->name, "a second queue that is carried");
	return 0;
}

static int check_carries(const struct pt_type *type, struct pt_error *err)
{
	unsigned queues = 0;
	int code = 0;
	for (const struct pt_carried *row = type->carries; row && row->name; row++) {
		for (const struct pt_carried *other = type->carries; other < row; other++)
			if (!strcmp(other->name, row->name))
				code = note(code, pt_fail(err, -PT_EPARAM, row->name,
				                          "carried under one name twice"));
		code = note(code, check_carried(type, row, queues, err));
		queues += row->kind == PT_CARRIED_QUEUE;
	}
	return code;
}

static int check_default(const struct pt_param *row, struct pt_error *err)
{
	struct pt_error inner = PT_ERROR_INIT;
	json_t *value = param_default(row);
	int code = 0;
	if (!value)
		return 0;
	if (!(json_is_null(value) && !row->fallback))
		code = param_check_value(row, value, &inner);
	if (code)
		code = pt_fail(err, -PT_EPARAM, row->name, "its default: %s",
		               pt_error_text(&inner, "refused"));
	pt_error_clear(&inner);
	json_decref(value);
	return code;
}

static int check_rows(const struct pt_param *rows, struct pt_error *err);

static int check_row(const struct pt_param *rows, const struct pt_param *row, struct pt_error *err)
{
	enum pt_kind kind;
	if (!is_identifier(row->name))
		return pt_fail(err, -PT_EPARAM, "params", "'%s' cannot be a parameter's name",
		               row->name);
	if (param_find(rows, row->name) != row)
		return pt_fail(err, -PT_EPARAM, row->name, "two parameters have this name");
	if (param_kind_parse(param_kind_name(row->kind), &kind))
		return pt_fail(err, -PT_EPARAM, row->name, "its kind is unknown");
	if (row->kind == PT_KIND_CHOICE && !(row->choices && row->choices[0]))
		return pt_fail(err, -PT_EPARAM, row->name, "a choice without choices");
	if (row->flags & PT_REQUIRED && row->fallback)
		return pt_fail(err, -PT_EPARAM, row->name, "required, but has a default");
	int code = check_default(row, err);
	size_t from = err ? err->count : 0;
	code = note(code, check_rows(row->members, err));
	error_prefix(err, from, row->name);
	return code;
}

static int check_rows(const struct pt_param *rows, struct pt_error *err)
{
	int code = 0;
	for (const struct pt_param *row = rows; row && row->name; row++)
		code = note(code, check_row(rows, row, err));
	return code;
}

int table_check(const struct pt_type *type, struct pt_error *err)
{
	if (type->api != PT_API)
		return pt_fail(err, -PT_EPARAM, "api",
		               "made for version %u of <pipetool/block.h>, this is version %u",
		               type->api, PT_API);
	if (!is_identifier(type->name) || !isupper((unsigned char)*type->name) ||
	    strlen(type->name) > 64)
		return pt_fail(err, -PT_EPARAM, "name",
		               "a type's name begins with a capital and has letters, digits "
		               "and '_', 64 at most");
	int code = check_ports(type, err);
	code = note(code, check_routes(type, err));
	code = note(code, check_functions(type, err));
	code = note(code, check_carries(type, err));
	code = note(code, check_rows(type->params, err));
	if (param_find(type->params, "name"))
		code = note(code, pt_fail(err, -PT_EPARAM, "name",
		                          "every block has 'name', a row may not define it"));
	if (type->role < PT_SOURCE || type->role > PT_SINK)
		code = note(code, pt_fail(err, -PT_EPARAM, "role",
		                          "neither a source nor a drain nor a sink"));
	if (param_extent(type->params) > type->size)
		code = note(code, pt_fail(err, -PT_EPARAM, "size",
		                          "parameters reach beyond the state's size"));
	return code;
}

/* ---- manners ---- */

static bool has_full_stop(const char *text)
{
	return text && *text && text[strlen(text) - 1] == '.';
}

static int check_docs(const struct pt_param *rows, struct pt_error *err)
{
	int code = 0;
	for (const struct pt_param *row = rows; row && row->name; row++) {
		if (!has_full_stop(row->doc))
			code = note(code, pt_fail(err, -PT_EPARAM, row->name,
			                          "its doc is no sentence with a full stop"));
		if (!(row->flags & PT_REQUIRED) && !row->fallback)
			code = note(code, pt_fail(err, -PT_EPARAM, row->name,
			                          "neither required nor with a default"));
		size_t from = err ? err->count : 0;
		code = note(code, check_docs(row->members, err));
		error_prefix(err, from, row->name);
	}
	return code;
}

int table_check_all(const struct pt_type *type, struct pt_error *err)
{
	int code = table_check(type, err);
	if (!type->summary || !*type->summary || has_full_stop(type->summary) ||
	    strchr(type->summary, '\n'))
		code = note(code, pt_fail(err, -PT_EPARAM, "summary",
		                          "the summary is one line without a full stop"));
	if (!type->picture)
		code = note(code, pt_fail(err, -PT_EPARAM, "picture", "there is no picture"));
	if (!type->examples || !type->examples[0])
		code = note(code, pt_fail(err, -PT_EPARAM, "examples", "there is no example"));
	return note(code, check_docs(type->params, err));
}
