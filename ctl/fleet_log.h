/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet log, undo. */
#ifndef CTL_FLEET_LOG_H
#define CTL_FLEET_LOG_H

#include "ctl/fleet.h"

/* All hosts' changes by time. Returns the exit status, as does the other. */
int fleet_log(struct fleet *);

/* Takes an apply back on all hosts: the one whose comment this is or is a part of, NULL the last.
   An engine that somebody has changed since is left as it is, and told. */
int fleet_undo(struct fleet *, const char *comment);

#endif
