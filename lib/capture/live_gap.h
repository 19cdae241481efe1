/* SPDX-License-Identifier: BSD-2-Clause */
/* How long an interface was not captured while the daemon was started anew, and what passed by. */
#ifndef CAPTURE_LIVE_GAP_H
#define CAPTURE_LIVE_GAP_H

#include <pipetool/outside.h>
#include <stdbool.h>

/* Before: how many packets the interface has seen by now. NULL: that cannot be known, as before a
   crash, or of one in another namespace. */
void live_gap_carry(struct pt_carry *, const char *iface);
/* Behind: tells of it where something was carried, and counts what passed as lost ("restart"),
   unless a filter would have left out some. In `start`. */
void live_gap_tell(struct pt_block *, const char *iface, bool is_filtered);

#endif
