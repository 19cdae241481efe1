/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared object that was built under another name than it exports. */
#include <pipetool/block.h>

static const struct pt_type lost = {.api = PT_API, .name = "Lost", .role = PT_SINK};

PT_TYPES(another_name, &lost);
