/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables as an OpenRPC document. */
#include "methods.h"
#include "unit.h"
#include <string.h>

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	ck_assert_msg(text != NULL, "no %s", name);
	return text;
}

/* No $ref anywhere, so that none dangles. */
static void expect_no_ref(const json_t *value)
{
	size_t i;
	const char *key;
	json_t *item;
	if (json_is_object(value))
		json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
			ck_assert_str_ne(key, "$ref");
			expect_no_ref(item);
		}
	json_array_foreach (value, i, item)
		expect_no_ref(item);
}

START_TEST(the_document_tells_of_every_method)
{
	json_t *document = rpc_discover(methods, "pipetool", "1.2");
	const json_t *list = json_object_get(document, "methods");
	ck_assert_str_eq(text_at(document, "openrpc"), "1.2.6");
	ck_assert_str_eq(text_at(json_object_get(document, "info"), "title"), "pipetool");
	ck_assert_str_eq(text_at(json_object_get(document, "info"), "version"), "1.2");
	ck_assert_uint_eq(json_array_size(list), 2);
	const json_t *recv = json_array_get(list, 1);
	ck_assert_str_eq(text_at(recv, "name"), "block.recv");
	ck_assert_str_eq(text_at(recv, "paramStructure"), "by-name");
	ck_assert_str_eq(text_at(json_object_get(recv, "result"), "name"), "result");
	ck_assert(json_is_object(json_object_get(json_object_get(recv, "result"), "schema")));
	expect_no_ref(document);
	json_decref(document);
}
END_TEST

START_TEST(required_parameters_come_first)
{
	static const char *const want[] = {"engine", "block", "max"};
	json_t *document = rpc_discover(methods, "t", "v");
	const json_t *recv = json_array_get(json_object_get(document, "methods"), 1);
	const json_t *params = json_object_get(recv, "params");
	ck_assert_uint_eq(json_array_size(params), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *param = json_array_get(params, i);
		ck_assert_str_eq(text_at(param, "name"), want[i]);
		ck_assert_int_eq(json_is_true(json_object_get(param, "required")), i < 2);
		ck_assert(json_is_object(json_object_get(param, "schema")));
	}
	json_decref(document);
}
END_TEST

UNIT_TESTS("rpc/discover", the_document_tells_of_every_method, required_parameters_come_first)
