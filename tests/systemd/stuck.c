/* SPDX-License-Identifier: BSD-2-Clause */
/* Stuck: a block that does what none may, and keeps its engine's thread for ever. */
#include <pipetool/block.h>
#include <unistd.h>

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	for (;;)
		pause();
}

static const struct pt_type type = {
	.api = PT_API,
	.name = "Stuck",
	.summary = "Never comes back from a message",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.picture = "     +-------+\n"
		   "   >-|--?    |\n"
		   "     +-------+\n",
	.push = push,
};

PT_TYPES(stuck, &type);
