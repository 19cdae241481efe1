/* SPDX-License-Identifier: BSD-2-Clause */
/* Two types, one of which is built in: neither is added. */
#include <pipetool/block.h>

static const struct pt_type free_name = {.api = PT_API, .name = "FreeName", .role = PT_SINK};
static const struct pt_type drain = {.api = PT_API, .name = "Drain", .role = PT_DRAIN};

PT_TYPES(taken, &free_name, &drain);
