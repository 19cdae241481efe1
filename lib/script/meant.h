/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody may have meant by a text that is no function. */
#ifndef SCRIPT_MEANT_H
#define SCRIPT_MEANT_H

#include "script/sandbox.h"
#include <pipetool/param.h>

/* Whether it is a capture filter. Asks libpcap only about what begins as one, since that may look
   up the names of hosts. */
bool meant_filter(const char *text);

/* A native operation that is written in another way than Lua's: "truncate(64)" of "truncate 64",
   "set{['ip.src']='1.1.1.1'}" of "set{ip.src='1.1.1.1'}", its usage where that cannot be told.
   NULL: the text is Lua, or begins with none that takes an argument. Yours to free. The sandbox
   says what is Lua. */
char *meant_operation(struct sandbox *, const char *text);

#endif
