/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types in Lua that somebody loaded by a request: kept, since engines that are kept use
   them. */
#ifndef DAEMON_LOADED_H
#define DAEMON_LOADED_H

#include "daemon/journal.h"
#include "script/func.h"
#include <pipetool/block.h>

#define LOADED_JOURNAL "@types" /* no engine has such a name, and it comes before theirs */

/* Belongs to the control loop. */
struct loaded;

struct loaded *loaded_new(struct journal *); /* NULL: nothing is kept */
void loaded_free(struct loaded *);

/* What was kept is loaded again; what cannot be is logged. */
void loaded_restore(struct loaded *, const json_t *records, const struct func_limits *);

/* A text was loaded: its types take the place of those of the same names. `done` is called when
   that is kept, or with the reason why it cannot be: then those of before are kept. The next may
   be added from then on. */
typedef void loaded_done(void *arg, int code);
void loaded_add(struct loaded *, const char *name, const char *text,
                const struct pt_type *const *types, loaded_done *, void *arg);

#endif
