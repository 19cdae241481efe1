/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters as a definition in Lua has them, and their values. */
#ifndef CUSTOM_PARAM_H
#define CUSTOM_PARAM_H

#include "custom/arena.h"

#include <lua.h>
#include <pipetool/block.h>

/* Reads {{name="n", kind="int", default=3, doc="…"}, …} or {n=3, text="x"} from the top of the
   stack into rows whose fields begin at `offset`, which is moved behind them. Raises where it is
   wrong. */
const struct pt_param *custom_param_read(lua_State *, struct arena *, size_t *offset);

/* Pushes the value of a row out of the block's state: nil where it is None; a function for a
   transform or a predicate, which takes a message at hand (and changes it in place), or a string.
   May raise. */
void custom_param_push(lua_State *, const struct pt_param *, struct pt_block *);

#endif
