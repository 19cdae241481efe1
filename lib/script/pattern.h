/* SPDX-License-Identifier: BSD-2-Clause */
/* Lua's string patterns, matched step by step under a budget. */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a pattern matches is Lua 5.4's manual, section 6.4.1, in the "C" locale. Backtracking can
 * take exponential time, and Lua's own matcher cannot be interrupted: this one calls `charge` every
 * few hundred steps, which may leave by longjmp; nothing is held that would leak.
 *
 * A pattern is read as a whole before it is used, so that a malformed one is refused whatever the
 * subject is.
 */
#define PATTERN_CAPTURES 32

struct pattern_node {
	uint8_t kind, repeat;
	uint8_t a, b;     /* a capture's index, or the two bytes of %b */
	uint64_t bits[4]; /* the set of bytes that a single one may be */
};

struct pattern {
	struct pattern_node *nodes;
	unsigned captures;
	bool anchored;
};

/* `nodes` has room for length + 1 of them. With `anchors`, a '^' in front ties the pattern to
   where it is tried; without, it is a byte as any. Returns NULL, or what is wrong. */
const char *pattern_parse(struct pattern *, struct pattern_node *nodes, const char *text,
                          size_t length, bool anchors);

/* Whether the text means nothing but itself. */
bool pattern_is_plain(const char *text, size_t length);

#define PATTERN_POSITION ((ptrdiff_t)-1)

struct pattern_match {
	const char *subject, *end;
	void (*charge)(void *arg, unsigned steps);
	void *arg;
	unsigned steps; /* not yet charged */
	struct {
		const char *start;
		ptrdiff_t length; /* or PATTERN_POSITION */
	} captures[PATTERN_CAPTURES];
};

/* Where a match that begins at `at` ends; NULL: there is none. */
const char *pattern_match(struct pattern_match *, const struct pattern *, const char *at);

#endif
