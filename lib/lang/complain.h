/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a text, collected until all of it was looked at. */
#ifndef LANG_COMPLAIN_H
#define LANG_COMPLAIN_H

#include "lang/lang.h"

struct lex;

#define COMPLAINTS_MAX 20

struct complaint {
	struct lang_place place;
	char *message;
};

struct complaints {
	struct complaint items[COMPLAINTS_MAX];
	size_t count; /* further ones are not kept */
};

/* Adds a complaint and returns -PT_EPARSE. */
int complain(struct complaints *, struct lang_place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The word that `lex` stands on is not what is wanted: "a value", "',' or ')'". */
int complain_unexpected(struct complaints *, const struct lex *, const char *wanted);

/* Hands the complaints over as faults, in the order of the text, and forgets them.
   0 if there were none. */
int complaints_report(struct complaints *, const char *text, struct pt_error *);

/* Whether `text` is UTF-8 without NUL; if not, the complaint is made. */
int complain_of_bytes(struct complaints *, const char *text, size_t length);

#endif
