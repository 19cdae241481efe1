/* SPDX-License-Identifier: BSD-2-Clause */
/* How many hosts are changed one after the other. */
#ifndef CTL_FLEET_WAVE_H
#define CTL_FLEET_WAVE_H

#include <pipetool/error.h>
#include <stddef.h>

#define WAVES_USUAL "1,10%,100%"

/* Of "1,10%,100%" and so many hosts: the number of those that are changed when each wave has come,
   rounded up; waves in which there is no further one are left out. `totals` is yours to free; an
   error leaves it NULL. */
int waves_read(const char *text, size_t hosts, size_t **totals, size_t *count, struct pt_error *);

/* "5%": a share of so many, rounded down. */
int waves_share(const char *option, const char *text, size_t of, size_t *number, struct pt_error *);

#endif
