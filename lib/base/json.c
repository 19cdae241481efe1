/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as text, and looking into what others made. */
#include "base/json.h"

#include "base/buf.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

static int add(const char *bytes, size_t length, void *buf)
{
	buf_add(buf, bytes, length);
	return 0;
}

void json_add(struct buf *b, const json_t *value)
{
	int code = json_dump_callback(value, add, b, JSON_ENCODE_ANY | JSON_COMPACT);
	assert(!code);
	(void)code;
}

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	if (value)
		return value;
	struct buf b = BUF_INIT;
	for (; *text; text++)
		buf_addf(&b, *text & 0x80 ? "\\x%02x" : "%c", (unsigned char)*text);
	value = json_stringn(b.data, b.length);
	buf_free(&b);
	return value;
}

const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	return text ? text : "";
}

double number_of(const json_t *object, const char *member)
{
	return json_number_value(json_object_get(object, member));
}

long long integer_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

double sum_of(const json_t *numbers)
{
	double sum = 0;
	const char *member;
	json_t *number;
	json_object_foreach (json_of(numbers), member, number)
		sum += json_number_value(number);
	return sum;
}

json_t *item_of(const json_t *list, const char *member, const char *text)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item)
		if (!strcmp(text_of(item, member), text))
			return item;
	return NULL;
}

bool json_has(const json_t *list, const json_t *item)
{
	json_each (one, list)
		if (json_equal(one, item))
			return true;
	return false;
}

json_t *json_of(const json_t *json)
{
	return (json_t *)(uintptr_t)json;
}
