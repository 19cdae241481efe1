/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in quotes. */
#ifndef LANG_QUOTED_H
#define LANG_QUOTED_H

#include "lang/complain.h"
#include "lang/lex.h"

/* Reads the string that `lex` stands on, and those that follow it: they are one. Text becomes a
   JSON string; bytes, and text that has a U+0000, become {"hex": …}. */
int quoted_read(struct lex *, struct complaints *, json_t **value);

#endif
