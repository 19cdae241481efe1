/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that were received, and go back if they have not come to anybody. */
#ifndef DAEMON_HELD_H
#define DAEMON_HELD_H

#include "daemon/engines.h"

/* Belongs to the control loop. */
struct held;

struct held *held_new(struct engines *, const char *engine, const char *block,
                      json_t *messages); /* as block.recv gave them; shared */
void held_free(struct held *);           /* they have come to somebody; NULL does nothing */
void held_give_back(struct held *); /* to their block, if it is there; frees it; NULL the same */

#endif
