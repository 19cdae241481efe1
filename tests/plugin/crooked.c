/* SPDX-License-Identifier: BSD-2-Clause */
/* A table that contradicts itself: the picture has no exit, a route goes there, the default is
   none. */
#include <pipetool/block.h>

struct crooked {
	int64_t n;
};

static const struct pt_param params[] = {{"n", "A number.", PT_INT(struct crooked, n), "many"},
                                         {NULL}};

static const struct pt_type crooked = {
	.api = PT_API,
	.name = "Crooked",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_HIGH),
	.picture = "     +-------+\n"
		   "   >-|--[x]  |\n"
		   "     +-------+\n",
	.params = params,
	.size = sizeof(struct crooked),
};

PT_TYPES(crooked, &crooked);
