/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that stand for values: iface = "eth0". */
#ifndef LANG_CONSTANT_H
#define LANG_CONSTANT_H

#include "lang/complain.h"

struct constants {
	json_t *values; /* by name */
	json_t *places; /* of those that the text makes */
	json_t *used;   /* names that the text has said */
	const json_t *given;
};

/* Those that are given go before what the text says. `given` may be NULL. */
struct constants constants_init(const json_t *given);
void constants_fini(struct constants *);

/* The text gives it a value, which is taken over. Complains where it has one by the text
   already. */
int constants_add(struct constants *, struct complaints *, const char *name, struct lang_place,
                  json_t *value);

/* A copy that is the caller's, or NULL. */
json_t *constants_take(struct constants *, const char *name);
bool constants_has(const struct constants *, const char *name);
struct lang_place constants_place(const struct constants *, const char *name);
const char *constants_nearest(const struct constants *, const char *name); /* or NULL */

/* Tells of those that were given and that the text never says. */
int constants_check(const struct constants *, struct pt_error *);

#endif
