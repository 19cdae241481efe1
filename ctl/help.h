/* SPDX-License-Identifier: BSD-2-Clause */
/* The help of ptctl itself, out of the tables. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include "base/buf.h"
#include "ctl/verb.h"
#include "script/native.h"

void help_overview(struct buf *);
void help_verb(struct buf *, const struct verb *);
void help_operation(struct buf *, const struct native_op *);

/* Why messages do not go on: each word with its kind and a sentence. */
void help_reasons(struct buf *);

#endif
