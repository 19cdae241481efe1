/* SPDX-License-Identifier: BSD-2-Clause */
/* The types of the plugin. */
#ifndef NATS_TYPES_H
#define NATS_TYPES_H

#include <pipetool/block.h>

extern const struct pt_type nats_sink, nats_source;
extern const struct pt_type *const pt_types_nats[]; /* all of them */

#endif
