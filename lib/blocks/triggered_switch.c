/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredSwitch: everything to one exit or to the other, changing on each trigger. */
#include <pipetool/block.h>

#include <jansson.h>

struct switching {
	bool start_state, low;
};

static const struct pt_carried carries[] = {
	{"low", PT_CARRY_BOOL(struct switching, low)},
	{NULL},
};

static void start(struct pt_block *b)
{
	struct switching *s = pt_state(b);
	if (!pt_goes_on(b))
		s->low = s->start_state;
}

static json_t *describe(struct pt_block *b)
{
	const struct switching *s = pt_state(b);
	return json_pack("{s:s}", "exit", s->low ? "low" : "high");
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct switching *s = pt_state(b);
	pt_send_many(b, s->low ? PT_LOW : PT_HIGH, messages, count);
}

static void trigger(struct pt_block *b)
{
	struct switching *s = pt_state(b);
	s->low = !s->low;
	pt_carry_changed(b);
	pt_trigger(b);
}

static const struct pt_type triggered_switch = {
	.api = PT_API,
	.name = "TriggeredSwitch",
	.summary = "Sends everything to the low exit or to the high one, changing on each trigger",
	.help = "It begins with the low exit if `start_state` is true. Every trigger changes the "
		"exit and is passed on.",
	.picture = "     +------^------+\n"
		   "  >>-|-[\\       ,--|->>\n"
		   "     |   >[up/down]|\n"
		   "   >-|-[/       `--|->\n"
		   "     +------^------+\n",
	.examples = (const char *const[]){"a = CLIFeeder(); d = TriggerDrain(\"equals 'other'\"); "
                                          "s = TriggeredSwitch()\n"
                                          "c = ConsoleSink(); a > d > s > c; s >> c; d ^ s",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_CROSSWISE | PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params =
		(const struct pt_param[]){{"start_state", "To the low exit when the engine starts.",
                                           PT_BOOL(struct switching, start_state), "true"},
                                          {NULL}},
	.carries = carries,
	.size = sizeof(struct switching),
	.start = start,
	.push_many = push_many,
	.trigger = trigger,
	.describe = describe,
};

PT_TYPES(triggered_switch, &triggered_switch);
