/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types in shared objects. */
#ifndef TYPE_PLUGIN_H
#define TYPE_PLUGIN_H

#include <pipetool/error.h>

/* Opens NAME.so, which exports PT_TYPES(NAME, …), and adds its types: all of them or none. It stays
   in memory for ever; one that is refused is closed again. A path that was opened already does
   nothing. [any thread, one at a time] */
int plugin_open(const char *path, struct pt_error *);

#endif
