/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads checked values into the state of a block, and releases them. */
#include "type/kind.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/named_fd.h"
#include "base/path.h"
#include "base/rate.h"
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
	if (kind_of(row)->traits & KIND_TEXT)
		return unquoted(text);
	if (row->kind == PT_KIND_BOOL && is_word(text, "true", "True"))
		return json_true();
	if (row->kind == PT_KIND_BOOL && is_word(text, "false", "False"))
		return json_false();
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : unquoted(text);
}

/* ---- one value of each kind ---- */

int kind_read_bool(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	*(bool *)field = json_is_true(value);
	return 0;
}

int kind_read_int(const struct pt_param *row, const json_t *value, void *field,
                  const struct param_env *env, struct pt_error *err)
{
	*(int64_t *)field = json_integer_value(value);
	return 0;
}

int kind_read_number(const struct pt_param *row, const json_t *value, void *field,
                     const struct param_env *env, struct pt_error *err)
{
	*(double *)field = json_number_value(value);
	return 0;
}

int kind_read_size(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	return param_size_from_json(value, field);
}

int kind_read_seconds(const struct pt_param *row, const json_t *value, void *field,
                      const struct param_env *env, struct pt_error *err)
{
	return param_seconds_from_json(value, field);
}

int kind_read_rate(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	return rate_read(row->name, json_string_value(value), field, err);
}

int kind_read_linktype(const struct pt_param *row, const json_t *value, void *field,
                       const struct param_env *env, struct pt_error *err)
{
	return param_link_type_from_json(value, field);
}

int kind_read_string(const struct pt_param *row, const json_t *value, void *field,
                     const struct param_env *env, struct pt_error *err)
{
	*(char **)field = must_strdup(json_string_value(value));
	return 0;
}

int kind_read_json(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	*(json_t **)field = json_incref(json_of(value));
	return 0;
}

int kind_read_strings(const struct pt_param *row, const json_t *value, void *field,
                      const struct param_env *env, struct pt_error *err)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	char **list = must_calloc(count + 1, sizeof *list);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		list[i] = must_strdup(json_string_value(item));
	}
	*(char ***)field = list;
	return 0;
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

int kind_read_bytes(const struct pt_param *row, const json_t *value, void *field,
                    const struct param_env *env, struct pt_error *err)
{
	return param_bytes_from_json(value, field, err);
}

int kind_read_message(const struct pt_param *row, const json_t *value, void *field,
                      const struct param_env *env, struct pt_error *err)
{
	return given_from_json(field, value, err);
}

int kind_read_messages(const struct pt_param *row, const json_t *value, void *field,
                       const struct param_env *env, struct pt_error *err)
{
	struct pt_given_list *list = field;
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	list->items = must_calloc(count + 1, sizeof *list->items);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		int code = given_from_json(&list->items[i], item, err);
		if (code)
			return code;
		list->count++;
	}
	return 0;
}

static int choice_of(const struct pt_param *row, const json_t *value)
{
	for (int i = 0; row->choices[i]; i++)
		if (!strcmp(row->choices[i], json_string_value(value)))
			return i;
	return -1;
}

int kind_read_choice(const struct pt_param *row, const json_t *value, void *field,
                     const struct param_env *env, struct pt_error *err)
{
	*(int *)field = choice_of(row, value);
	return 0;
}

int kind_read_fd(const struct pt_param *row, const json_t *value, void *field,
                 const struct param_env *env, struct pt_error *err)
{
	int *fd = field;
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

int kind_read_func(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	struct pt_func **func = field;
	size_t from = err ? err->count : 0;
	const json_t *fd = json_object_get(value, "fd");
	const char *text = json_string_value(fd ? json_object_get(value, "text") : value);
	if (!env || !env->compile || (fd && !env->hand))
		return pt_fail(err, -PT_EPARAM, row->name, "'%s': functions cannot be used here",
		               row->name);
	int code = env->compile(env->arg, row->kind, text, func, err), file = -1;
	error_prefix(err, from, row->name);
	if (!code && fd) {
		code = kind_read_fd(row, fd, &file, env, err);
		env->hand(*func, file);
	}
	return code;
}

int kind_read_path(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	char **path = field;
	const char *given = json_string_value(value);
	*path = must_strdup(given);
	if (!env || !env->folders || path_is_within(given, env->folders))
		return 0;
	return path_read_failed(env->folders, row->name, given, -PT_EPERMITTED, err);
}

static int take_folder(const struct pt_param *row, const char *folder, struct pt_file *file,
                       const struct param_env *env, struct pt_error *err)
{
	if (!env->lend)
		return pt_fail(err, -PT_EPARAM, row->name,
		               "'%s': no folder can be handed over here", row->name);
	file->folders = env->lend(env->arg, file->fd, folder);
	file->fd = -1;
	return 0;
}

int kind_read_file(const struct pt_param *row, const json_t *value, void *field,
                   const struct param_env *env, struct pt_error *err)
{
	struct pt_file *file = field;
	const json_t *fd = json_object_get(value, "fd");
	const char *path = json_string_value(json_object_get(value, "path"));
	const char *folder = json_string_value(json_object_get(value, "folder"));
	if (!fd)
		return kind_read_path(row, value, &file->path, env, err);
	file->path = path ? must_strdup(path)
	             : json_is_string(fd)
	                     ? must_strdup(json_string_value(fd))
	                     : must_printf("descriptor %d", (int)json_integer_value(fd));
	int code = kind_read_fd(row, fd, &file->fd, env, err);
	if (!code && file->fd < 0)
		file->fd = PT_FD_GONE;
	if (!code && file->fd >= 0 && folder)
		code = take_folder(row, folder, file, env, err);
	return code;
}

int kind_read_files(const struct pt_param *row, const json_t *value, void *field,
                    const struct param_env *env, struct pt_error *err)
{
	struct pt_files *files = field;
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	files->items = must_calloc(count, sizeof *files->items);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		files->items[i].fd = -1;
		files->count++;
		int code = kind_read_file(row, item, &files->items[i], env, err);
		if (code)
			return code;
	}
	return 0;
}

static int read_members(const struct pt_param *rows, const json_t *object, void *state,
                        const struct param_env *env, struct pt_error *err);

/* A word stands for what it means. */
int kind_read_object(const struct pt_param *row, const json_t *value, void *field,
                     const struct param_env *env, struct pt_error *err)
{
	size_t from = err ? err->count : 0;
	json_t *meant = json_is_string(value)
	                        ? json_loads(row->meanings[choice_of(row, value)], 0, NULL)
	                        : json_incref(json_of(value));
	int code = read_members(row->members, meant, field, env, err);
	error_prefix(err, from, row->name);
	json_decref(meant);
	return code;
}

static void *field_of(const struct pt_param *row, void *state)
{
	return (char *)state + row->offset;
}

static void read_none(const struct pt_param *row, void *field)
{
	if (kind_of(row)->traits & KIND_MINUS)
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
		return kind_of(row)->read(row, value, field, env, err);
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

void kind_release_string(const struct pt_param *row, void *field, const struct param_env *env)
{
	free(*(char **)field);
}

void kind_release_bytes(const struct pt_param *row, void *field, const struct param_env *env)
{
	free(((struct pt_bytes *)field)->data);
}

void kind_release_message(const struct pt_param *row, void *field, const struct param_env *env)
{
	free(((struct pt_given *)field)->bytes.data);
}

void kind_release_messages(const struct pt_param *row, void *field, const struct param_env *env)
{
	struct pt_given_list *list = field;
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].bytes.data);
	free(list->items);
}

void kind_release_strings(const struct pt_param *row, void *field, const struct param_env *env)
{
	char **list = *(char ***)field;
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void kind_release_func(const struct pt_param *row, void *field, const struct param_env *env)
{
	if (*(struct pt_func **)field)
		env->release(*(struct pt_func **)field);
}

void kind_release_fd(const struct pt_param *row, void *field, const struct param_env *env)
{
	if (*(int *)field >= 0)
		close(*(int *)field);
}

void kind_release_file(const struct pt_param *row, void *field, const struct param_env *env)
{
	struct pt_file *file = field;
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
}

void kind_release_files(const struct pt_param *row, void *field, const struct param_env *env)
{
	struct pt_files *files = field;
	for (size_t i = 0; i < files->count; i++)
		kind_release_file(row, &files->items[i], env);
	free(files->items);
}

void kind_release_json(const struct pt_param *row, void *field, const struct param_env *env)
{
	json_decref(*(json_t **)field);
}

void kind_release_object(const struct pt_param *row, void *field, const struct param_env *env)
{
	param_release(row->members, field, env);
}

static void release_value(const struct pt_param *row, void *field, const struct param_env *env)
{
	const struct kind *kind = kind_of(row);
	if (kind->release)
		kind->release(row, field, env);
	memset(field, 0, kind->size);
	read_none(row, field);
}

void param_release(const struct pt_param *rows, void *state, const struct param_env *env)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		release_value(row, field_of(row, state), env);
}

/* ---- sizes ---- */

size_t param_size(const struct pt_param *row)
{
	size_t size = kind_of(row)->size;
	return size ? size : param_extent(row->members);
}

size_t param_extent(const struct pt_param *rows)
{
	size_t end = 0;
	for (const struct pt_param *row = rows; row && row->name; row++)
		if (row->offset + param_size(row) > end)
			end = row->offset + param_size(row);
	return end;
}
