/* SPDX-License-Identifier: BSD-2-Clause */
/* Made for another version of <pipetool/block.h>. */
#include <pipetool/block.h>

static const struct pt_type old = {.api = PT_API + 41, .name = "Old", .role = PT_SINK};

PT_TYPES(old_api, &old);
