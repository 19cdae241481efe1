/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the pipe language. */
#ifndef LANG_LEX_H
#define LANG_LEX_H

#include "lang/lang.h"

/* What joins two blocks: over which canal, and which way. */
struct lex_link {
	const char *text, *canal;
	bool forth, back;
};

enum token_kind {
	TOKEN_END,     /* of the text */
	TOKEN_NEWLINE, /* outside of brackets */
	TOKEN_NAME,
	TOKEN_NUMBER, /* what begins as one; literal.c tells whether it is one */
	TOKEN_STRING, /* with its quotes and what stands before them */
	TOKEN_LINK,   /* .link tells which */
	TOKEN_MARK,   /* one character of ( ) [ ] { } , : ; = + - . */
	TOKEN_BAD,    /* .wrong tells what is wrong with it */
};

struct token {
	enum token_kind kind;
	const char *text;
	size_t length;
	struct lang_place place;
	bool first; /* of its line */
	const struct lex_link *link;
	const char *wrong;
};

/* A reader of words that stands on one of them. Copying it is looking ahead. */
struct lex {
	struct token token; /* where it stands */
	const char *at, *end;
	struct lang_place place; /* of `at` */
	unsigned open;           /* brackets: newlines in them are passed over */
	bool fresh;              /* nothing but space since the line began */
};

/* Stands on the first word. The text is UTF-8 without NUL, and ends in NUL. */
void lex_init(struct lex *, const char *text, size_t length);
void lex_advance(struct lex *); /* at the end it stays there */

bool lex_is(const struct lex *, char mark);      /* stands on that mark */
bool lex_next_is(const struct lex *, char mark); /* and the word after it */
bool lex_is_statement(const struct lex *); /* NAME = Type( or NAME > begins here, on a new line */
void lex_pass_newlines(struct lex *);
char *lex_word(const struct lex *);     /* a copy, yours to free */
char *lex_describe(const struct lex *); /* "'>'", "the end of the line": yours too */

/* The place of a byte within the token. */
struct lang_place lex_place(const struct token *, const char *at);

#endif
