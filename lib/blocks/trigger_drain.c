/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggerDrain: passes everything, and triggers where a function is true. */
#include <pipetool/block.h>

struct trigger_drain {
	struct pt_func *f, *filter; /* one of them */
	bool after;
};

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct trigger_drain *t = pt_state(b);
	int fires = pt_test(b, t->f ? t->f : t->filter, m);
	if (fires < 0) {
		pt_drop(b, m, "error");
		return;
	}
	if (fires && !t->after)
		pt_trigger(b);
	pt_send(b, canal, m);
	if (fires && t->after)
		pt_trigger(b);
}

/* clang-format off */
static const struct pt_param params[] = {
	{"f", "Which messages trigger; either this or filter is given.",
	 PT_PREDICATE(struct trigger_drain, f), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE},
	{"after", "Trigger after the message was passed on, not before.",
	 PT_BOOL(struct trigger_drain, after), .fallback = "false", .flags = PT_LIVE},
	{"filter", "Which packets trigger, as a capture filter, see pcap-filter(7).",
	 PT_FILTER(struct trigger_drain, filter), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE},
	{NULL},
};
/* clang-format on */

static const struct pt_type trigger_drain = {
	.api = PT_API,
	.name = "TriggerDrain",
	.summary = "Passes messages, and triggers before those that a function or filter finds",
	.help = "The function is a native predicate (always, never, equals 'bytes', bpf 'filter', "
		"between(…), every(n)) or a Lua function of one message: 'ptctl help functions'. "
		"The filter is tcpdump's; a message that is no packet does not match it.",
	.picture = "     +------^------+\n"
		   "  >>-|-[condition]-|->>\n"
		   "     |      |      |\n"
		   "   >-|-[condition]-|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){
			"a = CLIFeeder(); d = TriggerDrain(\"equals 'go'\"); v = TriggeredValve()\n"
			"a > d > v > ConsoleSink(); d ^ v",
			"a = CLIFeeder(); d = TriggerDrain(\"equals 'last'\", after=true)\n"
			"v = TriggeredValve(); a > d > v > ConsoleSink(); d ^ v",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_LOW, PT_TRIGGER) | PT_ROUTE(PT_HIGH, PT_TRIGGER),
	.params = params,
	.size = sizeof(struct trigger_drain),
	.push = push,
};

PT_TYPES(trigger_drain, &trigger_drain);
