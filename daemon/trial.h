/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an engine could be made. */
#ifndef DAEMON_TRIAL_H
#define DAEMON_TRIAL_H

#include <jansson.h>
#include <pipetool/engine.h>

/* Makes the operations in an engine of its own, which is not started and gone afterwards: names,
   links, parameters and scripts are looked at, and nothing is opened. Faults come as of
   engine.change. Waits. */
int trial_make(const char *name, json_t *ops, const struct pt_engine_limits *, struct pt_error *);

#endif
