/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of all engines as text in the format of OpenMetrics. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "base/buf.h"

struct daemon;

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The text may be stolen. */
typedef void metrics_done(void *arg, struct buf *text);

/*
 * Asks every engine at once, has a worker write what they answer, and calls `done` on the control
 * loop, once, also when the daemon ends meanwhile. Of an engine that does not answer within two
 * seconds there is its state alone.
 */
void metrics_gather(struct daemon *, metrics_done *done, void *arg);

/* All that there is, in its order, for the manual. */
typedef void metrics_each(void *arg, const char *name, const char *labels, const char *help);
void metrics_list(metrics_each *, void *arg);

#endif
