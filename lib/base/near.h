/* SPDX-License-Identifier: BSD-2-Clause */
/* The nearest known name, for "did you mean". */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

/* A search over names that come one by one:
 *     struct near n = near_init("slef");  near_try(&n, "self"); …
 *     if (near_best(&n)) "did you mean 'self'?"
 * Distance counts one for an insertion, a removal, a replacement or two neighbours swapped; case
 * counts nothing. What is further than a third of the word's length (at least 1) is not near.
 * The names must live as long as the search. */
struct near {
	const char *wanted, *best;
	size_t distance;
	char words[112]; /* of near_say */
};

struct near near_init(const char *wanted);
void near_try(struct near *, const char *name);
const char *near_best(const struct near *); /* NULL: nothing is near */
/* "; did you mean 'self'?", to stand behind what is wrong; "" where nothing is near. As long as the
   search lives. */
const char *near_say(struct near *);

#endif
