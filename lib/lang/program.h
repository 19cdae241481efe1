/* SPDX-License-Identifier: BSD-2-Clause */
/* What the statements of a text make, until all of its names are known. */
#ifndef LANG_PROGRAM_H
#define LANG_PROGRAM_H

#include "lang/call.h"

/* An end of a link: a block made in the text, or a name. */
struct program_end {
	size_t block; /* what program_add_block gave, or PROGRAM_BY_NAME */
	char *name;   /* owned */
	struct lang_place place;
};
#define PROGRAM_BY_NAME SIZE_MAX

struct program_item {
	bool is_link, emitted;
	json_t *op, *places;
	struct lang_place place;
	struct program_end from, to; /* of a link */
};

struct program {
	struct program_item *items; /* in the order of the text */
	size_t count, room;
};

/* A block with this name, or, if it is NULL, with the one that it says itself or else gets by
   program_finish. The call's contents are copied. */
size_t program_add_block(struct program *, const struct call *, const char *name,
                         struct lang_place name_place);
/* The ends are copied. */
void program_add_link(struct program *, const struct program_end *from,
                      const struct program_end *to, const char *canal, struct lang_place);

/* Names the blocks that were made in place, finds every link's ends, and writes the operations:
   in the order of the text, except that a block comes before the links that name it.
   Complains of names that are made twice or not at all. */
int program_finish(struct program *, struct complaints *, const struct lang_env *,
                   const struct constants *, struct lang_program *);
void program_fini(struct program *);

#endif
