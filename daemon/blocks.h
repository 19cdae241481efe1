/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types that are not built in: shared objects, and files of Lua. */
#ifndef DAEMON_BLOCKS_H
#define DAEMON_BLOCKS_H

#include "daemon/conf.h"
#include "script/func.h"

#include <stddef.h>

/* Loads the *.so of the package's folder of plugins and of this one, then its *.lua: what is new or
   has changed. What is wrong is logged, and the rest goes on; returns how many files were wrong. */
size_t blocks_scan(const char *folder, const struct conf *);

struct func_limits blocks_limits(const struct conf *); /* of scripts */

#endif
