/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredSwitch: everything to one exit or to the other, changing on each trigger. */
#include <pipetool/block.h>

#include <jansson.h>
#include <string.h>

struct switching {
	bool start_state, low;
	bool runs, taken_over; /* taken_over: `low` is of the block whose place it takes */
};

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct switching *s = pt_state(b);
	if (s->runs)
		pt_carry_bytes(carry, "position", &s->low, sizeof s->low);
}

static bool is_carried(struct pt_block *b, bool *position)
{
	size_t length;
	const void *carried = pt_carried_bytes(b, "position", &length);
	if (carried && length == sizeof *position)
		memcpy(position, carried, length);
	return carried;
}

static void start(struct pt_block *b)
{
	struct switching *s = pt_state(b);
	if (!s->taken_over && !is_carried(b, &s->low))
		s->low = s->start_state;
	s->taken_over = false;
	s->runs = true;
}

static void stop(struct pt_block *b)
{
	struct switching *s = pt_state(b);
	s->runs = false;
}

static json_t *describe(struct pt_block *b)
{
	const struct switching *s = pt_state(b);
	return json_pack("{s:s}", "exit", s->low ? "low" : "high");
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct switching *s = pt_state(b), *before = pt_state(old);
	s->taken_over = before->runs;
	s->low = before->low;
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
		"exit and "
		"is passed on.",
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
	.size = sizeof(struct switching),
	.start = start,
	.push_many = push_many,
	.trigger = trigger,
	.stop = stop,
	.carry = carry,
	.take_over = take_over,
	.describe = describe,
};

PT_TYPES(triggered_switch, &triggered_switch);
