/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the checking of what users gave against the rows of a table. */
#include "type/param.h"

#include "unit.h"
#include <string.h>

static const char *const overflows[] = {"drop-oldest", "drop-newest", "block", NULL};
static const struct pt_param rotate[] = {
	{.name = "size", .kind = PT_KIND_SIZE, .fallback = "None", .min = 1},
	{.name = "files", .kind = PT_KIND_INT, .fallback = "None", .min = 1, .max = 1000},
	{NULL},
};
static const struct pt_param add_members[] = {
	{.name = "name", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "params", .kind = PT_KIND_OBJECT},
	{NULL},
};
static const struct pt_param link_members[] = {
	{.name = "from", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "to", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{NULL},
};
static const struct pt_param ops[] = {
	{.name = "add", .members = add_members},
	{.name = "link", .members = link_members},
	{NULL},
};
static const struct pt_param rows[] = {
	{.name = "flag", .kind = PT_KIND_BOOL, .fallback = "False"},
	{.name = "port", .kind = PT_KIND_INT, .fallback = "0", .max = 65535},
	{.name = "iface", .kind = PT_KIND_STRING, .fallback = "None"},
	{.name = "speed", .kind = PT_KIND_NUMBER, .fallback = "0"},
	{.name = "limit", .kind = PT_KIND_SIZE, .fallback = "'64MiB'"},
	{.name = "period", .kind = PT_KIND_SECONDS, .fallback = "1"},
	{.name = "overflow",
         .kind = PT_KIND_CHOICE,
         .fallback = "drop-oldest",
         .choices = overflows},
	{.name = "key", .kind = PT_KIND_BYTES, .fallback = "''"},
	{.name = "msg", .kind = PT_KIND_MESSAGES, .fallback = "[]"},
	{.name = "args", .kind = PT_KIND_STRINGS, .fallback = "None"},
	{.name = "linktype", .kind = PT_KIND_LINKTYPE, .fallback = "None"},
	{.name = "fd", .kind = PT_KIND_FD, .fallback = "None"},
	{.name = "rotate", .kind = PT_KIND_OBJECT, .fallback = "None", .members = rotate},
	{.name = "blocks", .kind = PT_KIND_LIST, .members = add_members},
	{.name = "ops", .kind = PT_KIND_VARIANTS, .members = ops},
	{NULL},
};

static json_t *json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ck_assert_msg(value, "the test's own JSON is wrong: %s", text);
	return value;
}

static int check(const char *text, struct pt_error *err)
{
	json_t *object = json(text);
	int code = param_check(rows, object, err);
	json_decref(object);
	return code;
}

static void accept(const char *text)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = check(text, &err);
	ck_assert_msg(!code, "%s: %s", text, pt_error_text(&err, "?"));
	ck_assert_uint_eq(err.count, 0);
}

/* One fault, at this path, with this in its message. */
static void refuse(const char *text, const char *path, const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(check(text, &err) == -PT_EPARAM, "%s was taken", text);
	ck_assert_msg(err.count == 1, "%s: %zu faults", text, err.count);
	ck_assert_str_eq(err.faults[0].path, path);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s: %s", text, err.faults[0].message);
	pt_error_clear(&err);
	ck_assert_int_eq(check(text, NULL), -PT_EPARAM);
}

START_TEST(good_values_pass)
{
	accept("{}");
	accept("{\"flag\": true, \"port\": 65535, \"iface\": null, \"speed\": 1, \"limit\": 4096}");
	accept("{\"limit\": \"1GiB\", \"period\": \"100ms\", \"overflow\": \"block\"}");
	accept("{\"key\": {\"hex\": \"00ff\"}, \"msg\": [\"a\", {\"base64\": \"AA==\"}]}");
	accept("{\"msg\": {\"message\": \"a\", \"link_type\": 1, \"time\": \"1.5\"}}");
	accept("{\"msg\": [], \"args\": [\"-k\"], \"linktype\": 1, \"fd\": {\"fd\": 0}}");
	accept("{\"args\": \"-k\", \"linktype\": null, \"fd\": 3, \"rotate\": {\"size\": \"1M\"}}");
	accept("{\"ops\": [{\"op\": \"add\", \"name\": \"a\", \"params\": {\"any\": 1}}]}");
	ck_assert_int_eq(param_check(rows, NULL, NULL), 0);
	ck_assert_int_eq(param_check(NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(wrong_types_are_told)
{
	refuse("{\"flag\": 1}", "flag", "'flag' must be true or false, not 1");
	refuse("{\"port\": \"80\"}", "port", "must be an integer from 0 to 65535, not '80'");
	refuse("{\"port\": 80.0}", "port", "an integer");
	refuse("{\"port\": null}", "port", "not null");
	refuse("{\"iface\": [1]}", "iface", "must be text, not a list");
	refuse("{\"speed\": true}", "speed", "a number");
	refuse("{\"limit\": \"64 potatoes\"}", "limit", "not '64 potatoes'");
	refuse("{\"limit\": -1}", "limit", "a size");
	refuse("{\"period\": -0.5}", "period", "a time");
	refuse("{\"period\": 1e300}", "period", "a time");
	refuse("{\"key\": 1}", "key", "text");
	refuse("{\"msg\": {\"hex\": \"0\"}}", "msg.hex", "hex");
	refuse("{\"msg\": [\"a\", 1]}", "msg[1]", "each of 'msg'");
	refuse("{\"msg\": [{\"message\": \"a\", \"link\": 1}]}", "msg[0].link", "no member 'link'");
	refuse("{\"msg\": {\"message\": {\"hex\": \"0\"}}}", "msg.message.hex", "hex");
	refuse("{\"key\": {\"message\": \"a\"}}", "key", "hex");
	refuse("{\"args\": [\"a\", null]}", "args[1]", "each of 'args' must be text");
	refuse("{\"linktype\": 65536}", "linktype", "a link type");
	refuse("{\"fd\": {\"fd\": -1}}", "fd", "a descriptor");
	refuse("{\"blocks\": {}}", "blocks", "a list");
	refuse("{\"blocks\": [{\"name\": \"a\"}, 7]}", "blocks[1]", "an object");
	refuse("{\"iface\": \"a\\u0000b\"}", "iface", "not 'a\\x00b'");
}
END_TEST

START_TEST(ranges_hold_at_their_ends)
{
	refuse("{\"port\": -1}", "port", "from 0 to 65535");
	refuse("{\"port\": 65536}", "port", "not 65536");
	accept("{\"rotate\": {\"files\": 1000}}");
	refuse("{\"rotate\": {\"files\": 1001}}", "rotate.files", "from 1 to 1000");
	refuse("{\"rotate\": {\"size\": 0}}", "rotate.size", "of at least 1");
}
END_TEST

START_TEST(unknown_names_find_their_neighbour)
{
	struct pt_error err = PT_ERROR_INIT;
	refuse("{\"ifcae\": \"lo\"}", "ifcae", "unknown parameter 'ifcae'; did you mean 'iface'?");
	refuse("{\"rotate\": {\"fils\": 2}}", "rotate.fils", "did you mean 'files'?");
	refuse("{\"zzzzzz\": 1}", "zzzzzz", "unknown parameter 'zzzzzz'");
	check("{\"rotate\": {\"fils\": 2}}", &err);
	ck_assert_str_eq(err.faults[0].allowed, "[\"size\",\"files\"]");
	pt_error_clear(&err);
	check("{\"overflow\": \"drop-newst\"}", &err);
	ck_assert_str_eq(err.faults[0].hint, "did you mean 'drop-newest'?");
	ck_assert_str_eq(err.faults[0].value, "\"drop-newst\"");
	ck_assert_str_eq(err.faults[0].allowed, "[\"drop-oldest\",\"drop-newest\",\"block\"]");
	pt_error_clear(&err);
}
END_TEST

START_TEST(variants_are_checked_each_by_its_row)
{
	refuse("{\"ops\": [{\"op\": \"add\"}]}", "ops[0].name", "'name' is missing");
	refuse("{\"ops\": [{\"op\": \"lnk\", \"from\": \"a\"}]}", "ops[0].op",
	       "did you mean 'link'?");
	refuse("{\"ops\": [{\"from\": \"a\"}]}", "ops[0].op", "'op' is missing");
	refuse("{\"ops\": [{\"op\": 3}]}", "ops[0].op", "must be text");
	refuse("{\"ops\": [\"add\"]}", "ops[0]", "an object with its \"op\"");
	refuse("{\"ops\": [{\"op\": \"link\", \"from\": \"a\", \"to\": \"b\", \"name\": \"c\"}]}",
	       "ops[0].name", "unknown parameter 'name'");
}
END_TEST

START_TEST(all_faults_are_listed)
{
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(check("{\"port\": 70000, \"flag\": 0, \"colour\": 1,"
	                       " \"ops\": [{\"op\": \"add\", \"name\": 1}, {\"op\": \"link\"}]}",
	                       &err),
	                 -PT_EPARAM);
	ck_assert_uint_eq(err.count, 6);
	ck_assert_str_eq(err.faults[0].path, "port");
	ck_assert_str_eq(err.faults[3].path, "ops[0].name");
	ck_assert_str_eq(err.faults[5].path, "ops[1].to");
	pt_error_clear(&err);
}
END_TEST

START_TEST(a_flood_of_faults_is_bounded)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *object = json_object(), *list = json_array();
	for (int i = 0; i < 1000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(object, "args", list);
	ck_assert_int_eq(param_check(rows, object, &err), -PT_EPARAM);
	ck_assert_uint_eq(err.count, 256);
	ck_assert_str_eq(err.faults[255].path, "args[255]");
	pt_error_clear(&err);
	json_decref(object);
}
END_TEST

START_TEST(long_values_are_cut_between_characters)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pt_error *e = &err;
	char text[400] = "{\"port\": \"";
	for (int i = 0; i < 60; i++)
		strcat(text, "ä");
	strcat(text, "\\n\"}");
	check(text, e);
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "ä…'"));
	ck_assert_ptr_null(strchr(err.faults[0].message, '\n'));
	pt_error_clear(e);
}
END_TEST

START_TEST(link_types_have_names)
{
	accept("{\"linktype\": \"EN10MB\"}");
	refuse("{\"linktype\": \"EN1OMB\"}", "linktype", "not 'EN1OMB'");
}
END_TEST

START_TEST(parameters_are_an_object)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *list = json("[1]");
	ck_assert_int_eq(param_check(rows, list, &err), -PT_EPARAM);
	ck_assert_ptr_null(err.faults[0].path);
	pt_error_clear(&err);
	json_decref(list);
}
END_TEST

START_TEST(of_some_exactly_one_is_given)
{
	static const struct pt_param choice[] = {
		{.name = "f", .kind = PT_KIND_PREDICATE, .fallback = "None", .flags = PT_ONE_OF},
		{.name = "port", .kind = PT_KIND_INT, .fallback = "0"},
		{.name = "filter", .kind = PT_KIND_FILTER, .fallback = "None", .flags = PT_ONE_OF},
		{NULL},
	};
	static const struct {
		const char *params, *words; /* NULL: taken */
	} cases[] = {
		{"{\"f\": \"always\"}", NULL},
		{"{\"filter\": \"tcp\", \"port\": 5}", NULL},
		{"{\"filter\": \"tcp\", \"f\": null}", NULL},
		{"{\"port\": 5}", "'f' or 'filter' is missing"},
		{"{\"f\": null}", "'f' or 'filter' is missing"},
		{"{\"f\": \"always\", \"filter\": \"tcp\"}", "either 'f' or 'filter', not both"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *params = json(cases[i].params);
		int rc = param_check(choice, params, &err);
		ck_assert_int_eq(rc, cases[i].words ? -PT_EPARAM : 0);
		if (rc)
			ck_assert_str_eq(pt_error_text(&err, ""), cases[i].words);
		pt_error_clear(&err);
		json_decref(params);
	}
	json_t *params = json("{\"f\": \"always\", \"port\": 5}");
	json_t *port = json("{\"port\": 6}"), *filter = json("{\"filter\": \"tcp\"}");
	param_unset_others(choice, params, port);
	ck_assert_uint_eq(json_object_size(params), 2);
	param_unset_others(choice, params, filter);
	ck_assert_uint_eq(json_object_size(params), 1);
	ck_assert_ptr_null(json_object_get(params, "f"));
	json_decref(params);
	json_decref(port);
	json_decref(filter);
}
END_TEST

UNIT_TESTS("type/param", good_values_pass, wrong_types_are_told, ranges_hold_at_their_ends,
           unknown_names_find_their_neighbour, variants_are_checked_each_by_its_row,
           all_faults_are_listed, a_flood_of_faults_is_bounded,
           long_values_are_cut_between_characters, link_types_have_names, parameters_are_an_object,
           of_some_exactly_one_is_given)
