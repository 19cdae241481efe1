/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon fares, in one line for `systemctl status`. */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "base/buf.h"

struct daemon;

/* "2 engines, 1 running, 9 blocks", and what is not as it should be. */
void status_tell(const struct daemon *, struct buf *);

#endif
