/* SPDX-License-Identifier: BSD-2-Clause */
/* systemd's watchdog, which restarts a daemon that hangs: fed while every thread lives. */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include "base/buf.h"
#include <uv.h>

struct engines;

/*
 * Four times in the watchdog's period the control loop, which proves by that that it lives, looks
 * at the pulse of every engine's thread; nobody is woken for it. While one stands still, the
 * watchdog is not fed. After half a period the engine is named in the log, and after a whole one
 * systemd ends the daemon and starts it anew, unless the engine goes on before.
 */
struct watchdog;

/* period_ms 0: nobody watches, and nothing is done. */
struct watchdog *watchdog_new(uv_loop_t *, struct engines *, uint64_t period_ms);
void watchdog_free(struct watchdog *); /* the loop must run once more */

uint64_t watchdog_period_ms(void); /* as systemd wants it; 0: it does not watch */

/* Adds the names of the engines that hang, ", " between them; returns how many. */
size_t watchdog_hung(const struct watchdog *, struct buf *names);

#endif
