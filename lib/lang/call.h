/* SPDX-License-Identifier: BSD-2-Clause */
/* Type(arguments): a block as it is made. */
#ifndef LANG_CALL_H
#define LANG_CALL_H

#include "lang/complain.h"
#include "lang/constant.h"
#include "lang/lex.h"

struct call {
	char *type;
	json_t *params; /* paths among them taken from env->directory */
	char *name;     /* what name='…' said, or NULL */
	json_t *places; /* of "type", "name", "params", "params.port", … */
	struct lang_place place;
};

/* Reads the call that begins where `lex` stands, on the type's name, and goes past it. Faults that
   leave no doubt about where it ends (unknown names, too many arguments) are complained of, and
   0 is returned. The caller calls call_fini in every case. */
int call_read(struct lex *, struct complaints *, const struct lang_env *, struct constants *,
              struct call *);
void call_fini(struct call *);

/* Whether there is such a type; also tells the nearest name, which lives as long as the types. */
bool call_is_type(const struct lang_env *, const char *name, const char **nearest);

#endif
