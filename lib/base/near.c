/* SPDX-License-Identifier: BSD-2-Clause */
/* Optimal string alignment distance, for words of a few dozen letters. */
#include "base/near.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LETTERS_MAX 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int lower(const char *s, size_t i)
{
	return tolower((unsigned char)s[i]);
}

static size_t distance(const char *a, size_t m, const char *b, size_t n)
{
	size_t rows[3][LETTERS_MAX + 1];
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t cost = lower(a, i - 1) != lower(b, j - 1);
			row[j] = least(above[j - 1] + cost, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a, i - 1) == lower(b, j - 2) &&
			    lower(a, i - 2) == lower(b, j - 1))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

struct near near_init(const char *wanted)
{
	size_t length = strlen(wanted);
	size_t limit = length / 3 > 1 ? length / 3 : 1;
	return (struct near){.wanted = wanted, .distance = limit + 1};
}

void near_try(struct near *n, const char *name)
{
	size_t a = strlen(n->wanted), b = strlen(name);
	if (a > LETTERS_MAX || b > LETTERS_MAX || !a)
		return;
	size_t d = distance(n->wanted, a, name, b);
	if (d < n->distance && d < b) {
		n->distance = d;
		n->best = name;
	}
}

const char *near_best(const struct near *n)
{
	return n->best;
}

const char *near_say(struct near *n, const char *otherwise)
{
	if (!n->best)
		return otherwise;
	snprintf(n->words, sizeof n->words, "; did you mean %s%s%s?", n->open ? n->open : "'",
	         n->best, n->close ? n->close : "'");
	return n->words;
}

struct near near_found(const char *best)
{
	return (struct near){.best = best};
}
