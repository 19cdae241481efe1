/* SPDX-License-Identifier: BSD-2-Clause */
/* What could be typed next: for the completion of shells. */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H

#include "ctl/ctl.h"

/*
 * The tables say what may stand where; names of engines and blocks, and types that users have
 * added, are asked of the daemon, briefly. Without a daemon they are left out, and nothing is said.
 */
struct candidate {
	char *word; /* the whole word, from its beginning */
	char *what; /* one line, or "" */
	bool open;  /* more belongs to the word: no space behind it */
};

struct completion {
	struct ctl *ctl;         /* for what is asked */
	char quote;              /* of the shell, around the word: ' or " or 0 */
	const char *word;        /* what is typed of it */
	const struct verb *verb; /* NULL: it comes yet */
	char *const *arguments;  /* those before the word */
	int argument_count;
	struct candidate *items;
	size_t count;
	bool files;    /* the word is a file's name, which the shell completes */
	bool deaf;     /* nobody answers */
	json_t *types; /* what is known of them, by name */
};

/* `words` are those behind ptctl; the last, which may be empty, is being typed. The caller calls
   completion_fini. */
void complete_words(struct completion *, int count, char *const *words);
void completion_fini(struct completion *);

/* ---- for the parts of it ---- */

/* Adds what begins as the word does; `fmt` makes the whole word. */
void candidate_add(struct completion *, bool open, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* engine.show of it: a new reference, or NULL. */
json_t *completion_engine(struct completion *, const char *engine);
/* All types, {name: {summary, …}}, and one as type.show tells it, or NULL; borrowed. */
const json_t *completion_types(struct completion *);
const json_t *completion_type(struct completion *, const char *name);

/* Pipe text. Blocks of `engine` (NULL: none) may be linked in it. */
enum text_part { TEXT_GRAPH, TEXT_LINKS, TEXT_BLOCK };
void complete_text(struct completion *, const char *engine, enum text_part);

/* A value of a parameter, from the word's byte `at` on. `bare` where words need no quotes; else
   `inside` is the quote that is open there, 0 for none. */
void complete_value(struct completion *, size_t at, const json_t *param, bool bare, char inside);

#endif
