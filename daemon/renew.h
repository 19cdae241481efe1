/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types that were loaded anew, and the engines that use them. */
#ifndef DAEMON_RENEW_H
#define DAEMON_RENEW_H

#include <jansson.h>

struct engines;

/* Which table each name of a type stands for now, to be compared later. A new reference. */
json_t *renew_types(void);

/* The types that were there `before` (taken) and are others now: blocks of engines of files are
   replaced by what they were, made anew, with what they can take over; of other engines it is
   logged that they go on with the old code. */
void renew_engines(struct engines *, json_t *before);

#endif
