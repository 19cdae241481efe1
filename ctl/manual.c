/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections of the manual pages, out of their templates and the tables. */
#include "ctl/manual.h"

#include "docs/page.h"
#include "type/help.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 4 /* spaces for a tab of scdoc's */

static const char language[] =
#include "pipetool-language.7.inc"
	;
static const char protocol[] =
#include "pipetool-protocol.7.inc"
	;

/* From the heading `from` up to the heading `to`, of which the rank counts; NULL: the page's
   end. */
static const struct section {
	const char *topic, *page, *from, *to;
} sections[] = {
	{"language", language, "# DESCRIPTION", "# SEE ALSO"},
	{"functions", language, "# FUNCTIONS", "# BLOCKS IN LUA"},
	{"fields", language, "## A message in a function", "## Limits"},
	{"lua", language, "# BLOCKS IN LUA", "# SEE ALSO"},
	{"events", protocol, "# EVENTS", "# ERRORS"},
};

const struct manual_topic manual_topics[] = {
	{"functions", "what stands for a Python function: operations and Lua"},
	{"fields", "the layers and fields of a packet"},
	{"language", "graphs as text"},
	{"lua", "block types of your own"},
	{"events", "what 'ptctl events' tells of"},
	{"reasons", "why messages do not go on"},
	{NULL, NULL},
};

/* ---- scdoc ---- */

static bool is_markup(const char *text, const char *at)
{
	bool inside = at > text && isalnum((unsigned char)at[-1]) && isalnum((unsigned char)at[1]);
	return *at == '*' || (*at == '_' && !inside);
}

/* Of a line, or several, what is to be read. */
static void add_plain(struct buf *b, const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at == '\\' && at[1])
			buf_addc(b, *++at);
		else if (!is_markup(text, at))
			buf_addc(b, *at == '\n' || *at == '\t' ? ' ' : *at);
	}
}

static size_t depth_of(const char *line)
{
	return strspn(line, "\t");
}

static const char *line_end(const char *line, const char *end)
{
	const char *newline = memchr(line, '\n', (size_t)(end - line));
	return newline ? newline : end;
}

/* As it stands, up to the line that closes it. Returns what follows. */
static const char *add_literal(struct buf *b, const char *line, const char *end)
{
	size_t depth = depth_of(line);
	for (line = line_end(line, end) + 1; line < end; line = line_end(line, end) + 1) {
		const char *stop = line_end(line, end), *at = line;
		for (size_t i = 0; i < depth && *at == '\t'; i++)
			at++;
		if (!strncmp(at, "```", 3))
			return stop + 1;
		if (at < stop)
			buf_addf(b, "%*s", (int)((depth + 1) * INDENT), "");
		for (; at < stop; at++)
			if (*at == '\\' && at[1] == '\\')
				buf_addc(b, *++at);
			else if (*at == '\t')
				buf_addf(b, "%*s", INDENT, "");
			else
				buf_addc(b, *at);
		buf_addc(b, '\n');
	}
	return end;
}

/* Lines of the same depth are one paragraph. Returns what follows. */
static const char *add_paragraph(struct buf *b, const char *line, const char *end)
{
	struct buf plain = BUF_INIT, text = BUF_INIT;
	size_t depth = depth_of(line);
	const char *at = line;
	for (; at < end && *at != '\n' && depth_of(at) == depth && strncmp(at + depth, "```", 3);
	     at = line_end(at, end) + 1)
		buf_addf(&text, "%s%.*s", text.length ? "\n" : "",
		         (int)(line_end(at, end) - at - (long)depth), at + depth);
	add_plain(&plain, text.data ? text.data : "");
	help_paragraph(b, plain.data ? plain.data : "", depth * INDENT);
	buf_free(&plain);
	buf_free(&text);
	return at;
}

/* Text of scdoc(5) as plain text, wrapped as help is. */
static void render(struct buf *b, const char *text, size_t length)
{
	const char *end = text + length;
	for (const char *line = text; line < end;) {
		const char *stop = line_end(line, end);
		if (!strncmp(line + depth_of(line), "```", 3)) {
			line = add_literal(b, line, end);
		} else if (*line == '#') {
			line += strspn(line, "# ");
			buf_addf(b, "%.*s\n", (int)(stop - line), line);
			line = stop + 1;
		} else if (line == stop) {
			buf_addc(b, '\n');
			line = stop + 1;
		} else {
			line = add_paragraph(b, line, end);
		}
	}
}

/* ---- topics ---- */

static const char *find_heading(const char *page, const char *heading)
{
	size_t length = strlen(heading);
	for (const char *line = page; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, heading, length) && line[length] == '\n')
			return line;
	}
	return page + strlen(page);
}

static void show_section(struct buf *b, const struct section *s)
{
	const char *from = find_heading(s->page, s->from), *to = find_heading(from, s->to);
	while (to > from && to[-1] == '\n')
		to--;
	char *template = must_printf("%.*s\n", (int)(to - from), from);
	struct buf text = BUF_INIT;
	page_fill(template, NULL, &text);
	while (text.length > 1 && text.data[text.length - 2] == '\n')
		text.length--;
	render(b, text.data, text.length);
	buf_free(&text);
	free(template);
}

bool manual_show(struct buf *b, const char *topic)
{
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
		if (!strcmp(sections[i].topic, topic)) {
			show_section(b, &sections[i]);
			return true;
		}
	return false;
}
