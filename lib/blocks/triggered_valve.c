/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredValve: passes or discards, changing on each trigger. */
#include <pipetool/block.h>

struct valve {
	bool start_state, open;
};

static const struct pt_carried carries[] = {
	{"open", PT_CARRY_BOOL(struct valve, open), .flags = PT_SHOWN},
	{NULL},
};

static void start(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	if (!pt_goes_on(b))
		v->open = v->start_state;
}

static struct pt_msg *act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	const struct valve *v = pt_state(b);
	if (v->open)
		return m;
	pt_drop(b, m, "closed");
	return NULL;
}

static void trigger(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	v->open = !v->open;
	pt_carry_changed(b);
	pt_trigger(b);
}

static const struct pt_type triggered_valve = {
	.api = PT_API,
	.name = "TriggeredValve",
	.summary = "Passes or discards messages, changing on each trigger",
	.help = "Every trigger opens the closed valve and closes the open one, and is passed on.",
	.picture = "     +------^------+\n"
		   "  >>-|-[pass/stop]-|->>\n"
		   "     |      |      |\n"
		   "   >-|-[pass/stop]-|->\n"
		   "     +------^------+\n",
	.examples =
		(const char *const[]){
			"a = CLIFeeder(); d = TriggerDrain(\"always\"); v = TriggeredValve()\n"
			"a > d > v > ConsoleSink(); d ^ v",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params =
		(const struct pt_param[]){
			{"start_state",
                         "Open when the engine starts; setting it does not move a valve that runs.",
                         PT_BOOL(struct valve, start_state), "true"},
			{NULL}},
	.carries = carries,
	.size = sizeof(struct valve),
	.start = start,
	.act = act,
	.trigger = trigger,
};

PT_TYPES(triggered_valve, &triggered_valve);
