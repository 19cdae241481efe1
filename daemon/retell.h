/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph in the pipe language, as a text that is there already has it. */
#ifndef DAEMON_RETELL_H
#define DAEMON_RETELL_H

#include "base/buf.h"
#include "daemon/diff.h"
#include "lang/lang.h"

/*
 * Adds a text that makes `graph` (blocks and links). Lines of `old` (NULL: none) whose statements
 * make what the graph has still stay as they are, with their comments; so do comments and
 * constants. What is otherwise now is told anew in the place of its line; what is new comes at the
 * end. An old text that cannot be understood, or could not be kept so, is told anew as a whole, but
 * for the comment that it begins with.
 */
void retell(struct buf *, const char *old, const struct lang_env *, struct diff_side graph);

#endif
