/* SPDX-License-Identifier: BSD-2-Clause */
/* What an earlier daemon has left in the store. */
#ifndef DAEMON_STORE_FIND_H
#define DAEMON_STORE_FIND_H

struct store;

void store_find(struct store *); /* with its lock */

#endif
