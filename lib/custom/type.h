/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types that users write in Lua. */
#ifndef CUSTOM_TYPE_H
#define CUSTOM_TYPE_H

#include "script/func.h"
#include <pipetool/block.h>

/*
 * A file defines one or several types by calling Drain{…}, Source{…} and Sink{…} with name, doc,
 * help, examples, params, ports, picture and functions (docs/writing-blocks.md). It is run once
 * when it is loaded, to learn what it defines, and once for each block, in a sandbox of the block's
 * own.
 *
 * What was loaded lives for ever: blocks of a type that was replaced go on with the old one.
 */

/* [any thread] Loads a text and adds its types; `path` is told as their origin, and its last part
   in errors, as "mine.lua:3: …". All of it or nothing. A text that was loaded from there already,
   and is not replaced since, changes nothing. *types, if asked for, ends with NULL. */
int custom_type_load(const char *path, const char *text, size_t length, const struct func_limits *,
                     const struct pt_type *const **types, struct pt_error *);

#endif
