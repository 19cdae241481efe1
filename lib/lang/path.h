/* SPDX-License-Identifier: BSD-2-Clause */
/* Relative paths among a block's parameters. */
#ifndef LANG_PATH_H
#define LANG_PATH_H

#include <jansson.h>
#include <pipetool/param.h>

/* Puts `directory` (or, of files that are written, `out` if it is not NULL) before the relative
   paths in a parameter's value, also those within an object or a list. Nothing happens to "" and
   "-", to values of another kind, or without a row or a directory. Replaces *value, of which the
   caller holds the only reference. */
void path_resolve(const struct pt_param *row, json_t **value, const char *directory,
                  const char *out);

#endif
