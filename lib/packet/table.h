/* SPDX-License-Identifier: BSD-2-Clause */
/* What a block remembers of each key, over a restart. */
#ifndef PACKET_TABLE_H
#define PACKET_TABLE_H

#include "base/recent.h"
#include <pipetool/outside.h>

/* "counts ip.src tcp.dport": what says that a table means the same. To be freed. */
char *packet_table_name(const char *what, char *const *words); /* NULL: no words */

/* In `carry`: all of it at the end; at a checkpoint what is short enough to be written each time,
   and of a longer one, or where there are no checkpoints, how many keys there were. True: the next
   daemon goes on with it. */
bool packet_table_carry(const struct recent *, const char *name, struct pt_carry *);

/* In `start`, of an empty table of the same sizes: takes what was carried under that name. Keys of
   which only the number was are told, and count as evicted; what is damaged is told and counted.
   False: there is nothing. */
bool packet_table_carried(struct pt_block *, const char *name, struct recent *);

#endif
