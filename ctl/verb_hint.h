/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs of other programs, and what they are called here. */
#ifndef CTL_VERB_HINT_H
#define CTL_VERB_HINT_H

#include <pipetool/error.h>

/* "'ptctl list'" for "ls"; NULL: nothing is known. */
const char *verb_meant(const char *name);

/* Refuses a verb that there is not. */
int verb_unknown(const char *name, struct pt_error *);

#endif
