/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as Python and JSON write them. */
#ifndef LANG_LITERAL_H
#define LANG_LITERAL_H

#include "lang/complain.h"
#include "lang/constant.h"
#include "lang/lex.h"

#define LITERAL_DEPTH_MAX 64

/* Where values stand: an object of paths ("params.rotate.size") to [line, column]. */
struct literal_places {
	json_t *object;
	struct buf path; /* of the value that is being read */
};

void literal_place(struct literal_places *, struct lang_place); /* of the path as it is now */

/* Reads the value that begins where `lex` stands, and goes past it. `places` and the constants,
   whose names it may be, may be NULL. */
int literal_read(struct lex *, struct complaints *, struct literal_places *, struct constants *,
                 json_t **value);

bool literal_is_word(const char *); /* True, None, null, … */

#endif
