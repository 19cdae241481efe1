/* SPDX-License-Identifier: BSD-2-Clause */
/* add --may-exist: what of a text is there already. */
#ifndef CTL_MAY_EXIST_H
#define CTL_MAY_EXIST_H

#include "ctl/pipe.h"

/*
 * A block with a name is there if the engine has one of that name, which must be the same; a block
 * without one, if the engine has one of its type and parameters with all links that the text says.
 * Blocks without names that are linked to one another are there together, or not at all; where the
 * engine has some of their links, and not all, it cannot be told what is meant, and that is
 * refused.
 */
int may_exist_add(struct ctl *, const struct pipe_text *, json_t **result, struct pt_error *);

#endif
