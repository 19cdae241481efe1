/* SPDX-License-Identifier: BSD-2-Clause */
/* FilterDrain: passes the messages for which a function is true. */
#include <pipetool/block.h>

struct filter {
	struct pt_func *f;
};

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct filter *filter = pt_state(b);
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		int passes = pt_test(b, filter->f, messages[i]);
		if (passes > 0)
			messages[left++] = messages[i];
		else
			pt_drop(b, messages[i], passes < 0 ? "error" : "filtered");
	}
	pt_send_many(b, canal, messages, left);
}

static const struct pt_type filter_drain = {
	.api = PT_API,
	.name = "FilterDrain",
	.summary = "Passes the messages for which a function is true, on both canals",
	.help = "The function is a native predicate (always, never, equals 'bytes', bpf 'filter') "
		"or a "
		"Lua function of one message. See pipetool-language(7).",
	.picture = "     +-------+\n"
		   "  >>-|-[f?]--|->>\n"
		   "     |       |\n"
		   "   >-|-[f?]--|->\n"
		   "     +-------+\n",
	.examples =
		(const char *const[]){
			"CLIFeeder() > FilterDrain(\"bpf 'tcp dst port 443'\") > QueueSink()",
			"CLIFeeder() > FilterDrain(\"function(m) return #m > 3 end\") > "
			"ConsoleSink()",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = (const struct pt_param[]){{"f", "Which messages pass.",
                                             PT_PREDICATE(struct filter, f),
                                             .flags = PT_REQUIRED | PT_LIVE},
                                            {NULL}},
	.size = sizeof(struct filter),
	.push_many = push_many,
};

PT_TYPES(filter_drain, &filter_drain);
