/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl complete: what could be typed next, for the completion of shells. */
#include "ctl/complete.h"
#include "ctl/out.h"
#include "ctl/shell.h"
#include <stdlib.h>
#include <string.h>

/* A shell waits for this: better nothing than late. */
#define PATIENCE_S 0.5

static void add_line(struct buf *b, const struct candidate *candidate, const char *word)
{
	out_clean(b, word);
	buf_addc(b, '\t');
	out_clean(b, candidate->what);
	buf_adds(b, candidate->open ? "\t+\n" : "\n");
}

/* Bash closes quotes behind the only candidate: where more follows there are two. */
static void add_for_bash(struct buf *b, const struct completion *c, const struct shell_line *line,
                         const char *typed)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct candidate *candidate = &c->items[i];
		char *word = shell_replacement(line, typed, candidate->word, candidate->open);
		if (!word)
			continue;
		add_line(b, candidate, word);
		if (c->count == 1 && candidate->open) {
			char *other = must_printf("%s…", word);
			add_line(b, candidate, other);
			free(other);
		}
		free(word);
	}
}

static void for_bash(struct completion *c, const char *text, const char *typed, struct buf *b)
{
	struct shell_line line = shell_split(text);
	c->quote = line.quote;
	if (line.count > 1)
		complete_words(c, line.count - 1, line.words + 1);
	add_for_bash(b, c, &line, typed ? typed : "");
	c->word = NULL;
	shell_free(&line);
}

static void for_words(struct completion *c, const json_t *list, struct buf *b)
{
	int count = (int)json_array_size(list);
	char **words = must_calloc((size_t)count + 1, sizeof *words);
	for (int i = 0; i < count; i++)
		words[i] = must_strdup(json_string_value(json_array_get(list, (size_t)i)));
	if (count)
		complete_words(c, count, words);
	for (size_t i = 0; i < c->count; i++)
		add_line(b, &c->items[i], c->items[i].word);
	texts_free(words);
}

int verb_complete(struct ctl *ctl)
{
	struct completion c = {.ctl = ctl};
	const char *line = ctl_text(ctl, "line");
	struct buf b = BUF_INIT;
	ctl->timeout_s = PATIENCE_S;
	if (line)
		for_bash(&c, line, ctl_text(ctl, "word"), &b);
	else
		for_words(&c, ctl_many(ctl, "words"), &b);
	if (c.files)
		buf_adds(&b, ":files\n");
	completion_fini(&c);
	out_buf(&b);
	return EXIT_DONE;
}
