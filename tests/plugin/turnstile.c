/* SPDX-License-Identifier: BSD-2-Clause */
/* Turnstile: every trigger lets so many messages through. */
#include <pipetool/block.h>

struct turnstile {
	int64_t turns, left;
};

static void start(struct pt_block *b)
{
	struct turnstile *t = pt_state(b);
	t->left = 0;
}

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct turnstile *t = pt_state(b);
	if (t->left > 0) {
		t->left--;
		pt_send(b, canal, m);
	} else {
		pt_drop(b, m, "closed");
	}
}

static void trigger(struct pt_block *b)
{
	struct turnstile *t = pt_state(b);
	t->left = t->turns;
	pt_trigger(b);
}

static const char *const examples[] = {"CLIFeeder() > Turnstile(2) > ConsoleSink()", NULL};

static const struct pt_param params[] = {{"turns", "How many messages pass after a trigger.",
                                          PT_INT(struct turnstile, turns), "1", .flags = PT_LIVE,
                                          .min = 1, .max = 1000000},
                                         {NULL}};

static const struct pt_type turnstile = {
	.api = PT_API,
	.name = "Turnstile",
	.summary = "Passes a number of messages after each trigger",
	.picture = "     +------^------+\n"
		   "  >>-|---[turn]----|->>\n"
		   "     |      |      |\n"
		   "   >-|---[turn]----|->\n"
		   "     +------^------+\n",
	.examples = examples,
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params = params,
	.size = sizeof(struct turnstile),
	.start = start,
	.push = push,
	.trigger = trigger,
};

PT_TYPES(turnstile, &turnstile);
