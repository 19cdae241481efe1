/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of events. */
#include "rpc/event.h"

#include <stddef.h>

const char *const event_names[] = {
	"engine.created",   "engine.destroyed",  "engine.state",   "engine.changed",
	"engine.confirmed", "engine.taken_back", "engine.resumed", "block.state",
	"block.error",      "block.note",        "block.dropped",  NULL,
};
