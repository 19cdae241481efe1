/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to be sent, and errors on the wire. */
#include "rpc/call.h"

#include "base/error.h"
#include "base/json.h"
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void add_member(struct buf *b, const char *name, const json_t *value)
{
	if (!value)
		return;
	buf_addf(b, ",\"%s\":", name);
	json_add(b, value);
}

static void begin(struct buf *b)
{
	buf_adds(b, "{\"jsonrpc\":\"2.0\"");
}

static void end(struct buf *b)
{
	buf_adds(b, "}\n");
}

void rpc_write_result(struct buf *b, const json_t *id, const json_t *result)
{
	begin(b);
	add_member(b, "id", id);
	if (result)
		add_member(b, "result", result);
	else
		buf_adds(b, ",\"result\":{}");
	end(b);
}

void rpc_write_error(struct buf *b, const json_t *id, const struct pt_error *err)
{
	json_t *error = rpc_error_to_json(err);
	begin(b);
	add_member(b, "id", id);
	add_member(b, "error", error);
	end(b);
	json_decref(error);
}

static void add_method(struct buf *b, const char *method)
{
	json_t *name = json_string(method);
	assert(name);
	add_member(b, "method", name);
	json_decref(name);
}

void rpc_write_notification(struct buf *b, const char *method, const json_t *params)
{
	begin(b);
	add_method(b, method);
	add_member(b, "params", params);
	end(b);
}

void rpc_write_notification_text(struct buf *b, const char *method, const char *params,
                                 size_t length)
{
	begin(b);
	add_method(b, method);
	buf_adds(b, ",\"params\":");
	buf_add(b, params, length);
	end(b);
}

void rpc_write_request(struct buf *b, json_int_t id, const char *method, const json_t *params,
                       int fds)
{
	begin(b);
	buf_addf(b, ",\"id\":%" JSON_INTEGER_FORMAT, id);
	add_method(b, method);
	add_member(b, "params", params);
	if (fds)
		buf_addf(b, ",\"fds\":%d", fds);
	end(b);
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_text(text));
}

/* One line, although it may quote what somebody has sent. */
static void set_line(json_t *object, const char *name, const char *text)
{
	struct buf b = BUF_INIT;
	for (; text && *text; text++)
		buf_addf(&b, iscntrl((unsigned char)*text) ? "\\x%02x" : "%c",
		         (unsigned char)*text);
	set_text(object, name, b.length ? b.data : text);
	buf_free(&b);
}

/* What is JSON already, as text; kept as a string where it is not. */
static void set_json(json_t *object, const char *name, const char *text)
{
	if (!text)
		return;
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	json_object_set_new(object, name, value ? value : json_text(text));
}

static void describe(json_t *data, const struct pt_fault *fault)
{
	const struct error_kind *kind = error_kind(fault->code);
	set_text(data, "kind", kind->name);
	if (kind->code == PT_EIO && -fault->code < PT_CODES)
		set_text(data, "errno", strerrorname_np(-fault->code));
	set_text(data, "path", fault->path);
	set_json(data, "value", fault->value);
	set_json(data, "allowed", fault->allowed);
	if (fault->line) {
		json_object_set_new(data, "line", json_integer(fault->line));
		json_object_set_new(data, "column", json_integer(fault->column));
		set_text(data, "caret", fault->caret);
	}
	if (!fault->caret || (fault->hint && strcmp(fault->hint, fault->caret) != 0))
		set_text(data, "hint", fault->hint);
}

json_t *rpc_error_to_json(const struct pt_error *err)
{
	static const struct pt_fault unknown = {.code = -PT_EINTERNAL};
	const struct pt_fault *first = err && err->count ? err->faults : &unknown;
	json_t *error = json_object(), *data = json_object(), *all = json_array();
	json_object_set_new(error, "code", json_integer(error_kind(first->code)->rpc));
	set_line(error, "message", first->message ? first->message : "no reason was given");
	describe(data, first);
	for (size_t i = 0; err && err->count > 1 && i < err->count; i++) {
		json_t *item = json_object();
		set_line(item, "message", err->faults[i].message);
		describe(item, &err->faults[i]);
		json_array_append_new(all, item);
	}
	if (json_array_size(all))
		json_object_set(data, "errors", all);
	json_decref(all);
	json_object_set_new(error, "data", data);
	return error;
}

static const char *text_or_null(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static int code_of(const json_t *data, const json_t *code)
{
	const char *name = text_or_null(data, "kind");
	const struct error_kind *kind = name ? error_kind_by_name(name) : NULL;
	if (!kind && json_is_integer(code) &&
	    json_integer_value(code) == (int)json_integer_value(code))
		kind = error_kind_by_rpc((int)json_integer_value(code));
	return kind ? -kind->code : -PT_EINTERNAL;
}

static void add_text(struct pt_error *err, const json_t *value,
                     void (*put)(struct pt_error *, const char *))
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	if (text)
		put(err, text);
	free(text);
}

static void add_fault(struct pt_error *err, int code, const char *message, const json_t *data)
{
	pt_fail(err, code, text_or_null(data, "path"), "%s", message ? message : error_words(code));
	add_text(err, json_object_get(data, "value"), error_value);
	add_text(err, json_object_get(data, "allowed"), error_allowed);
	const char *caret = text_or_null(data, "caret"), *hint = text_or_null(data, "hint");
	if (err && caret)
		error_place(&err->faults[err->count - 1],
		            (unsigned)json_integer_value(json_object_get(data, "line")),
		            (unsigned)json_integer_value(json_object_get(data, "column")), caret);
	if (hint || caret)
		pt_hint(err, "%s", hint ? hint : caret);
}

void rpc_error_from_json(const json_t *error, struct pt_error *err)
{
	size_t i;
	json_t *item, *data = json_object_get(error, "data");
	json_t *code = json_object_get(error, "code"), *all = json_object_get(data, "errors");
	if (!json_array_size(all))
		add_fault(err, code_of(data, code), text_or_null(error, "message"), data);
	json_array_foreach (all, i, item)
		add_fault(err, code_of(item, i ? NULL : code), text_or_null(item, "message"), item);
}
