/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredValve: passes or discards, changing on each trigger. */
#include <pipetool/block.h>

#include <jansson.h>
#include <string.h>

struct valve {
	bool start_state, open;
	bool runs, taken_over; /* taken_over: `open` is of the block whose place it takes */
};

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct valve *v = pt_state(b);
	if (v->runs)
		pt_carry_bytes(carry, "position", &v->open, sizeof v->open);
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
	struct valve *v = pt_state(b);
	if (!v->taken_over && !is_carried(b, &v->open))
		v->open = v->start_state;
	v->taken_over = false;
	v->runs = true;
}

static void stop(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	v->runs = false;
}

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct valve *v = pt_state(b);
	if (v->open)
		pt_send(b, canal, m);
	else
		pt_drop(b, m, "closed");
}

static void trigger(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	v->open = !v->open;
	pt_carry_changed(b);
	pt_trigger(b);
}

static json_t *describe(struct pt_block *b)
{
	const struct valve *v = pt_state(b);
	return json_pack("{s:b}", "open", v->open);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct valve *v = pt_state(b), *before = pt_state(old);
	v->taken_over = before->runs;
	v->open = before->open;
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
	.size = sizeof(struct valve),
	.start = start,
	.push = push,
	.trigger = trigger,
	.stop = stop,
	.carry = carry,
	.take_over = take_over,
	.describe = describe,
};

PT_TYPES(triggered_valve, &triggered_valve);
