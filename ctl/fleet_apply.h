/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet apply. */
#ifndef CTL_FLEET_APPLY_H
#define CTL_FLEET_APPLY_H

#include "ctl/fleet.h"

/* Plans for all hosts; then waves of them are changed, watched, and confirmed when the gate holds,
   or else taken back. A signal takes the wave back. Returns the exit status. */
int fleet_apply(struct fleet *);

#endif
