/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as JSON, and from JSON. */
#include "msg/json.h"

#include "base/buf.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/moment.h"
#include "msg/pool.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const canals[] = {"low", "high", "trigger"};

const char *canal_name(enum pt_canal canal)
{
	return canals[canal];
}

int canal_parse(const char *word, enum pt_canal *canal)
{
	for (int i = 0; i < 3; i++) {
		if (!strcmp(word, canals[i])) {
			*canal = (enum pt_canal)i;
			return 0;
		}
	}
	return -EINVAL;
}

json_t *bytes_to_json(const void *bytes, size_t length)
{
	const char *at = length ? bytes : "";
	json_t *text = memchr(at, 0, length) ? NULL : json_stringn(at, length);
	if (text)
		return text;
	struct buf b = BUF_INIT;
	encode_base64(&b, bytes, length);
	json_t *object = json_pack("{s:s#}", "base64", b.data, b.length);
	buf_free(&b);
	return object;
}

static int encoded(struct buf *out, const json_t *object, struct pt_error *err)
{
	const json_t *base64 = json_object_get(object, "base64"),
		     *hex = json_object_get(object, "hex");
	if (json_object_size(object) != 1 || (!json_is_string(base64) && !json_is_string(hex)))
		return pt_fail(err, -PT_EPARAM, NULL,
		               "a message is a text, {\"base64\": \"…\"} or {\"hex\": \"…\"}");
	const json_t *text = base64 ? base64 : hex;
	int rc = base64 ? decode_base64(out, json_string_value(text), json_string_length(text))
	                : decode_hex(out, json_string_value(text), json_string_length(text));
	if (rc)
		return pt_fail(err, -PT_EPARAM, base64 ? "base64" : "hex", "this is not %s",
		               base64 ? "base64 (with its padding)" : "hex (two digits a byte)");
	return 0;
}

int bytes_from_json(struct buf *out, const json_t *value, struct pt_error *err)
{
	if (json_is_object(value))
		return encoded(out, value, err);
	if (!json_is_string(value))
		return pt_fail(err, -PT_EPARAM, NULL,
		               "a message is a text, {\"base64\": \"…\"} or {\"hex\": \"…\"}");
	buf_add(out, json_string_value(value), json_string_length(value));
	return 0;
}

json_t *msg_to_json(const struct pt_msg *m, enum pt_canal canal)
{
	json_t *object = json_pack("{s:o, s:s}", "message", bytes_to_json(m->bytes, m->length),
	                           "canal", canals[canal]);
	assert(object);
	if (pt_msg_is_text(m))
		json_object_set_new(object, "text", json_true());
	if (m->link_type != PT_NO_LINK_TYPE) {
		char time[MOMENT_MAX];
		moment_print(m->time_ns, time);
		json_object_set_new(object, "time", json_string(time));
		json_object_set_new(object, "link_type", json_integer(m->link_type));
		json_object_set_new(object, "wire_length", json_integer(m->wire_length));
	}
	return object;
}

static int whole(const json_t *object, const char *name, json_int_t max, json_int_t *value,
                 struct pt_error *err)
{
	const json_t *given = json_object_get(object, name);
	if (!given)
		return 0;
	json_int_t number = json_integer_value(given);
	if (!json_is_integer(given) || number < 0 || number > max)
		return pt_fail(err, -PT_EPARAM, name, "'%s' is a whole number from 0 to %" PRId64,
		               name, (int64_t)max);
	*value = number;
	return 0;
}

static int check_members(const json_t *object, struct pt_error *err)
{
	static const char *const known[] = {"message",     "canal", "time", "link_type",
	                                    "wire_length", "text",  NULL};
	const char *name;
	json_t *value;
	int rc = 0;
	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		size_t i = 0;
		while (known[i] && strcmp(known[i], name))
			i++;
		if (!known[i])
			rc = pt_fail(err, -PT_EPARAM, name, "a message has no member '%s'", name);
	}
	return rc;
}

static int check_canal(const json_t *object, struct pt_error *err)
{
	const json_t *canal = json_object_get(object, "canal");
	enum pt_canal parsed;
	if (!canal || (json_is_string(canal) && !canal_parse(json_string_value(canal), &parsed)))
		return 0;
	return pt_fail(err, -PT_EPARAM, "canal", "'canal' is one of 'low', 'high' and 'trigger'");
}

static int read_time(const json_t *object, int64_t *time_ns, struct pt_error *err)
{
	const json_t *time = json_object_get(object, "time");
	if (!time || (json_is_string(time) && !moment_parse(json_string_value(time), time_ns)))
		return 0;
	return pt_fail(
		err, -PT_EPARAM, "time",
		"'time' is a text, seconds since 1970: \"12.5\"; from 1677 to 2262, and no finer "
		"than nanoseconds");
}

static int read_text(const json_t *object, bool *is_text, struct pt_error *err)
{
	const json_t *text = json_object_get(object, "text");
	*is_text = json_is_true(text);
	return !text || json_is_boolean(text)
	               ? 0
	               : pt_fail(err, -PT_EPARAM, "text", "'text' is true or false");
}

/* All that is wrong is told. */
static int describe(const json_t *object, struct pt_given *given, struct pt_error *err)
{
	json_int_t link_type = PT_NO_LINK_TYPE, wire_length = 0;
	const int faults[] = {check_members(object, err),
	                      check_canal(object, err),
	                      read_time(object, &given->time_ns, err),
	                      read_text(object, &given->is_text, err),
	                      whole(object, "link_type", PT_NO_LINK_TYPE - 1, &link_type, err),
	                      whole(object, "wire_length", UINT32_MAX, &wire_length, err)};
	int rc = 0;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		rc = rc ? rc : faults[i];
	given->is_packet = link_type != PT_NO_LINK_TYPE;
	given->link_type = (uint16_t)link_type;
	given->wire_length = (uint32_t)wire_length;
	return rc;
}

/* A text, or an object with its encoding, at `path`; NULL: in the place of the message itself. */
static int read_bytes(struct buf *out, const json_t *value, const char *path, struct pt_error *err)
{
	size_t before = err ? err->count : 0;
	int rc = bytes_from_json(out, value, err);
	if (rc && path)
		error_prefix(err, before, path);
	return rc;
}

int given_from_json(struct pt_given *given, const json_t *value, struct pt_error *err)
{
	const json_t *inner = json_is_object(value) ? json_object_get(value, "message") : NULL;
	struct buf bytes = BUF_INIT;
	*given = (struct pt_given){.is_text = false};
	int rc = inner ? describe(value, given, err) : 0;
	int c = read_bytes(&bytes, inner ? inner : value, inner ? "message" : NULL, err);
	if (rc || c) {
		buf_free(&bytes);
		return rc ? rc : c;
	}
	given->bytes.length = bytes.length;
	given->bytes.data = (uint8_t *)buf_steal(&bytes);
	return 0;
}

struct pt_msg *msg_from_json(struct pt_pool *pool, const json_t *value, struct pt_error *err)
{
	struct pt_given given;
	if (given_from_json(&given, value, err))
		return NULL;
	struct pt_msg *m = pt_msg_given(pool, &given);
	if (!m)
		pt_fail(err, -ENOMEM, NULL, "the engine's memory limit is reached");
	free(given.bytes.data);
	return m;
}
