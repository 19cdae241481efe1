/* SPDX-License-Identifier: BSD-2-Clause */
/* Help as scdoc source, for the manual pages. */
#include "type/man.h"

#include "type/help.h"
#include "type/param.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void indent(struct buf *b, unsigned depth)
{
	while (depth--)
		buf_addc(b, '\t');
}

static void add_escaped(struct buf *b, const char *text, size_t length)
{
	for (const char *end = text + length; text < end; text++) {
		if (strchr("\\*_`+|[]#~<>-;", *text))
			buf_addc(b, '\\');
		buf_addc(b, *text);
	}
}

/* The part of a paragraph up to `end`, on one line; what stands in `backquotes` becomes bold. */
static void add_inline(struct buf *b, const char *text, const char *end)
{
	while (text < end) {
		size_t rest = (size_t)(end - text), plain = strcspn(text, "`\n");
		if (plain > rest)
			plain = rest;
		add_escaped(b, text, plain);
		text += plain;
		if (text == end)
			break;
		const char *close =
			*text == '`' ? memchr(text + 1, '`', (size_t)(end - text - 1)) : NULL;
		if (close) {
			buf_addc(b, '*');
			add_escaped(b, text + 1, (size_t)(close - text - 1));
			buf_addc(b, '*');
			text = close + 1;
		} else {
			buf_adds(b, *text == '\n' ? " " : "\\`");
			text++;
		}
	}
}

void man_inline(struct buf *b, const char *text)
{
	add_inline(b, text, text + strlen(text));
}

void man_sentence(struct buf *b, const char *text)
{
	struct buf words = BUF_INIT;
	man_inline(&words, text);
	if (words.length)
		words.data[0] = (char)toupper((unsigned char)words.data[0]);
	buf_addf(b, "%s%s", words.data ? words.data : "", words.length ? "." : "");
	buf_free(&words);
}

/* Spaces at the beginning of every line of the text that is not empty. */
static size_t margin(const char *text, const char *end)
{
	size_t common = SIZE_MAX;
	for (const char *line = text; line < end; line += strcspn(line, "\n") + 1) {
		size_t spaces = strspn(line, " ");
		if (line[spaces] && line[spaces] != '\n' && spaces < common)
			common = spaces;
	}
	return common == SIZE_MAX ? 0 : common;
}

/* Lines as they are; in a literal block only the backslash is special. */
static void add_lines(struct buf *b, const char *text, const char *end, size_t cut, unsigned depth)
{
	indent(b, depth);
	buf_adds(b, "```\n");
	for (const char *line = text; line < end;) {
		size_t length = strcspn(line, "\n"), skip = length < cut ? length : cut;
		if (length > skip)
			indent(b, depth);
		for (const char *c = line + skip; c < line + length; c++)
			buf_adds(b, *c == '\\' ? "\\\\" : (char[]){*c, 0});
		buf_addc(b, '\n');
		line += length + (line[length] == '\n');
	}
	indent(b, depth);
	buf_adds(b, "```\n\n");
}

static void add_literal(struct buf *b, const char *text, unsigned depth)
{
	text += strspn(text, "\n");
	const char *end = text + strlen(text);
	while (end > text && end[-1] == '\n')
		end--;
	add_lines(b, text, end, 0, depth);
}

/* Where the piece ends: a paragraph at an empty line or before an indented one; an example at the
   first line that is neither. */
static const char *piece_end(const char *text)
{
	bool example = *text == ' ';
	const char *end = text + strcspn(text, "\n");
	while (*end == '\n' && end[1] && end[1] != '\n' && (end[1] == ' ') == example)
		end += 1 + strcspn(end + 1, "\n");
	return end;
}

void man_prose(struct buf *b, const char *text, unsigned depth)
{
	for (text += strspn(text, "\n"); *text; text += strspn(text, "\n")) {
		const char *end = piece_end(text);
		if (*text == ' ') {
			add_lines(b, text, end, margin(text, end), depth);
		} else {
			indent(b, depth);
			add_inline(b, text, end);
			buf_adds(b, "\n\n");
		}
		text = end;
	}
}

/* ---- parameters ---- */

static void add_range(struct buf *b, const struct pt_param *row)
{
	struct buf text = BUF_INIT;
	for (const char *const *c = row->choices; c && *c; c++)
		buf_addf(&text, "%s'%s'",
		         c == row->choices ? " One of "
		         : c[1]            ? ", "
		                           : " or ",
		         *c);
	if (row->choices)
		buf_adds(&text, row->kind == PT_KIND_OBJECT ? ", or an object." : ".");
	param_range_doc(&text, row->min, row->max);
	man_inline(b, text.data ? text.data : "");
	buf_free(&text);
}

/* The definition below a name: the doc, and what the row says besides. */
static void add_doc(struct buf *b, const struct pt_param *row, unsigned depth)
{
	buf_addc(b, '\n');
	indent(b, depth + 1);
	man_inline(b, row->doc ? row->doc : "");
	add_range(b, row);
	if (row->flags & PT_LIVE)
		buf_adds(b, " Can be set while the engine runs.");
}

static bool is_unset(const struct pt_param *row)
{
	return !row->fallback || !strcmp(row->fallback, "None");
}

void man_option(struct buf *b, const struct pt_param *row, const char *value, unsigned depth)
{
	indent(b, depth);
	if (row->letter)
		buf_addf(b, "*-%c*, ", row->letter);
	buf_adds(b, "*--");
	for (const char *c = row->name; *c; c++)
		buf_addc(b, *c == '_' ? '-' : *c);
	buf_addc(b, '*');
	if (*value)
		buf_addf(b, " _%s_%s", value, row->flags & PT_MANY ? "…" : "");
	add_doc(b, row, depth);
	if (row->kind != PT_KIND_BOOL && !is_unset(row)) {
		buf_adds(b, " Default: ");
		man_inline(b, row->fallback);
		buf_addc(b, '.');
	}
	buf_adds(b, "\n\n");
}

static void add_argument(struct buf *b, const struct pt_param *row, unsigned depth)
{
	indent(b, depth);
	buf_addc(b, '_');
	for (const char *c = row->name; *c; c++)
		add_escaped(b, (char[]){(char)toupper((unsigned char)*c)}, 1);
	buf_adds(b, row->flags & PT_MANY ? "_…" : "_");
	add_doc(b, row, depth);
	buf_adds(b, "\n\n");
}

void man_verb_params(struct buf *b, const struct pt_param *rows, unsigned depth)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		if (row->flags & PT_OPTION)
			man_option(b, row, help_value_word(row), depth);
		else
			add_argument(b, row, depth);
}

static void add_facts(struct buf *b, const struct pt_param *row)
{
	buf_addf(b, "%s", param_kind_name(row->kind));
	if (row->flags & PT_REQUIRED)
		buf_adds(b, ", required");
	else if (!is_unset(row)) {
		buf_adds(b, ", default ");
		man_inline(b, *row->fallback ? row->fallback : "\"\"");
	}
}

void man_params(struct buf *b, const struct pt_param *rows, unsigned depth)
{
	for (const struct pt_param *row = rows; row && row->name; row++) {
		indent(b, depth);
		buf_addc(b, '*');
		add_escaped(b, row->name, strlen(row->name));
		buf_adds(b, "* (");
		add_facts(b, row);
		buf_addc(b, ')');
		add_doc(b, row, depth);
		buf_adds(b, "\n\n");
		man_params(b, row->members, depth + 1);
	}
}

/* ---- a type ---- */

/* A default as a literal of the pipe language. */
static void add_value(struct buf *b, const struct pt_param *row)
{
	static const char *const words[] = {
		[JSON_TRUE] = "True", [JSON_FALSE] = "False", [JSON_NULL] = "None"};
	json_t *value = param_default(row);
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	bool named = json_is_boolean(value) || json_is_null(value);
	man_inline(b, named ? words[json_typeof(value)] : text);
	free(text);
	json_decref(value);
}

/* As it is called: "*Drain*()", "*TCPListenPipe*(_addr_="", _port_=0)". */
static void add_call(struct buf *b, const struct pt_type *type)
{
	buf_addf(b, "*%s*(", type->name);
	for (const struct pt_param *row = type->params; row && row->name; row++) {
		buf_adds(b, row == type->params ? "_" : ", _");
		add_escaped(b, row->name, strlen(row->name));
		buf_addc(b, '_');
		if (row->flags & PT_REQUIRED)
			continue;
		buf_addc(b, '=');
		add_value(b, row);
	}
	buf_adds(b, ")\n\n");
}

void man_type(struct buf *b, const struct pt_type *type)
{
	buf_addf(b, "## %s\n\n", type->name);
	add_call(b, type);
	man_sentence(b, type->summary ? type->summary : "");
	buf_adds(b, "\n\n");
	if (type->picture)
		add_literal(b, type->picture, 0);
	if (type->help)
		man_prose(b, type->help, 0);
	man_params(b, type->params, 0);
	if (type->examples && *type->examples)
		buf_addf(b, "Example%s:\n\n", type->examples[1] ? "s" : "");
	for (const char *const *e = type->examples; e && *e; e++)
		add_literal(b, *e, 0);
}
