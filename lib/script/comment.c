/* SPDX-License-Identifier: BSD-2-Clause */
/* Just enough of Lua's lexer to know what is text. */
#include "script/comment.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static char *line_end(char *at)
{
	return at + strcspn(at, "\n");
}

/* The end of the long bracket that opens here, or `at` if none does. */
static char *skip_long(char *at)
{
	size_t level = *at == '[' ? strspn(at + 1, "=") : 0;
	if (*at != '[' || at[1 + level] != '[')
		return at;
	for (char *end = strchr(at, ']'); end; end = strchr(end + 1, ']'))
		if (strspn(end + 1, "=") == level && end[1 + level] == ']')
			return end + level + 2;
	return at + strlen(at);
}

static char *skip_string(char *at)
{
	char quote = *at++;
	while (*at && *at != quote && *at != '\n')
		at += at[0] == '\\' && at[1] ? 2 : 1;
	return *at ? at + 1 : at;
}

static char *skip_comment(char *at)
{
	char *end = skip_long(at + 2);
	return end > at + 2 ? end : line_end(at);
}

static bool is_space(char c)
{
	return !c || isspace((unsigned char)c);
}

void comment_blank(char *text)
{
	for (char *at = text; *at;) {
		char *next = at + 1;
		if (*at == '\'' || *at == '"') {
			next = skip_string(at);
		} else if (at[0] == '-' && at[1] == '-') {
			next = skip_comment(at);
		} else if (*at == '[' && skip_long(at) > at) {
			next = skip_long(at);
		} else if (*at == '#' && is_space(at == text ? ' ' : at[-1]) && is_space(at[1])) {
			next = line_end(at);
			memset(at, ' ', (size_t)(next - at));
		}
		at = next;
	}
}
