/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests types and parameters as JSON Schema. */
#include "type/help.h"

#include "unit.h"
#include <string.h>

static const char *const colours[] = {"blue", "red", NULL};
static const struct pt_param members[] = {
	{.name = "size", .kind = PT_KIND_SIZE, .fallback = "None"},
	{NULL},
};
static const struct pt_param variants[] = {
	{.name = "remove", .doc = "Takes one out.", .members = members},
	{NULL},
};
static const struct pt_param rows[] = {
	{.name = "port",
         .kind = PT_KIND_INT,
         .flags = PT_REQUIRED,
         .min = 1,
         .max = 65535,
         .doc = "Where."},
	{.name = "colour", .kind = PT_KIND_CHOICE, .choices = colours, .fallback = "blue"},
	{.name = "rotate", .kind = PT_KIND_OBJECT, .members = members, .fallback = "None"},
	{.name = "ops", .kind = PT_KIND_VARIANTS, .members = variants},
	{NULL},
};

static void expect(json_t *json, const char *expected)
{
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
	char *text = json_dumps(json, JSON_ENCODE_ANY);
	ck_assert_msg(wanted && json_equal(json, wanted), "%s", text);
	free(text);
	json_decref(wanted);
	json_decref(json);
}

START_TEST(a_row_is_a_schema)
{
	expect(schema_param(&rows[0]), "{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 65535,"
	                               " \"description\": \"Where.\"}");
	expect(schema_param(&rows[1]),
	       "{\"type\": \"string\", \"enum\": [\"blue\", \"red\"], \"default\": \"blue\"}");
	expect(schema_param(&(struct pt_param){.kind = PT_KIND_JSON}), "{}");
	expect(schema_param(&(struct pt_param){.kind = PT_KIND_BOOL, .fallback = "None"}),
	       "{\"anyOf\": [{\"type\": \"boolean\"}, {\"type\": \"null\"}], \"default\": null}");
}
END_TEST

START_TEST(rows_are_a_closed_object)
{
	json_t *schema = schema_params(rows);
	expect(json_incref(json_object_get(schema, "required")), "[\"port\"]");
	expect(json_incref(json_object_get(schema, "additionalProperties")), "false");
	json_t *properties = json_object_get(schema, "properties");
	ck_assert_uint_eq(json_object_size(properties), 4);
	json_t *items = json_object_get(json_object_get(properties, "ops"), "items");
	json_t *variant = json_array_get(json_object_get(items, "oneOf"), 0);
	expect(json_incref(json_object_get(variant, "required")), "[\"op\"]");
	expect(json_incref(json_object_get(json_object_get(variant, "properties"), "op")),
	       "{\"const\": \"remove\"}");
	json_decref(schema);
	expect(schema_params(NULL), "{\"type\": \"object\", \"properties\": {}, \"required\": [],"
	                            " \"additionalProperties\": false}");
}
END_TEST

START_TEST(a_type_tells_its_ports_and_rows)
{
	static const struct pt_type type = {
		.name = "Drain",
		.summary = "repeats",
		.role = PT_SINK,
		.params = rows,
		.ports = PT_LOW_ENTRY | PT_TRIGGER_EXIT,
	};
	json_t *json = schema_type(&type);
	expect(json_incref(json_object_get(json, "ports")), "[\"low_entry\", \"trigger_exit\"]");
	ck_assert_str_eq(json_string_value(json_object_get(json, "role")), "sink");
	json_t *port = json_array_get(json_object_get(json, "params"), 0);
	expect(json_incref(json_object_get(port, "required")), "true");
	ck_assert_ptr_null(json_object_get(port, "default"));
	expect(json_incref(json_object_get(port, "max")), "65535");
	expect(json_incref(json_object_get(json, "examples")), "[]");
	json_decref(json);
}
END_TEST

UNIT_TESTS("type/schema", a_row_is_a_schema, rows_are_a_closed_object,
           a_type_tells_its_ports_and_rows)
