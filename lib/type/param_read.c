/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads checked values into the state of a block, and releases them. */
#include "type/param.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/named_fd.h"
#include "base/path.h"
#include "msg/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- defaults ---- */

static bool is_word(const char *text, const char *word, const char *python)
{
	return !strcmp(text, word) || !strcmp(text, python);
}

static json_t *unquoted(const char *text)
{
	size_t length = strlen(text);
	if (length < 2 || (*text != '\'' && *text != '"') || text[length - 1] != *text)
		return json_string(text);
	return json_stringn(text + 1, length - 2);
}

json_t *param_default(const struct pt_param *row)
{
	const char *text = row->fallback;
	if (row->flags & PT_REQUIRED)
		return NULL;
	if (!text || is_word(text, "None", "null"))
		return json_null();
	switch (row->kind) {
	case PT_KIND_BOOL:
		if (is_word(text, "true", "True"))
			return json_true();
		if (is_word(text, "false", "False"))
			return json_false();
		break;
	case PT_KIND_STRING:
	case PT_KIND_PATH:
	case PT_KIND_FILE:
	case PT_KIND_CHOICE:
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE:
	case PT_KIND_FILTER: return unquoted(text);
	default: break;
	}
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : unquoted(text);
}

/* ---- one value ---- */

static char **read_strings(const json_t *value)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	char **list = must_calloc(count + 1, sizeof *list);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		list[i] = must_strdup(json_string_value(item));
	}
	return list;
}

int param_bytes_from_json(const json_t *value, struct pt_bytes *out, struct pt_error *err)
{
	struct buf b = BUF_INIT;
	int code = bytes_from_json(&b, value, err);
	if (code) {
		buf_free(&b);
		return code;
	}
	out->length = b.length;
	out->data = (uint8_t *)buf_steal(&b);
	return 0;
}

json_t *param_bytes_to_json(const void *bytes, size_t length)
{
	return bytes_to_json(bytes, length);
}

static int read_messages(const json_t *value, struct pt_bytes_list *list, struct pt_error *err)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	list->items = must_calloc(count + 1, sizeof *list->items);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		int code = param_bytes_from_json(item, &list->items[i], err);
		if (code)
			return code;
		list->count++;
	}
	return 0;
}

static int read_choice(const struct pt_param *row, const json_t *value)
{
	for (int i = 0; row->choices[i]; i++)
		if (!strcmp(row->choices[i], json_string_value(value)))
			return i;
	return -1;
}

static int read_fd(const struct pt_param *row, const json_t *value, int *fd,
                   const struct param_env *env, struct pt_error *err)
{
	int n;
	const char *name;
	int code = param_fd_from_json(value, &n, &name);
	if (code)
		return code;
	if (name) {
		*fd = named_fd_get(name, row->name, err);
		return *fd < 0 ? *fd : 0;
	}
	*fd = env && env->descriptor ? env->descriptor(env->arg, n) : -1;
	if (*fd >= 0)
		return 0;
	if (*fd == -ESTALE) {
		*fd = PT_FD_GONE;
		return 0;
	}
	return pt_fail(err, -PT_EPARAM, row->name,
	               "'%s': no descriptor %d came with the request; hand it over with --fd",
	               row->name, n);
}

static int read_func(const struct pt_param *row, const json_t *value, struct pt_func **func,
                     const struct param_env *env, struct pt_error *err)
{
	size_t from = err ? err->count : 0;
	const json_t *fd = json_object_get(value, "fd");
	const char *text = json_string_value(fd ? json_object_get(value, "text") : value);
	if (!env || !env->compile || (fd && !env->hand))
		return pt_fail(err, -PT_EPARAM, row->name, "'%s': functions cannot be used here",
		               row->name);
	int code = env->compile(env->arg, row->kind, text, func, err), file = -1;
	error_prefix(err, from, row->name);
	if (!code && fd) {
		code = read_fd(row, fd, &file, env, err);
		env->hand(*func, file);
	}
	return code;
}

static int read_path(const struct pt_param *row, const json_t *value, char **path,
                     const struct param_env *env, struct pt_error *err)
{
	const char *given = json_string_value(value);
	*path = must_strdup(given);
	if (!env || !env->folders || path_is_within(given, env->folders))
		return 0;
	return path_read_failed(env->folders, row->name, given, -PT_EPERMITTED, err);
}

static int read_file(const struct pt_param *row, const json_t *value, struct pt_file *file,
                     const struct param_env *env, struct pt_error *err)
{
	const json_t *fd = json_object_get(value, "fd");
	const char *path = json_string_value(json_object_get(value, "path"));
	if (!fd)
		return read_path(row, value, &file->path, env, err);
	file->path = path ? must_strdup(path)
	             : json_is_string(fd)
	                     ? must_strdup(json_string_value(fd))
	                     : must_printf("descriptor %d", (int)json_integer_value(fd));
	int code = read_fd(row, fd, &file->fd, env, err);
	if (!code && file->fd < 0)
		file->fd = PT_FD_GONE;
	return code;
}

static int read_members(const struct pt_param *rows, const json_t *object, void *state,
                        const struct param_env *env, struct pt_error *err);

/* A word stands for what it means. */
static int read_object(const struct pt_param *row, const json_t *value, void *field,
                       const struct param_env *env, struct pt_error *err)
{
	size_t from = err ? err->count : 0;
	json_t *meant = json_is_string(value)
	                        ? json_loads(row->meanings[read_choice(row, value)], 0, NULL)
	                        : json_incref((json_t *)(uintptr_t)value);
	int code = read_members(row->members, meant, field, env, err);
	error_prefix(err, from, row->name);
	json_decref(meant);
	return code;
}

static int read_value(const struct pt_param *row, const json_t *value, void *field,
                      const struct param_env *env, struct pt_error *err)
{
	switch (row->kind) {
	case PT_KIND_BOOL: *(bool *)field = json_is_true(value); return 0;
	case PT_KIND_INT: *(int64_t *)field = json_integer_value(value); return 0;
	case PT_KIND_NUMBER: *(double *)field = json_number_value(value); return 0;
	case PT_KIND_SIZE: return param_size_from_json(value, field);
	case PT_KIND_SECONDS: return param_seconds_from_json(value, field);
	case PT_KIND_STRING: *(char **)field = must_strdup(json_string_value(value)); return 0;
	case PT_KIND_PATH: return read_path(row, value, field, env, err);
	case PT_KIND_FILE: return read_file(row, value, field, env, err);
	case PT_KIND_CHOICE: *(int *)field = read_choice(row, value); return 0;
	case PT_KIND_BYTES: return param_bytes_from_json(value, field, err);
	case PT_KIND_MESSAGES: return read_messages(value, field, err);
	case PT_KIND_STRINGS: *(char ***)field = read_strings(value); return 0;
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE:
	case PT_KIND_FILTER: return read_func(row, value, field, env, err);
	case PT_KIND_LINKTYPE: return param_link_type_from_json(value, field);
	case PT_KIND_FD: return read_fd(row, value, field, env, err);
	case PT_KIND_OBJECT: break;
	case PT_KIND_LIST:
	case PT_KIND_VARIANTS:
	case PT_KIND_JSON: *(json_t **)field = json_incref((json_t *)(uintptr_t)value); return 0;
	}
	return read_object(row, value, field, env, err);
}

static void *field_of(const struct pt_param *row, void *state)
{
	return (char *)state + row->offset;
}

static void read_none(const struct pt_param *row, void *field)
{
	if (row->kind == PT_KIND_LINKTYPE || row->kind == PT_KIND_FD || row->kind == PT_KIND_CHOICE)
		*(int *)field = -1;
	if (row->kind == PT_KIND_FILE)
		((struct pt_file *)field)->fd = -1;
	for (const struct pt_param *m = row->members; m && m->name && row->kind == PT_KIND_OBJECT;
	     m++)
		read_none(m, field_of(m, field));
}

/* An object that is None has its members' defaults. */
static int read_field(const struct pt_param *row, const json_t *value, void *field,
                      const struct param_env *env, struct pt_error *err)
{
	if (value && !json_is_null(value))
		return read_value(row, value, field, env, err);
	return row->kind == PT_KIND_OBJECT ? read_members(row->members, NULL, field, env, err) : 0;
}

static int read_members(const struct pt_param *rows, const json_t *object, void *state,
                        const struct param_env *env, struct pt_error *err)
{
	int code = 0;
	for (const struct pt_param *row = rows; row && row->name; row++) {
		json_t *value = json_incref(json_object_get(object, row->name));
		if (!value)
			value = param_default(row);
		int c = read_field(row, value, field_of(row, state), env, err);
		code = code ? code : c;
		json_decref(value);
	}
	return code;
}

int param_read(const struct pt_param *rows, const json_t *object, void *state,
               const struct param_env *env, struct pt_error *err)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		read_none(row, field_of(row, state));
	return read_members(rows, object, state, env, err);
}

/* ---- release ---- */

static void release_messages(struct pt_bytes_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].data);
	free(list->items);
	*list = (struct pt_bytes_list){NULL, 0};
}

static void release_strings(char ***list)
{
	for (char **s = *list; s && *s; s++)
		free(*s);
	free(*list);
	*list = NULL;
}

static void release_file(struct pt_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	file->path = NULL;
}

static void release_value(const struct pt_param *row, void *field, const struct param_env *env)
{
	switch (row->kind) {
	case PT_KIND_BOOL: *(bool *)field = false; break;
	case PT_KIND_INT: *(int64_t *)field = 0; break;
	case PT_KIND_NUMBER:
	case PT_KIND_SECONDS: *(double *)field = 0; break;
	case PT_KIND_SIZE: *(uint64_t *)field = 0; break;
	case PT_KIND_STRING:
	case PT_KIND_PATH:
		free(*(char **)field);
		*(char **)field = NULL;
		break;
	case PT_KIND_BYTES:
		free(((struct pt_bytes *)field)->data);
		*(struct pt_bytes *)field = (struct pt_bytes){NULL, 0};
		break;
	case PT_KIND_MESSAGES: release_messages(field); break;
	case PT_KIND_STRINGS: release_strings(field); break;
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE:
	case PT_KIND_FILTER:
		if (*(struct pt_func **)field)
			env->release(*(struct pt_func **)field);
		*(struct pt_func **)field = NULL;
		break;
	case PT_KIND_FILE: release_file(field); break;
	case PT_KIND_FD:
		if (*(int *)field >= 0)
			close(*(int *)field);
		break;
	case PT_KIND_LIST:
	case PT_KIND_VARIANTS:
	case PT_KIND_JSON:
		json_decref(*(json_t **)field);
		*(json_t **)field = NULL;
		break;
	case PT_KIND_OBJECT: param_release(row->members, field, env); break;
	case PT_KIND_CHOICE:
	case PT_KIND_LINKTYPE: break;
	}
	read_none(row, field);
}

void param_release(const struct pt_param *rows, void *state, const struct param_env *env)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		release_value(row, field_of(row, state), env);
}

/* ---- update ---- */

size_t param_size(const struct pt_param *row)
{
	switch (row->kind) {
	case PT_KIND_BOOL: return sizeof(bool);
	case PT_KIND_INT: return sizeof(int64_t);
	case PT_KIND_NUMBER:
	case PT_KIND_SECONDS: return sizeof(double);
	case PT_KIND_SIZE: return sizeof(uint64_t);
	case PT_KIND_FILE: return sizeof(struct pt_file);
	case PT_KIND_BYTES: return sizeof(struct pt_bytes);
	case PT_KIND_MESSAGES: return sizeof(struct pt_bytes_list);
	case PT_KIND_CHOICE:
	case PT_KIND_LINKTYPE:
	case PT_KIND_FD: return sizeof(int);
	case PT_KIND_STRING:
	case PT_KIND_PATH:
	case PT_KIND_STRINGS:
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE:
	case PT_KIND_FILTER:
	case PT_KIND_LIST:
	case PT_KIND_VARIANTS:
	case PT_KIND_JSON: return sizeof(void *);
	case PT_KIND_OBJECT: break;
	}
	return param_extent(row->members);
}

size_t param_extent(const struct pt_param *rows)
{
	size_t end = 0;
	for (const struct pt_param *row = rows; row && row->name; row++)
		if (row->offset + param_size(row) > end)
			end = row->offset + param_size(row);
	return end;
}

int param_update(const struct pt_param *rows, const json_t *object, void *state,
                 const struct param_env *env, struct pt_error *err)
{
	char *fresh = must_calloc(1, param_extent(rows) + 1);
	int code = 0;
	for (const struct pt_param *row = rows; row && row->name; row++) {
		const json_t *value = json_object_get(object, row->name);
		read_none(row, field_of(row, fresh));
		int c = value ? read_field(row, value, field_of(row, fresh), env, err) : 0;
		code = code ? code : c;
	}
	for (const struct pt_param *row = rows; row && row->name && !code; row++) {
		if (!json_object_get(object, row->name))
			continue;
		release_value(row, field_of(row, state), env);
		memcpy(field_of(row, state), field_of(row, fresh), param_size(row));
		memset(field_of(row, fresh), 0, param_size(row));
		read_none(row, field_of(row, fresh));
	}
	param_release(rows, fresh, env);
	free(fresh);
	return code;
}
