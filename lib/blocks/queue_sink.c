/* SPDX-License-Identifier: BSD-2-Clause */
/* QueueSink: keeps messages until somebody receives them. */
#include <pipetool/queue.h>

struct queue_sink {
	uint64_t limit;
	int overflow;
	struct pt_queue queue;
};

static const struct pt_carried carries[] = {
	{"queue", PT_CARRY_QUEUE(struct queue_sink, queue)},
	{NULL},
};

/* What an earlier daemon's has held can be received before the engine starts, too. */
static void start(struct pt_block *b)
{
	struct queue_sink *s = pt_state(b);
	if (s->queue.head)
		pt_available(b);
}

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct queue_sink *s = pt_state(b);
	pt_queue_add(b, &s->queue, canal, m, s->limit, (enum pt_overflow)s->overflow);
	pt_available(b);
}

static struct pt_msg *take(struct pt_block *b, enum pt_canal *canal)
{
	struct queue_sink *s = pt_state(b);
	return pt_queue_take(b, &s->queue, canal, s->limit);
}

static void give_back(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct queue_sink *s = pt_state(b);
	pt_queue_give_back(b, &s->queue, canal, m);
	pt_available(b);
}

static void changed(struct pt_block *b)
{
	const struct queue_sink *s = pt_state(b);
	pt_queue_changed(b, &s->queue, s->limit, (enum pt_overflow)s->overflow);
}

static const struct pt_type queue_sink = {
	.api = PT_API,
	.name = "QueueSink",
	.summary = "Keeps the messages of both canals in one queue for `ptctl recv`",
	.help = "What is in the queue can be received after the engine has stopped, too, and does "
		"not hold up a stop.",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     | queue |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples =
		(const char *const[]){"CLIFeeder() > QueueSink()",
                                      "PeriodicSource('x', 0.1) > QueueSink(limit='1MiB')", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
	.params = (const struct pt_param[]){{"limit", "Bytes that the queue may hold.",
                                             PT_SIZE(struct queue_sink, limit), "64MiB",
                                             .flags = PT_LIVE, .min = 1, .max = 1e15},
                                            {"overflow",
                                             "What happens beyond the limit: the oldest or the "
                                             "newest message is dropped, or the sources are held "
                                             "back.",
                                             PT_CHOICE(struct queue_sink, overflow), "drop-oldest",
                                             .flags = PT_LIVE, .choices = pt_overflow_words},
                                            {NULL}},
	.carries = carries,
	.size = sizeof(struct queue_sink),
	.start = start,
	.push = push,
	.take = take,
	.give_back = give_back,
	.changed = changed,
};

PT_TYPES(queue_sink, &queue_sink);
