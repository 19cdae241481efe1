/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a value, in words, with what would be allowed. */
#include "type/param_fault.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/near.h"
#include <string.h>

enum {
	SHOWN_MAX = 60,   /* bytes of a value in a message */
	VALUE_MAX = 1024, /* bytes of a value given back as JSON */
};

bool fault_enough(const struct pt_error *err)
{
	return !err || err->count >= ERROR_FAULTS_MAX;
}

size_t fault_mark(const struct pt_error *err)
{
	return err ? err->count : 0;
}

/* Text in quotes on one line, cut where it is long. */
static void show_text(struct buf *b, const char *text, size_t length)
{
	size_t end = length;
	if (end > SHOWN_MAX) {
		end = SHOWN_MAX;
		while (end && ((unsigned char)text[end] & 0xc0) == 0x80)
			end--;
	}
	buf_addc(b, '\'');
	for (size_t i = 0; i < end; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			buf_addf(b, "\\x%02x", (unsigned char)text[i]);
		else
			buf_addc(b, text[i]);
	}
	buf_adds(b, end < length ? "…'" : "'");
}

/* 1.0 is not 1: where an integer is wanted, that is what is wrong. */
static void show_real(struct buf *b, double value)
{
	char text[32];
	snprintf(text, sizeof text, "%.15g", value);
	buf_addf(b, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static char *show(const json_t *value)
{
	struct buf b = BUF_INIT;
	switch (json_typeof(value)) {
	case JSON_OBJECT: buf_adds(&b, "an object"); break;
	case JSON_ARRAY: buf_adds(&b, "a list"); break;
	case JSON_STRING: show_text(&b, json_string_value(value), json_string_length(value)); break;
	case JSON_INTEGER: buf_addf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
	case JSON_REAL: show_real(&b, json_real_value(value)); break;
	case JSON_TRUE: buf_adds(&b, "true"); break;
	case JSON_FALSE: buf_adds(&b, "false"); break;
	case JSON_NULL: buf_adds(&b, "null (None)"); break;
	}
	return buf_steal(&b);
}

void fault_value(struct pt_error *err, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (text && strlen(text) <= VALUE_MAX)
		error_value(err, text);
	free(text);
}

void fault_allowed(struct pt_error *err, json_t *names)
{
	char *text = json_dumps(names, JSON_COMPACT);
	if (text)
		error_allowed(err, text);
	free(text);
	json_decref(names);
}

json_t *fault_row_names(const struct pt_param *rows, const char *also)
{
	json_t *names = json_array();
	if (also)
		json_array_append_new(names, json_string(also));
	for (; rows && rows->name; rows++)
		json_array_append_new(names, json_string(rows->name));
	return names;
}

const char *fault_nearest(const char *wanted, json_t *names)
{
	struct near n = near_init(wanted);
	json_each (name, names)
		near_try(&n, json_string_value(name));
	return near_best(&n);
}

int fault_unknown(const char *what, const char *path, const char *word, json_t *names,
                  struct pt_error *err)
{
	if (fault_enough(err)) {
		json_decref(names);
		return -PT_EPARAM;
	}
	struct buf shown = BUF_INIT;
	show_text(&shown, word, strlen(word));
	struct near near = near_found(fault_nearest(word, names));
	pt_fail(err, -PT_EPARAM, path, "unknown %s %s%s", what, shown.data, near_say(&near, ""));
	json_t *value = json_string(word);
	fault_value(err, value);
	json_decref(value);
	fault_allowed(err, names);
	buf_free(&shown);
	return -PT_EPARAM;
}

int fault_wrong(const struct pt_param *row, const json_t *value, struct pt_error *err)
{
	if (fault_enough(err))
		return -PT_EPARAM;
	char *words = param_kind_words(row), *given = show(value);
	pt_fail(err, -PT_EPARAM, row->name, "'%s' must be %s, not %s", row->name, words, given);
	fault_value(err, value);
	free(words);
	free(given);
	return -PT_EPARAM;
}

int fault_wrong_item(const struct pt_param *row, const json_t *item, const char *words,
                     struct pt_error *err)
{
	if (fault_enough(err))
		return -PT_EPARAM;
	char *given = show(item);
	pt_fail(err, -PT_EPARAM, NULL, "each of '%s' must be %s, not %s", row->name, words, given);
	fault_value(err, item);
	free(given);
	return -PT_EPARAM;
}

int fault_missing(const struct pt_param *row, struct pt_error *err)
{
	if (fault_enough(err))
		return -PT_EPARAM;
	char *words = param_kind_words(row);
	pt_fail(err, -PT_EPARAM, row->name, "'%s' is missing: %s", row->name, words);
	free(words);
	return -PT_EPARAM;
}
