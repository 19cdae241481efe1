/* SPDX-License-Identifier: BSD-2-Clause */
/* A captured interface's ring, for the next daemon: its sockets, and how far it has been read. */
#ifndef CAPTURE_LIVE_CARRY_H
#define CAPTURE_LIVE_CARRY_H

#include "capture/live.h"
#include <pipetool/outside.h>

/* `told` is how far, where there is a ring: live_pass has it when that has been committed. */
void live_carry_tell(struct live *, const char *netns, struct live_marks *told, struct pt_carry *);

/* [worker] Goes on with what an earlier daemon carried: false is that there is nothing, or nothing
   of this interface (NULL: any), or that it cannot, which `trouble` tells, too. The kernel has
   filled it meanwhile. */
bool live_carry_resume(struct pt_block *, const struct live_config *, const char *iface,
                       struct live **, struct pt_error *trouble);
void live_carry_tell_trouble(struct pt_block *, struct pt_error *); /* and clears it */

#endif
