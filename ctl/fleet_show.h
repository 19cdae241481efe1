/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet list, status, diff. */
#ifndef CTL_FLEET_SHOW_H
#define CTL_FLEET_SHOW_H

#include "ctl/fleet.h"

/* Each returns the exit status. */
int fleet_list(struct fleet *);
int fleet_status(struct fleet *);
int fleet_diff(struct fleet *);

/* Prints what would be done on a host. */
void fleet_show_plan(struct fleet_host *);

#endif
