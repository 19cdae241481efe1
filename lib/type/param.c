/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks values that users gave against the rows of a table. */
#include "type/kind.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/lent.h"
#include "base/path.h"
#include "base/rate.h"
#include "msg/json.h"
#include "msg/link_type.h"
#include "type/param_fault.h"
#include <errno.h>
#include <string.h>

#define SECONDS_MAX 1000000000 /* 31 years, where a row has no range */

const struct pt_param *param_find(const struct pt_param *rows, const char *name)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

static bool in_range(const struct pt_param *row, double n)
{
	if (row->min == 0 && row->max == 0)
		return row->kind != PT_KIND_SECONDS || (n >= 0 && n <= SECONDS_MAX);
	return n >= row->min && (row->max < row->min || n <= row->max);
}

/* Text that C can hold: without NUL inside. */
static bool is_text(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

int param_size_from_json(const json_t *value, uint64_t *bytes)
{
	if (is_text(value))
		return param_parse_size(json_string_value(value), bytes);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EINVAL;
	*bytes = (uint64_t)json_integer_value(value);
	return 0;
}

int param_seconds_from_json(const json_t *value, double *seconds)
{
	if (is_text(value))
		return param_parse_seconds(json_string_value(value), seconds);
	if (!json_is_number(value))
		return -EINVAL;
	*seconds = json_number_value(value);
	return 0;
}

int param_fd_from_json(const json_t *value, int *n, const char **name)
{
	const json_t *number = value;
	if (json_is_object(value) && json_object_size(value) == 1)
		number = json_object_get(value, "fd");
	*n = -1;
	*name = is_text(number) && json_string_length(number) ? json_string_value(number) : NULL;
	if (*name)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 0 ||
	    json_integer_value(number) > INT32_MAX)
		return -EINVAL;
	*n = (int)json_integer_value(number);
	return 0;
}

int param_link_type_from_json(const json_t *value, int *number)
{
	uint16_t found;
	if (json_is_null(value)) {
		*number = -1;
		return 0;
	}
	if (json_is_integer(value)) {
		json_int_t n = json_integer_value(value);
		if (n < 0 || n > UINT16_MAX)
			return -EINVAL;
		*number = (int)n;
		return 0;
	}
	if (!is_text(value) || link_type_parse(json_string_value(value), &found))
		return -EINVAL;
	*number = found;
	return 0;
}

/* A text, or {"fd": …} with so many members in all; `member`, where there is more than one, is a
   text. */
static bool is_passed(const json_t *value, const char *member, size_t members)
{
	int n;
	const char *name;
	const json_t *text = json_object_get(value, member), *fd = json_object_get(value, "fd");
	if (is_text(value))
		return true;
	return fd && !json_is_object(fd) && !param_fd_from_json(fd, &n, &name) &&
	       (members == 1 || is_text(text)) && json_object_size(value) == members;
}

/* The path may be missing; or the descriptor is a folder, in which it lies. */
static bool is_file(const json_t *value)
{
	const json_t *folder = json_object_get(value, "folder");
	const json_t *path = json_object_get(value, "path");
	if (!folder)
		return is_passed(value, "path", path ? 2 : 1);
	return is_text(folder) && is_text(path) && is_passed(value, "path", 3) &&
	       lent_has(json_string_value(folder), json_string_value(path));
}

static bool is_own(const struct pt_param *row, const json_t *value)
{
	const char *path = json_string_value(value);
	return path && path_own(path, row->flags & PT_WRITE) != -1;
}

static int refuse_own(const struct pt_param *row, const char *path, struct pt_error *err)
{
	if (!strcmp(path, "-"))
		pt_fail(err, -PT_EPARAM, row->name,
		        "'%s' is '-': that is standard %s with 'ptctl run' alone; give a path",
		        row->name, row->flags & PT_WRITE ? "output" : "input");
	else
		pt_fail(err, -PT_EPARAM, row->name, "'%s' would be the daemon's own %s", row->name,
		        path);
	pt_hint(err, strcmp(path, "-") ? "ptctl run hands over its own; elsewhere give a file"
	                               : "a file of that name is './-'");
	return -PT_EPARAM;
}

int kind_check_bool(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return json_is_boolean(value) ? 0 : fault_wrong(row, value, err);
}

int kind_check_text(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return is_text(value) ? 0 : fault_wrong(row, value, err);
}

int kind_check_linktype(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	int number;
	return param_link_type_from_json(value, &number) ? fault_wrong(row, value, err) : 0;
}

int kind_check_file(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	if (is_own(row, value))
		return refuse_own(row, json_string_value(value), err);
	return is_file(value) ? 0 : fault_wrong(row, value, err);
}

int kind_check_func(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return is_passed(value, "text", 2) ? 0 : fault_wrong(row, value, err);
}

int kind_check_fd(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	int number;
	const char *name;
	return param_fd_from_json(value, &number, &name) ? fault_wrong(row, value, err) : 0;
}

int kind_check_any(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return 0;
}

static bool number_fits(const struct pt_param *row, const json_t *value)
{
	uint64_t bytes;
	double seconds;
	switch (row->kind) {
	case PT_KIND_INT:
		return json_is_integer(value) && in_range(row, (double)json_integer_value(value));
	case PT_KIND_SIZE:
		return !param_size_from_json(value, &bytes) && in_range(row, (double)bytes);
	case PT_KIND_SECONDS:
		return !param_seconds_from_json(value, &seconds) && in_range(row, seconds);
	default: return json_is_number(value) && in_range(row, json_number_value(value));
	}
}

int kind_check_number(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return number_fits(row, value) ? 0 : fault_wrong(row, value, err);
}

int kind_check_rate(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	double bits_s;
	bool fits =
		is_text(value) && !rate_read(row->name, json_string_value(value), &bits_s, NULL);
	return fits ? 0 : fault_wrong(row, value, err);
}

int kind_check_choice(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	json_t *names = json_array();
	if (!is_text(value)) {
		json_decref(names);
		return fault_wrong(row, value, err);
	}
	for (const char *const *c = row->choices; c && *c; c++) {
		if (!strcmp(*c, json_string_value(value))) {
			json_decref(names);
			return 0;
		}
		json_array_append_new(names, json_string(*c));
	}
	const char *near = fault_nearest(json_string_value(value), names);
	int code = fault_wrong(row, value, err);
	if (!fault_enough(err)) {
		if (near)
			pt_hint(err, "did you mean '%s'?", near);
		fault_allowed(err, json_incref(names));
	}
	json_decref(names);
	return code;
}

int kind_check_bytes(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	struct buf bytes = BUF_INIT;
	size_t from = fault_mark(err);
	if (!json_is_string(value) && !json_is_object(value))
		return fault_wrong(row, value, err);
	int code = bytes_from_json(&bytes, value, fault_enough(err) ? NULL : err);
	buf_free(&bytes);
	error_prefix(err, from, row->name);
	return code;
}

/* By reading it. */
static int try_message(const json_t *value, struct pt_error *err)
{
	struct pt_given given;
	int code = given_from_json(&given, value, fault_enough(err) ? NULL : err);
	free(given.bytes.data);
	return code;
}

int kind_check_message(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	size_t from = fault_mark(err);
	if (!json_is_string(value) && !json_is_object(value))
		return fault_wrong(row, value, err);
	int code = try_message(value, err);
	error_prefix(err, from, row->name);
	return code;
}

static int check_items(const struct pt_param *row, const json_t *value, kind_check *check,
                       struct pt_error *err)
{
	size_t i, all = fault_mark(err);
	json_t *item;
	int code = 0;
	if (!json_is_array(value))
		return fault_wrong(row, value, err);
	json_array_foreach (value, i, item) {
		char place[32];
		size_t from = fault_mark(err);
		int c = check(row, item, err);
		snprintf(place, sizeof place, "[%zu]", i);
		error_prefix(err, from, place);
		code = code ? code : c;
	}
	error_prefix(err, all, row->name);
	return code;
}

static int check_string_item(const struct pt_param *row, const json_t *item, struct pt_error *err)
{
	if (row->choices && is_text(item))
		return kind_check_choice(row, item, err);
	return is_text(item) ? 0 : fault_wrong_item(row, item, "text", err);
}

static int check_message_item(const struct pt_param *row, const json_t *item, struct pt_error *err)
{
	if (json_is_string(item) || json_is_object(item))
		return try_message(item, err);
	return fault_wrong_item(
		row, item, "text, {\"hex\": …}, {\"base64\": …}, or one that block.recv gave", err);
}

int kind_check_messages(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return json_is_array(value) ? check_items(row, value, check_message_item, err)
	                            : kind_check_message(row, value, err);
}

static int check_file_item(const struct pt_param *row, const json_t *item, struct pt_error *err)
{
	if (is_own(row, item))
		return refuse_own(row, json_string_value(item), err);
	return is_file(item) ? 0 : fault_wrong_item(row, item, "a path or {\"fd\": …}", err);
}

int kind_check_files(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	if (json_is_array(value) && !json_array_size(value))
		return pt_fail(err, -PT_EPARAM, row->name, "'%s' names no file", row->name);
	return json_is_array(value) ? check_items(row, value, check_file_item, err)
	                            : kind_check_file(row, value, err);
}

int kind_check_strings(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	if (is_text(value))
		return check_string_item(row, value, err);
	return check_items(row, value, check_string_item, err);
}

static int check_members(const struct pt_param *rows, const json_t *object, const char *skip,
                         struct pt_error *err);

static int check_list_item(const struct pt_param *row, const json_t *item, struct pt_error *err)
{
	if (!row->members)
		return 0;
	if (!json_is_object(item))
		return fault_wrong_item(row, item, "an object", err);
	return check_members(row->members, item, NULL, err);
}

static int check_variant(const struct pt_param *row, const json_t *item, struct pt_error *err)
{
	if (!json_is_object(item))
		return fault_wrong_item(row, item, "an object with its \"op\"", err);
	const json_t *op = json_object_get(item, "op");
	if (!op) {
		if (!fault_enough(err)) {
			pt_fail(err, -PT_EPARAM, "op", "'op' is missing");
			fault_allowed(err, fault_row_names(row->members, NULL));
		}
		return -PT_EPARAM;
	}
	const struct pt_param *variant =
		is_text(op) ? param_find(row->members, json_string_value(op)) : NULL;
	if (variant)
		return check_members(variant->members, item, "op", err);
	if (is_text(op))
		return fault_unknown("op", "op", json_string_value(op),
		                     fault_row_names(row->members, NULL), err);
	static const struct pt_param text = {.name = "op", .kind = PT_KIND_STRING};
	return fault_wrong(&text, op, err);
}

int kind_check_list(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return check_items(row, value, check_list_item, err);
}

int kind_check_variants(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	return check_items(row, value, check_variant, err);
}

int kind_check_object(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	size_t from = fault_mark(err);
	if (json_is_string(value) && row->choices)
		return kind_check_choice(row, value, err);
	if (!json_is_object(value))
		return fault_wrong(row, value, err);
	if (!row->members)
		return 0;
	int code = check_members(row->members, value, NULL, err);
	error_prefix(err, from, row->name);
	return code;
}

bool param_may_be_none(const struct pt_param *row)
{
	return row->flags & PT_OR_NONE || (row->fallback && !strcmp(row->fallback, "None"));
}

int param_check_value(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	bool none = json_is_null(value) && param_may_be_none(row);
	return none ? 0 : kind_of(row)->check(row, value, err);
}

static bool is_given(const struct pt_param *row, const json_t *object)
{
	const json_t *value = json_object_get(object, row->name);
	return value && !json_is_null(value);
}

/* Of the rows of which exactly one is given. */
static int check_one_of(const struct pt_param *rows, const json_t *object, struct pt_error *err)
{
	const struct pt_param *first = NULL, *second = NULL;
	struct buf names = BUF_INIT;
	for (const struct pt_param *row = rows; row && row->name; row++) {
		if (!(row->flags & PT_ONE_OF))
			continue;
		buf_addf(&names, "%s'%s'", names.length ? " or " : "", row->name);
		if (!is_given(row, object))
			continue;
		if (first && !second)
			second = row;
		first = first ? first : row;
	}
	int code = 0;
	if (names.length && !first && !fault_enough(err))
		code = pt_fail(err, -PT_EPARAM, NULL, "%s is missing", names.data);
	else if (second && !fault_enough(err))
		code = pt_fail(err, -PT_EPARAM, second->name, "either '%s' or '%s', not both",
		               first->name, second->name);
	buf_free(&names);
	return code;
}

void param_unset_others(const struct pt_param *rows, json_t *object, const json_t *given)
{
	bool chosen = false;
	for (const struct pt_param *row = rows; row && row->name; row++)
		chosen |= row->flags & PT_ONE_OF && is_given(row, given);
	for (const struct pt_param *row = rows; chosen && row && row->name; row++)
		if (row->flags & PT_ONE_OF && !json_object_get(given, row->name))
			json_object_del(object, row->name);
}

static int check_members(const struct pt_param *rows, const json_t *object, const char *skip,
                         struct pt_error *err)
{
	const char *name;
	json_t *value;
	int code = 0;
	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		if (skip && !strcmp(name, skip))
			continue;
		const struct pt_param *row = param_find(rows, name);
		int c = row ? param_check_value(row, value, err)
		            : fault_unknown("parameter", name, name, fault_row_names(rows, skip),
		                            err);
		code = code ? code : c;
	}
	for (const struct pt_param *row = rows; row && row->name; row++)
		if (row->flags & PT_REQUIRED && !json_object_get(object, row->name)) {
			int c = fault_missing(row, err);
			code = code ? code : c;
		}
	int one_of = check_one_of(rows, object, err);
	return code ? code : one_of;
}

int param_check(const struct pt_param *rows, const json_t *object, struct pt_error *err)
{
	if (object && !json_is_object(object))
		return pt_fail(err, -PT_EPARAM, NULL, "parameters must be an object");
	return check_members(rows, object, NULL, err);
}
