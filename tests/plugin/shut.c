/* SPDX-License-Identifier: BSD-2-Clause */
/* Shut: cannot be opened. */
#include <errno.h>
#include <pipetool/block.h>

static int open_block(struct pt_block *b, struct pt_error *err)
{
	return pt_fail(err, -ENODEV, NULL, "%s is shut; use another door", pt_name(b));
}

static const struct pt_type shut = {
	.api = PT_API,
	.name = "Shut",
	.summary = "Cannot be opened",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.picture = "     +-------+\n"
		   "   >-|--X    |\n"
		   "     +-------+\n",
	.open = open_block,
};

PT_TYPES(shut, &shut);
