/* SPDX-License-Identifier: BSD-2-Clause */
/* TransformDrain: a function on every message. */
#include <pipetool/block.h>

struct transform {
	struct pt_func *f;
};

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct transform *t = pt_state(b);
	pt_send_many(b, canal, messages, pt_transform_many(b, t->f, messages, count));
}

static const struct pt_type transform_drain = {
	.api = PT_API,
	.name = "TransformDrain",
	.summary = "Applies a function to messages on both canals",
	.help = "The function is a native operation (reverse, upper, lower, truncate(n), set{…}, "
		"anonymize{…}) or a Lua function of one message. What it returns is sent on; nil "
		"leaves the message out. 'ptctl help functions' lists them.",
	.picture = "     +-------+\n"
		   "  >>-|--[f]--|->>\n"
		   "     |       |\n"
		   "   >-|--[f]--|->\n"
		   "     +-------+\n",
	.examples =
		(const char *const[]){
			"CLIFeeder() > TransformDrain(\"reverse\") > ConsoleSink()",
			"CLIFeeder() > TransformDrain(\"set{ip={src='1.1.1.1'}}\") > QueueSink()",
			"CLIFeeder() > TransformDrain(\"function(m) return m:upper() end\") >\n"
			"    ConsoleSink()",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = (const struct pt_param[]){{"f", "What to do with each message.",
                                             PT_TRANSFORM(struct transform, f),
                                             .flags = PT_REQUIRED | PT_LIVE},
                                            {NULL}},
	.size = sizeof(struct transform),
	.push_many = push_many,
};

PT_TYPES(transform_drain, &transform_drain);
