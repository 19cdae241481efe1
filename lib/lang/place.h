/* SPDX-License-Identifier: BSD-2-Clause */
/* Where things stand in a text, by their paths: {"params.port": line and column in one number}. */
#ifndef LANG_PLACE_H
#define LANG_PLACE_H

#include "lang/lang.h"

void place_set(json_t *places, const char *path, struct lang_place);
struct lang_place place_get(const json_t *places, const char *path); /* line 0: there is none */

#endif
