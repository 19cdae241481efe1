/* SPDX-License-Identifier: BSD-2-Clause */
/* FilterDrain: passes the messages for which a function is true. */
#include <pipetool/block.h>

struct filter {
	struct pt_func *f, *filter; /* one of them */
};

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct filter *s = pt_state(b);
	pt_send_many(b, canal, messages, pt_sift(b, s->f ? s->f : s->filter, messages, count));
}

/* clang-format off */
static const struct pt_param params[] = {
	{"f", "Which messages pass; either this or filter is given.",
	 PT_PREDICATE(struct filter, f), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE},
	{"filter", "The same as a capture filter, see pcap-filter(7).",
	 PT_FILTER(struct filter, filter), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE},
	{NULL},
};
/* clang-format on */

static const struct pt_type filter_drain = {
	.api = PT_API,
	.name = "FilterDrain",
	.summary = "Passes the messages for which a function or a filter is true",
	.help = "The function is a native predicate (always, never, equals 'bytes', bpf 'filter', "
		"between(…), every(n)) or a Lua function of one message: 'ptctl help functions'. "
		"The filter is tcpdump's; a message that is no packet does not match it.",
	.picture = "     +-------+\n"
		   "  >>-|-[f?]--|->>\n"
		   "     |       |\n"
		   "   >-|-[f?]--|->\n"
		   "     +-------+\n",
	.examples =
		(const char *const[]){
			"CLIFeeder() > FilterDrain(filter=\"tcp port 443\") > QueueSink()",
			"CLIFeeder() > FilterDrain(\"function(m) return #m > 3 end\") > "
			"ConsoleSink()",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = params,
	.size = sizeof(struct filter),
	.push_many = push_many,
};

PT_TYPES(filter_drain, &filter_drain);
