/* SPDX-License-Identifier: BSD-2-Clause */
/* Help as scdoc source, for the manual pages. */
#include "type/help.h"

#include "type/param.h"
#include <stdlib.h>
#include <string.h>

/* Prose, in which nothing is markup. */
static void add_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\*_`+|[]#~<>-.", *text))
			buf_addc(b, '\\');
		buf_addc(b, *text);
	}
}

static void add_literal(struct buf *b, const char *text)
{
	text += strspn(text, "\n");
	size_t length = strlen(text);
	while (length && text[length - 1] == '\n')
		length--;
	buf_adds(b, "```\n");
	buf_add(b, text, length);
	buf_adds(b, "\n```\n\n");
}

static void add_prose(struct buf *b, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char *line = must_printf("%.*s", (int)length, text);
		const char *words = line + strspn(line, " ");
		add_escaped(b, words);
		buf_addc(b, '\n');
		free(line);
		text += length + (text[length] == '\n');
	}
	buf_addc(b, '\n');
}

static void add_facts(struct buf *b, const struct pt_param *row)
{
	add_escaped(b, param_kind_name(row->kind));
	if (row->flags & PT_REQUIRED && !(row->flags & PT_OPTION))
		buf_adds(b, ", required");
	else if (row->fallback && !(row->flags & PT_OPTION && !strcmp(row->fallback, "None"))) {
		buf_adds(b, ", default ");
		add_escaped(b, *row->fallback ? row->fallback : "''");
	}
	if (row->flags & PT_LIVE)
		buf_adds(b, ", can be set while running");
}

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
		buf_addc(&text, '.');
	param_range_doc(&text, row->min, row->max);
	add_escaped(b, text.data ? text.data : "");
	buf_free(&text);
}

static void add_name(struct buf *b, const struct pt_param *row)
{
	buf_addc(b, '*');
	if (row->flags & PT_OPTION) {
		if (row->letter)
			buf_addf(b, "\\-%c*, *", row->letter);
		buf_adds(b, "\\-\\-");
	}
	for (const char *c = row->name; *c; c++) {
		if (*c == '_')
			buf_adds(b, row->flags & PT_OPTION ? "\\-" : "\\_");
		else
			buf_addc(b, *c);
	}
	buf_adds(b, row->flags & PT_MANY ? "*…" : "*");
}

static void add_rows(struct buf *b, const struct pt_param *rows, int depth)
{
	for (const struct pt_param *row = rows; row && row->name; row++) {
		for (int i = 0; i < depth; i++)
			buf_addc(b, '\t');
		add_name(b, row);
		buf_adds(b, " (");
		add_facts(b, row);
		buf_adds(b, ")\n");
		for (int i = 0; i <= depth; i++)
			buf_addc(b, '\t');
		add_escaped(b, row->doc ? row->doc : "");
		add_range(b, row);
		buf_adds(b, "\n\n");
		add_rows(b, row->members, depth + 1);
	}
}

void man_params(struct buf *b, const struct pt_param *rows)
{
	add_rows(b, rows, 0);
}

void man_type(struct buf *b, const struct pt_type *type)
{
	buf_addf(b, "## %s\n\n", type->name);
	add_escaped(b, type->summary ? type->summary : "");
	buf_adds(b, ".\n\n");
	if (type->picture)
		add_literal(b, type->picture);
	if (type->help)
		add_prose(b, type->help);
	man_params(b, type->params);
	for (const char *const *e = type->examples; e && *e; e++)
		add_literal(b, *e);
}
