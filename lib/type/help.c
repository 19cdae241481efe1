/* SPDX-License-Identifier: BSD-2-Clause */
/* Help as people read it in a terminal. */
#include "type/help.h"

#include "base/json.h"
#include "base/utf8.h"
#include "type/kind.h"
#include <stdlib.h>
#include <string.h>

static size_t columns = 80;

enum {
	NAME_MAX_WIDTH = 24,
	VALUE_MAX_WIDTH = 18,
	DOC_MIN_WIDTH = 36,
};

/* ---- columns ---- */

static void add_spaces(struct buf *b, size_t count)
{
	while (count--)
		buf_addc(b, ' ');
}

static void add_padded(struct buf *b, const char *text, size_t width)
{
	size_t own = utf8_width(text, strlen(text));
	buf_adds(b, text);
	add_spaces(b, own < width ? width - own : 0);
}

/* Words from column `column` on, which is where the line stands already; lines after the first
   are indented to it. */
static void add_wrapped(struct buf *b, const char *text, size_t length, size_t column)
{
	size_t at = column;
	for (size_t i = 0; i < length;) {
		size_t word = strcspn(text + i, " \n");
		if (word > length - i)
			word = length - i;
		size_t width = utf8_width(text + i, word);
		if (at > column && at + 1 + width > columns) {
			buf_addc(b, '\n');
			add_spaces(b, column);
			at = column;
		} else if (at > column && word) {
			buf_addc(b, ' ');
			at++;
		}
		buf_add(b, text + i, word);
		at += width;
		i += word;
		while (i < length && (text[i] == ' ' || text[i] == '\n'))
			i++;
	}
	buf_addc(b, '\n');
}

void help_prose(struct buf *b, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		if (*text == ' ' || !length) {
			buf_add(b, text, length);
			buf_addc(b, '\n');
		} else {
			const char *end = text + length;
			while (*end == '\n' && end[1] && end[1] != '\n' && end[1] != ' ')
				end += 1 + strcspn(end + 1, "\n");
			length = (size_t)(end - text);
			add_wrapped(b, text, length, 0);
		}
		text += length;
		text += *text == '\n';
	}
}

/* Lines without the indentation that they have in common, behind an indentation of their own. */
static void add_block(struct buf *b, const char *text, const char *indent)
{
	size_t common = SIZE_MAX;
	text += strspn(text, "\n");
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t spaces = strspn(line, " ");
		if (line[spaces] && line[spaces] != '\n' && spaces < common)
			common = spaces;
	}
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n"), skip = length < common ? length : common;
		buf_adds(b, indent);
		buf_add(b, line + skip, length - skip);
		buf_addc(b, '\n');
		line += length + (line[length] == '\n');
	}
}

/* Where a line of pipe text may go on below, at the latest: behind an operator, a comma or a
   semicolon that is not in quotes. 0: nowhere. */
static size_t break_of(const char *line, size_t length, size_t width)
{
	size_t found = 0;
	char quote = 0;
	for (size_t i = 0; i < length && utf8_width(line, i) <= width; i++) {
		if (quote)
			quote = line[i] == quote ? 0 : quote;
		else if (line[i] == '"' || line[i] == '\'')
			quote = line[i];
		else if (i && line[i] == ' ' && strchr(">^,;", line[i - 1]))
			found = i;
	}
	return found;
}

/* An example that fits: what is too wide goes on below. */
static void add_example(struct buf *b, const char *text)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n"), indent = 2, at;
		while (indent + utf8_width(line, length) > columns &&
		       (at = break_of(line, length, columns - indent))) {
			add_spaces(b, indent);
			buf_add(b, line, at);
			buf_addc(b, '\n');
			line += at + 1;
			length -= at + 1;
			indent = 6;
		}
		add_spaces(b, indent);
		buf_add(b, line, length);
		buf_addc(b, '\n');
		line += length + (line[length] == '\n');
	}
}

/* ---- parameters ---- */

static void add_literal(struct buf *b, const json_t *value)
{
	char *text;
	switch (json_typeof(value)) {
	case JSON_NULL: buf_adds(b, "None"); return;
	case JSON_TRUE: buf_adds(b, "True"); return;
	case JSON_FALSE: buf_adds(b, "False"); return;
	case JSON_STRING: buf_addf(b, "'%s'", json_string_value(value)); return;
	case JSON_REAL: buf_addf(b, "%.16g", json_real_value(value)); return;
	default: break;
	}
	text = json_dumps(value, JSON_ENCODE_ANY);
	buf_adds(b, text ? text : "");
	free(text);
}

static char *param_name(const json_t *param)
{
	struct buf b = BUF_INIT;
	const char *name = text_of(param, "name");
	if (!json_is_true(json_object_get(param, "option"))) {
		buf_addf(&b, "%s%s", name, json_is_true(json_object_get(param, "many")) ? "…" : "");
		return buf_steal(&b);
	}
	if (*text_of(param, "letter"))
		buf_addf(&b, "-%s, ", text_of(param, "letter"));
	buf_adds(&b, "--");
	for (; *name; name++)
		buf_addc(&b, *name == '_' ? '-' : *name);
	return buf_steal(&b);
}

/* What stands between the name and the doc. An option that is off or unset needs no word. */
static char *param_value(const json_t *param)
{
	struct buf b = BUF_INIT;
	const json_t *value = json_object_get(param, "default");
	bool option = json_object_get(param, "option"), many = json_object_get(param, "many");
	if (json_is_true(json_object_get(param, "required")))
		buf_adds(&b, option ? "" : "required");
	else if (value && !((option || many) && (json_is_null(value) || json_is_false(value))))
		add_literal(&b, value);
	return buf_steal(&b);
}

static const char *param_kind(const json_t *param)
{
	const char *kind = text_of(param, "kind");
	return json_object_get(param, "option") && !strcmp(kind, "bool") ? "" : kind;
}

static void add_choices(struct buf *b, const json_t *choices, bool or_object)
{
	size_t i, last = json_array_size(choices) - 1;
	json_t *choice;
	json_array_foreach (choices, i, choice)
		buf_addf(b, "%s'%s'",
		         !i          ? " One of "
		         : i == last ? " or "
		                     : ", ",
		         json_string_value(choice) ? json_string_value(choice) : "");
	buf_adds(b, or_object ? ", or an object." : ".");
}

/* The doc and what the row says besides. */
static char *param_doc(const json_t *param)
{
	struct buf b = BUF_INIT;
	const json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
	const json_t *choices = json_object_get(param, "choices");
	buf_adds(&b, text_of(param, "doc"));
	if (json_array_size(choices))
		add_choices(&b, choices, !strcmp(text_of(param, "kind"), "object"));
	param_range_doc(&b, json_number_value(min), json_number_value(max));
	if (json_is_true(json_object_get(param, "live")))
		buf_adds(&b, " Can be set while the engine runs.");
	return buf_steal(&b);
}

struct widths {
	size_t name, kind, value;
};

static void widen(size_t *width, const char *text, size_t max)
{
	size_t own = utf8_width(text, strlen(text));
	if (own > *width)
		*width = own < max ? own : max;
}

static void measure(const json_t *params, size_t depth, struct widths *w)
{
	json_each (param, params) {
		char *name = param_name(param), *value = param_value(param);
		struct buf padded = BUF_INIT;
		add_spaces(&padded, 2 * depth);
		buf_adds(&padded, name);
		widen(&w->name, padded.data, NAME_MAX_WIDTH);
		widen(&w->kind, param_kind(param), SIZE_MAX);
		widen(&w->value, value, VALUE_MAX_WIDTH);
		measure(json_object_get(param, "members"), depth + 1, w);
		buf_free(&padded);
		free(name);
		free(value);
	}
}

static void add_cell(struct buf *b, const char *text, size_t width)
{
	if (!width)
		return;
	add_padded(b, text, width);
	buf_adds(b, "  ");
}

static void add_param(struct buf *b, const json_t *param, size_t indent, size_t depth,
                      const struct widths *w)
{
	char *name = param_name(param), *value = param_value(param), *doc = param_doc(param);
	struct buf line = BUF_INIT;
	add_spaces(&line, indent + 2 * depth);
	add_cell(&line, name, w->name - 2 * depth);
	add_cell(&line, param_kind(param), w->kind);
	add_cell(&line, value, w->value);
	size_t own = utf8_width(line.data, line.length), column = indent + w->name + 2;
	column += w->kind ? w->kind + 2 : 0;
	column += w->value ? w->value + 2 : 0;
	if (column + DOC_MIN_WIDTH > columns)
		column = indent + 4;
	if (own > column) {
		while (line.length && line.data[line.length - 1] == ' ')
			line.length--;
		buf_add(b, line.data, line.length);
		buf_addc(b, '\n');
		add_spaces(b, column);
	} else {
		buf_add(b, line.data, line.length);
		add_spaces(b, column - own);
	}
	add_wrapped(b, doc, strlen(doc), column);
	buf_free(&line);
	free(name);
	free(value);
	free(doc);
}

static void add_params(struct buf *b, const json_t *params, size_t indent, size_t depth,
                       const struct widths *w)
{
	json_each (param, params) {
		add_param(b, param, indent, depth, w);
		add_params(b, json_object_get(param, "members"), indent, depth + 1, w);
	}
}

static void add_table(struct buf *b, const json_t *params, const char *indent)
{
	struct widths w = {0, 0, 0};
	measure(params, 0, &w);
	add_params(b, params, strlen(indent), 0, &w);
}

void help_params(struct buf *b, const struct pt_param *rows, const char *indent)
{
	json_t *params = schema_rows(rows);
	add_table(b, params, indent);
	json_decref(params);
}

const char *help_value_word(const struct pt_param *row)
{
	return kind_of(row)->value;
}

/* ---- a type ---- */

void help_set_columns(size_t count)
{
	columns = count;
}

void help_paragraph(struct buf *b, const char *text, size_t indent)
{
	add_spaces(b, indent);
	add_wrapped(b, text, strlen(text), indent);
}

static void add_title(struct buf *b, const char *name, const char *summary)
{
	char *title = must_printf("%s — %s", name, summary);
	if (utf8_width(title, strlen(title)) > columns)
		help_paragraph(b, title, 0);
	else
		buf_addf(b, "%s\n", title);
	buf_addc(b, '\n');
	free(title);
}

void help_type_json(struct buf *b, const json_t *type)
{
	const json_t *params = json_object_get(type, "params");
	const json_t *examples = json_object_get(type, "examples");
	const char *origin = text_of(type, "origin");
	add_title(b, text_of(type, "name"), text_of(type, "summary"));
	if (*text_of(type, "picture")) {
		add_block(b, text_of(type, "picture"), "    ");
		buf_addc(b, '\n');
	}
	if (*text_of(type, "help")) {
		help_prose(b, text_of(type, "help"));
		buf_addc(b, '\n');
	}
	if (json_array_size(params)) {
		buf_adds(b, "Parameters:\n");
		add_table(b, params, "  ");
		buf_addc(b, '\n');
	}
	if (json_array_size(examples))
		buf_adds(b, json_array_size(examples) > 1 ? "Examples:\n" : "Example:\n");
	json_each (example, examples)
		if (json_is_string(example))
			add_example(b, json_string_value(example));
	if (*origin && strcmp(origin, "built-in") != 0)
		buf_addf(b, "%sFrom %s\n", json_array_size(examples) ? "\n" : "", origin);
}

void help_type(struct buf *b, const struct pt_type *type)
{
	json_t *json = schema_type(type);
	help_type_json(b, json);
	json_decref(json);
}
