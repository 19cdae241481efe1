/* SPDX-License-Identifier: BSD-2-Clause */
/* What systemd is told: ready, reloading, stopping, and the status line of `systemctl status`. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "base/buf.h"
#include <uv.h>

/* Belongs to the control loop. Where nobody listens ($NOTIFY_SOCKET), nothing is done. */
struct notify;

/* `status` writes the line; it is asked after the loop has done something, ten times a second at
   most, so that a daemon at rest stays at rest. */
struct notify *notify_new(uv_loop_t *, void (*status)(void *arg, struct buf *), void *arg);
void notify_free(struct notify *); /* the loop must run once more */

void notify_ready(struct notify *); /* also after notify_reloading */
void notify_reloading(struct notify *);
void notify_stopping(struct notify *);

#endif
