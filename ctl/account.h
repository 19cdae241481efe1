/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of everything that `ptctl run` moved. */
#ifndef CTL_ACCOUNT_H
#define CTL_ACCOUNT_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>

/* All of what engine.stats answered. "3 in, 0 out, 3 dropped (3 error at transform_drain1)", and
   ", 5 held at v" of what goes with the engine; without newline. */
void account_line(const json_t *stats, struct buf *);

/* Whether something was dropped that was not meant to: `allowed` is NULL, true for every reason, or
   the text of --allow-drops ("overflow,kernel"). */
bool account_has_losses(const json_t *stats, const json_t *allowed);

/* Refuses an `allowed` that names no reason for dropping. */
int account_check(const json_t *allowed, struct pt_error *);

#endif
