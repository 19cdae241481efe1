/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredMessage: passes everything, and sends a message of its own on a trigger. */
#include <pipetool/block.h>

struct triggered_message {
	struct pt_given msg;
};

static void trigger(struct pt_block *b)
{
	const struct triggered_message *t = pt_state(b);
	pt_send_given(b, PT_LOW, &t->msg);
	pt_send_given(b, PT_HIGH, &t->msg);
	pt_trigger(b);
}

static const struct pt_type triggered_message = {
	.api = PT_API,
	.name = "TriggeredMessage",
	.summary = "Passes messages, and sends one of its own on a trigger",
	.help = "On a trigger `msg` goes out on the low exit, then on the high one; then the "
		"trigger is passed on.",
	.picture = "     +------^------+\n"
		   "  >>-|------|------|->>\n"
		   "     |    [msg]    |\n"
		   "   >-|------|------|->\n"
		   "     +------^------+\n",
	.examples = (const char *const[]){"a = CLIFeeder(); d = TriggerDrain(\"always\"); "
                                          "t = TriggeredMessage('seen')\n"
                                          "a > d > Sink(); d ^ t; t > ConsoleSink()",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_TRIGGER, PT_LOW) | PT_ROUTE(PT_TRIGGER, PT_HIGH) |
                  PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params = (const struct pt_param[]){{"msg", "What to send on a trigger.",
                                             PT_MESSAGE(struct triggered_message, msg),
                                             .flags = PT_REQUIRED | PT_LIVE},
                                            {NULL}},
	.size = sizeof(struct triggered_message),
	.trigger = trigger,
};

PT_TYPES(triggered_message, &triggered_message);
