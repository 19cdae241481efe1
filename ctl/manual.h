/* SPDX-License-Identifier: BSD-2-Clause */
/* The manual pages in a terminal. */
#ifndef CTL_MANUAL_H
#define CTL_MANUAL_H

#include "base/buf.h"
#include <stdbool.h>

/* What 'ptctl help' tells of besides verbs, types and methods; ends with a row without a name. */
struct manual_topic {
	const char *name, *summary;
};
extern const struct manual_topic manual_topics[];

bool manual_show(struct buf *, const char *topic); /* false: there is none of that name */

#endif
