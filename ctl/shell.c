/* SPDX-License-Identifier: BSD-2-Clause */
/* A line that is typed into a shell, taken apart; and words put as bash wants them. */
#include "ctl/shell.h"

#include "base/buf.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void add_word(struct shell_line *line, struct buf *word)
{
	line->words = must_realloc(line->words, (size_t)line->count + 1, sizeof *line->words);
	line->words[line->count++] = buf_steal(word);
}

/* Whether the backslash at `text` makes the next character plain. */
static bool escapes(const char *text, char quote)
{
	if (*text != '\\' || !text[1] || quote == '\'')
		return false;
	return !quote || strchr("\\\"$`", text[1]);
}

struct shell_line shell_split(const char *text)
{
	struct shell_line line = {0};
	struct buf word = BUF_INIT;
	bool inside = false;
	for (; *text; text++) {
		bool blank = isspace((unsigned char)*text) && !line.quote;
		if (blank && inside)
			add_word(&line, &word);
		inside = !blank;
		if (blank)
			continue;
		if (escapes(text, line.quote))
			buf_addc(&word, *++text);
		else if (line.quote && *text == line.quote)
			line.quote = 0;
		else if (!line.quote && (*text == '\'' || *text == '"'))
			line.quote = *text;
		else
			buf_addc(&word, *text);
	}
	add_word(&line, &word);
	return line;
}

void shell_free(struct shell_line *line)
{
	while (line->count)
		free(line->words[--line->count]);
	free(line->words);
	*line = (struct shell_line){0};
}

static bool is_plain(const char *word)
{
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("_-./,:=+@%^", *word) &&
		    !((unsigned char)*word & 0x80))
			return false;
	return true;
}

/* Behind what is typed already: only what the open quote would take for its own is escaped. */
static char *escaped(const char *rest, char quote)
{
	struct buf b = BUF_INIT;
	if (quote == '\'' && strchr(rest, '\''))
		return NULL;
	for (; *rest; rest++) {
		bool special = quote == '"' ? strchr("\\\"$`", *rest) != NULL
		                            : !quote && !is_plain((char[]){*rest, 0});
		if (special)
			buf_addc(&b, '\\');
		buf_addc(&b, *rest);
	}
	return buf_steal(&b);
}

/* A whole word that nothing quotes yet. */
static char *quoted(const char *word, bool open)
{
	char quote = strchr(word, '\'') ? '"' : '\'';
	char *inner = escaped(word, quote);
	char *whole = must_printf("%c%s%s", quote, inner, open ? "" : (char[]){quote, 0});
	free(inner);
	return whole;
}

char *shell_replacement(const struct shell_line *line, const char *typed, const char *word,
                        bool open)
{
	const char *last = line->words[line->count - 1];
	size_t all = strlen(last), end = strlen(typed);
	if (end > all || strcmp(last + all - end, typed) != 0 || strncmp(word, last, all) != 0)
		return NULL;
	if (end == all && !line->quote && !is_plain(word))
		return quoted(word, open);
	char *rest = escaped(word + all, line->quote);
	char *whole = rest ? must_printf("%s%s", typed, rest) : NULL;
	free(rest);
	return whole;
}
