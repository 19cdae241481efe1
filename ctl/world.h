/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pipe language has to know of the daemon: its types, and an engine's blocks. */
#ifndef CTL_WORLD_H
#define CTL_WORLD_H

#include "ctl/ctl.h"
#include "lang/lang.h"

/* Types are asked for one by one, when the text uses them, and kept for the call. */
struct world {
	struct ctl *ctl;
	json_t *types;  /* what type.list answered */
	json_t *engine; /* what engine.show answered, or NULL: then there are no blocks */
	struct world_type *shown;
	char *directory;
	json_t *constants;    /* of -D */
	struct pt_error lost; /* the daemon did not answer a question: what and why */
};

/* Asks; `engine` may be NULL. The caller calls world_fini in every case. */
int world_init(struct world *, struct ctl *, const char *engine, struct pt_error *);
void world_fini(struct world *);

struct lang_env world_env(struct world *); /* as long as the world lives */

/* What came of a text that the world was asked about: where it could not be, that goes before all
   that followed from it. Returns the code that counts. */
int world_verdict(struct world *, int code, struct pt_error *);

/* Its rows, or NULL: there is no such type. */
const struct pt_param *world_params(struct world *, const char *type);
/* The block as engine.show has it, or NULL. */
const json_t *world_block(const struct world *, const char *name);

#endif
