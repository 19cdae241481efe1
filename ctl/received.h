/* SPDX-License-Identifier: BSD-2-Clause */
/* A message that was received, as a line. */
#ifndef CTL_RECEIVED_H
#define CTL_RECEIVED_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>

/* Adds what block.recv has in `messages`: its bytes as they are, or the item as JSON. Bytes that
   are not text are refused where standard output is a terminal. */
int received_print(struct buf *, const json_t *item, bool json, struct pt_error *);

#endif
