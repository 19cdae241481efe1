/* SPDX-License-Identifier: BSD-2-Clause */
/* Native operations as values of a script: reverse, truncate(64), set{…}. */
#ifndef SCRIPT_LUA_OPERATION_H
#define SCRIPT_LUA_OPERATION_H

#include "script/native.h"

/*
 * An operation is a userdata; called with an argument, one that takes one gives another operation
 * that has it. Nothing is done or checked before the value is used: an operation means something
 * only as the value of the whole text.
 */
void lua_operation_open(lua_State *); /* makes the globals; raises */

/* NULL: the value is no operation. Never raises, nor does the next one. */
const struct native_op *lua_operation_get(lua_State *, int index);

/* Pushes the argument, or both of them; false, and nothing pushed, if it was not given. */
bool lua_operation_argument(lua_State *, int index);

#endif
