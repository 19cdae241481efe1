/* SPDX-License-Identifier: BSD-2-Clause */
/* Types and parameters as JSON: for type.show, rpc.discover and other programs. */
#include "type/help.h"

#include "type/kind.h"
#include "type/type.h"
#include <string.h>

#define SIZE_PATTERN    "^[0-9]+(\\.[0-9]+)?( *([kKMGT]i?B?|B))?$"
#define SECONDS_PATTERN "^[0-9]+(\\.[0-9]+)?( *(ns|us|µs|ms|s|m|min|h|d))?$"

static json_t *of_type(const char *type)
{
	json_t *schema = json_object();
	json_object_set_new(schema, "type", json_string(type));
	return schema;
}

static json_t *set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
	return object;
}

static json_t *number(double n)
{
	return n == (double)(json_int_t)n ? json_integer((json_int_t)n) : json_real(n);
}

static json_t *bounded(json_t *schema, const struct pt_param *row)
{
	if (row->min == 0 && row->max == 0)
		return schema;
	set(schema, "minimum", number(row->min));
	if (row->max >= row->min)
		set(schema, "maximum", number(row->max));
	return schema;
}

static json_t *natural(const struct pt_param *row, const char *type)
{
	json_t *schema = bounded(of_type(type), row);
	if (!json_object_get(schema, "minimum"))
		set(schema, "minimum", json_integer(0));
	return schema;
}

static json_t *pattern(const char *text)
{
	return set(of_type("string"), "pattern", json_string(text));
}

/* One of two, and of a third if there is one. */
static json_t *any_of(json_t *a, json_t *b, json_t *c)
{
	json_t *list = json_array();
	json_array_append_new(list, a);
	json_array_append_new(list, b);
	if (c)
		json_array_append_new(list, c);
	return set(json_object(), "anyOf", list);
}

static json_t *with_one(const char *name, json_t *value)
{
	json_t *properties = set(json_object(), name, value), *required = json_array();
	json_array_append_new(required, json_string(name));
	json_t *schema = set(of_type("object"), "properties", properties);
	set(schema, "required", required);
	return set(schema, "additionalProperties", json_false());
}

json_t *schema_bytes(const struct pt_param *row)
{
	return any_of(of_type("string"), with_one("hex", of_type("string")),
	              with_one("base64", of_type("string")));
}

static json_t *list_of(json_t *items)
{
	json_t *schema = of_type("array");
	return items ? set(schema, "items", items) : schema;
}

static json_t *strings(const char *const *words)
{
	json_t *list = json_array();
	for (; words && *words; words++)
		json_array_append_new(list, json_string(*words));
	return list;
}

static json_t *variants(const struct pt_param *rows)
{
	json_t *list = json_array();
	for (; rows && rows->name; rows++) {
		json_t *schema = schema_params(rows->members);
		json_t *op = set(json_object(), "const", json_string(rows->name));
		json_t *required = json_object_get(schema, "required");
		set(json_object_get(schema, "properties"), "op", op);
		json_array_insert_new(required, 0, json_string("op"));
		if (rows->doc)
			set(schema, "description", json_string(rows->doc));
		json_array_append_new(list, schema);
	}
	return set(json_object(), "oneOf", list);
}

json_t *schema_linktype(const struct pt_param *row)
{
	json_t *n = of_type("integer");
	set(n, "minimum", json_integer(0));
	set(n, "maximum", json_integer(65535));
	return any_of(n, of_type("string"), of_type("null"));
}

/* By its number, or by its name. */
static json_t *descriptor(void)
{
	json_t *n = set(of_type("integer"), "minimum", json_integer(0));
	return any_of(n, set(of_type("string"), "minLength", json_integer(1)), NULL);
}

/* A text, or an object with a descriptor for the file that the text is about. */
static json_t *passed(const char *text)
{
	json_t *file = with_one("fd", descriptor());
	set(json_object_get(file, "properties"), text, of_type("string"));
	return any_of(of_type("string"), file, NULL);
}

json_t *schema_bool(const struct pt_param *row)
{
	return of_type("boolean");
}

json_t *schema_int(const struct pt_param *row)
{
	return bounded(of_type("integer"), row);
}

json_t *schema_number(const struct pt_param *row)
{
	return bounded(of_type("number"), row);
}

json_t *schema_size(const struct pt_param *row)
{
	return any_of(natural(row, "integer"), pattern(SIZE_PATTERN), NULL);
}

json_t *schema_seconds(const struct pt_param *row)
{
	return any_of(natural(row, "number"), pattern(SECONDS_PATTERN), NULL);
}

json_t *schema_text(const struct pt_param *row)
{
	return of_type("string");
}

json_t *schema_func(const struct pt_param *row)
{
	return passed("text");
}

json_t *schema_choice(const struct pt_param *row)
{
	return set(of_type("string"), "enum", strings(row->choices));
}

/* As block.recv gives it; {"hex": …} and {"base64": …} are told by schema_bytes. */
json_t *schema_message(const struct pt_param *row)
{
	json_t *given = with_one("message", schema_bytes(row));
	json_t *properties = json_object_get(given, "properties");
	set(properties, "canal", of_type("string"));
	set(properties, "text", of_type("boolean"));
	set(properties, "time", of_type("string"));
	set(properties, "link_type", natural(row, "integer"));
	set(properties, "wire_length", natural(row, "integer"));
	return any_of(schema_bytes(row), given, NULL);
}

json_t *schema_messages(const struct pt_param *row)
{
	return any_of(schema_message(row), list_of(schema_message(row)), NULL);
}

json_t *schema_strings(const struct pt_param *row)
{
	if (row->choices)
		return any_of(schema_choice(row), list_of(schema_choice(row)), NULL);
	return any_of(of_type("string"), list_of(of_type("string")), NULL);
}

json_t *schema_file(const struct pt_param *row)
{
	json_t *schema = passed("path"),
	       *file = json_array_get(json_object_get(schema, "anyOf"), 1);
	set(json_object_get(file, "properties"), "folder", of_type("string"));
	return schema;
}

json_t *schema_files(const struct pt_param *row)
{
	return any_of(schema_file(row), list_of(schema_file(row)), NULL);
}

json_t *schema_fd(const struct pt_param *row)
{
	return any_of(descriptor(), with_one("fd", descriptor()), NULL);
}

json_t *schema_object(const struct pt_param *row)
{
	json_t *schema = row->members ? schema_params(row->members) : of_type("object");
	return row->choices ? any_of(schema_choice(row), schema, NULL) : schema;
}

json_t *schema_list(const struct pt_param *row)
{
	return list_of(row->members ? schema_params(row->members) : NULL);
}

json_t *schema_variants(const struct pt_param *row)
{
	return list_of(variants(row->members));
}

json_t *schema_any(const struct pt_param *row)
{
	return json_object();
}

static bool may_be_none(const struct pt_param *row)
{
	return param_may_be_none(row) && row->kind != PT_KIND_LINKTYPE && row->kind != PT_KIND_JSON;
}

json_t *schema_param(const struct pt_param *row)
{
	json_t *schema = kind_of(row)->schema(row);
	if (may_be_none(row))
		schema = any_of(schema, of_type("null"), NULL);
	if (row->doc)
		set(schema, "description", json_string(row->doc));
	if (row->fallback)
		set(schema, "default", param_default(row));
	return schema;
}

/* It is there, and is not null. */
static json_t *is_given(const char *name)
{
	json_t *something = set(json_object(), "not", of_type("null"));
	json_t *required = json_array();
	json_array_append_new(required, json_string(name));
	json_t *properties = set(json_object(), name, something);
	return set(set(json_object(), "properties", properties), "required", required);
}

json_t *schema_params(const struct pt_param *rows)
{
	json_t *properties = json_object(), *required = json_array(), *one_of = json_array();
	for (; rows && rows->name; rows++) {
		if (rows->flags & PT_ONE_OF)
			json_array_append_new(one_of, is_given(rows->name));
		set(properties, rows->name, schema_param(rows));
		if (rows->flags & PT_REQUIRED)
			json_array_append_new(required, json_string(rows->name));
	}
	json_t *schema = set(of_type("object"), "properties", properties);
	set(schema, "required", required);
	if (json_array_size(one_of))
		set(schema, "oneOf", one_of);
	else
		json_decref(one_of);
	return set(schema, "additionalProperties", json_false());
}

/* ---- rows and types, for type.show ---- */

static json_t *describe(const struct pt_param *row)
{
	char letter[] = {row->letter, 0};
	json_t *p = set(json_object(), "name", json_string(row->name));
	set(p, "doc", json_string(row->doc ? row->doc : ""));
	set(p, "kind", json_string(param_kind_name(row->kind)));
	if (row->flags & PT_REQUIRED)
		set(p, "required", json_true());
	else if (row->fallback)
		set(p, "default", param_default(row));
	if (row->flags & PT_LIVE)
		set(p, "live", json_true());
	if (row->flags & (PT_READ | PT_WRITE))
		set(p, "access", json_string(row->flags & PT_WRITE ? "write" : "read"));
	if (row->flags & PT_OPTION)
		set(p, "option", json_true());
	if (row->flags & PT_MANY)
		set(p, "many", json_true());
	if (row->letter)
		set(p, "letter", json_string(letter));
	if (row->min != 0 || row->max != 0)
		set(p, "min", number(row->min));
	if ((row->min != 0 || row->max != 0) && row->max >= row->min)
		set(p, "max", number(row->max));
	if (row->choices)
		set(p, "choices", strings(row->choices));
	if (row->members)
		set(p, "members", schema_rows(row->members));
	return set(p, "schema", schema_param(row));
}

json_t *schema_rows(const struct pt_param *rows)
{
	json_t *list = json_array();
	for (; rows && rows->name; rows++)
		json_array_append_new(list, describe(rows));
	return list;
}

static json_t *port_names(unsigned ports)
{
	static const char *const names[] = {"low_entry", "low_exit",      "high_entry",
	                                    "high_exit", "trigger_entry", "trigger_exit"};
	json_t *list = json_array();
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (ports >> i & 1)
			json_array_append_new(list, json_string(names[i]));
	return list;
}

json_t *schema_type(const struct pt_type *type)
{
	static const char *const roles[] = {"source", "drain", "sink"};
	json_t *t = set(json_object(), "name", json_string(type->name));
	set(t, "summary", json_string(type->summary ? type->summary : ""));
	if (type->help)
		set(t, "help", json_string(type->help));
	if (type->role >= PT_SOURCE && type->role <= PT_SINK)
		set(t, "role", json_string(roles[type->role - PT_SOURCE]));
	if (type->picture)
		set(t, "picture", json_string(type->picture));
	set(t, "ports", port_names(type->ports));
	set(t, "params", schema_rows(type->params));
	return set(t, "examples", strings(type->examples));
}
