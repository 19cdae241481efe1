/* SPDX-License-Identifier: BSD-2-Clause */
/* What a block remembers of each key, over a restart. */
#ifndef PACKET_TABLE_H
#define PACKET_TABLE_H

#include "base/recent.h"
#include <pipetool/outside.h>

/* "counts ip.src tcp.dport": what says that a table means the same. To be freed. */
char *packet_table_name(const char *what, char *const *words); /* NULL: no words */

/* In `carry`: all of it at the end; at a checkpoint only what is short enough to be written each
   time, so that after a crash a long one begins anew. True: the next daemon goes on with it. */
bool packet_table_carry(const struct recent *, const char *name, struct pt_carry *);

/* In `start`, of an empty table of the same sizes: takes what was carried under that name. */
bool packet_table_carried(struct pt_block *, const char *name, struct recent *);

#endif
