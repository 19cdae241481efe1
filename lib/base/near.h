/* SPDX-License-Identifier: BSD-2-Clause */
/* The nearest known name, and "did you mean". */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

#define NEAR_WORDS 128

/* A search over names that come one by one:
 *     struct near n = near_init("slef");  near_try(&n, "self"); …
 *     "unknown '%s'%s", "slef", near_say(&n, "")
 * Distance counts one for an insertion, a removal, a replacement or two neighbours swapped; case
 * counts nothing. What is further than a third of the word's length (at least 1) is not near.
 * The names must live as long as the search. */
struct near {
	const char *wanted, *best;
	size_t distance;
	const char *open, *close; /* what names stand between; NULL: quotes */
	char words[NEAR_WORDS];
};

struct near near_init(const char *wanted);
void near_try(struct near *, const char *name);
const char *near_best(const struct near *); /* NULL: nothing is near */
/* What goes behind a complaint: "; did you mean 'self'?", or what else there is to say. */
const char *near_say(struct near *, const char *otherwise);
/* The same of a name that was found before; NULL: none was. */
struct near near_found(const char *best);

#endif
