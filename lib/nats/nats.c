/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon finds in nats.so. */
#include "nats/types.h"

PT_TYPES(nats, &nats_sink, &nats_source);
