/* SPDX-License-Identifier: BSD-2-Clause */
/* PeriodicSource: the same messages again and again, at a fixed pace. */
#include <pipetool/block.h>

struct periodic {
	struct pt_given_list msg;
	double period_s, period2_s;
	struct pace {
		size_t next;
		uint64_t due_ns;
	} pace;
	struct pt_timer timer;
};

static const struct pt_carried carries[] = {
	{"pace", PT_CARRY_BYTES(struct periodic, pace), .flags = PT_ALIVE},
	{NULL},
};

static void wake(struct pt_block *b)
{
	pt_ready(b, true);
}

static void start(struct pt_block *b)
{
	struct periodic *p = pt_state(b);
	if (!pt_goes_on(b))
		p->pace = (struct pace){.due_ns = pt_now(b)};
	if (p->pace.next >= p->msg.count)
		p->pace.next = 0;
	if (p->msg.count)
		pt_ready(b, true);
	else
		pt_exhausted(b);
}

/* From one due time to the next, so that the pace does not drift; what is late by more than a
   period is not made up for in a burst. */
static void step(struct pt_block *b)
{
	struct periodic *p = pt_state(b);
	double wait_s = p->period_s;
	if (++p->pace.next == p->msg.count) {
		p->pace.next = 0;
		wait_s += p->period2_s;
	}
	uint64_t now = pt_now(b);
	p->pace.due_ns += (uint64_t)(wait_s * 1e9);
	if (p->pace.due_ns < now)
		p->pace.due_ns = now;
}

static void produce(struct pt_block *b, unsigned max)
{
	struct periodic *p = pt_state(b);
	while (max-- && p->pace.due_ns <= pt_now(b)) {
		const struct pt_given *msg = &p->msg.items[p->pace.next];
		step(b);
		pt_send_given(b, PT_LOW, msg);
	}
	if (p->pace.due_ns > pt_now(b)) {
		pt_ready(b, false);
		pt_timer_at(b, &p->timer, p->pace.due_ns, wake);
	}
}

static const struct pt_type periodic_source = {
	.api = PT_API,
	.name = "PeriodicSource",
	.summary = "Sends messages periodically on the low exit",
	.help = "The first message goes out at once, `period` seconds pass after each, and "
		"`period2` seconds more after each round. An empty list exhausts the source.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "     | msg,msg.. |\n"
		   "     |     `-----|->\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){
			"PeriodicSource('tick', 0.5) > ConsoleSink()",
			"PeriodicSource(['a', 'b'], '10ms', period2=1) > QueueSink()",
			"PeriodicSource({'message': 'x', 'link_type': 1}, 1) > JsonDrain() "
			"> Sink()",
			NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params =
		(const struct pt_param[]){{"msg", "What to send: one message or a list.",
                                           PT_MESSAGES(struct periodic, msg), .flags = PT_REQUIRED},
                                          {"period", "Seconds after each message.",
                                           PT_SECONDS(struct periodic, period_s),
                                           .flags = PT_REQUIRED | PT_LIVE, .max = 1e9},
                                          {"period2", "Seconds more after each round.",
                                           PT_SECONDS(struct periodic, period2_s), "0",
                                           .flags = PT_LIVE, .max = 1e9},
                                          {NULL}},
	.carries = carries,
	.size = sizeof(struct periodic),
	.start = start,
	.produce = produce,
};

PT_TYPES(periodic_source, &periodic_source);
