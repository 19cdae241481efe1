/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes relative paths absolute. */
#include "lang/path.h"

#include "base/buf.h"
#include "base/json.h"
#include <string.h>

/* Past "./" and further slashes. */
static const char *pass_dots(const char *path)
{
	for (;;) {
		if (path[0] == '.' && (path[1] == '/' || !path[1]))
			path++;
		else if (path[0] == '/')
			path++;
		else
			return path;
	}
}

static void join(json_t **value, const char *directory)
{
	const char *path = json_string_value(*value);
	if (!*path || *path == '/' || !strcmp(path, "-"))
		return;
	struct buf b = BUF_INIT;
	buf_adds(&b, directory);
	while (b.length > 1 && b.data[b.length - 1] == '/')
		b.length--;
	for (const char *s = pass_dots(path); *s; s = pass_dots(s)) {
		size_t length = strcspn(s, "/");
		if (!b.length || b.data[b.length - 1] != '/')
			buf_addc(&b, '/');
		buf_add(&b, s, length);
		s += length;
	}
	if (path[strlen(path) - 1] == '/')
		buf_addc(&b, '/');
	json_t *joined = json_stringn(b.data, b.length);
	buf_free(&b);
	if (!joined)
		return;
	json_decref(*value);
	*value = joined;
}

static void join_items(json_t *list, const char *directory)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_incref(json_array_get(list, i));
		if (json_is_string(item))
			join(&item, directory);
		json_array_set_new(list, i, item);
	}
}

static void resolve_members(const struct pt_param *rows, json_t *object, const char *directory,
                            const char *out)
{
	for (const struct pt_param *row = rows; row && row->name; row++) {
		json_t *member = json_incref(json_object_get(object, row->name));
		if (!member)
			continue;
		path_resolve(row, &member, directory, out);
		json_object_set_new(object, row->name, member);
	}
}

void path_resolve(const struct pt_param *row, json_t **value, const char *directory,
                  const char *out)
{
	if (!row || !directory)
		return;
	const char *of_row = out && row->flags & PT_WRITE ? out : directory;
	bool path = row->kind == PT_KIND_PATH || row->kind == PT_KIND_FILE;
	if ((path || row->kind == PT_KIND_FILES) && json_is_string(*value))
		join(value, of_row);
	else if (row->kind == PT_KIND_FILES)
		join_items(*value, of_row);
	else if (row->kind == PT_KIND_OBJECT)
		resolve_members(row->members, *value, directory, out);
	else if (row->kind == PT_KIND_LIST)
		json_each (item, *value)
			resolve_members(row->members, item, directory, out);
}
