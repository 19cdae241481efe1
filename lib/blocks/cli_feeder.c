/* SPDX-License-Identifier: BSD-2-Clause */
/* CLIFeeder, CLIHighFeeder, AutoSource: messages that are sent by hand. */
#include <errno.h>
#include <pipetool/outside.h>
#include <pipetool/queue.h>

struct feeder {
	struct pt_queue waiting; /* while the engine is stopped, or a sink is full */
	bool running, closed, poisoned;
};

static const struct pt_carried carries[] = {
	{"waiting", PT_CARRY_QUEUE(struct feeder, waiting)},
	{"closed", PT_CARRY_BOOL(struct feeder, closed), .flags = PT_ALIVE},
	{NULL},
};

static void check(struct pt_block *b)
{
	struct feeder *f = pt_state(b);
	if (!f->running)
		return;
	if (f->waiting.count)
		pt_ready(b, true);
	else if (f->closed)
		pt_exhausted(b);
	else
		pt_ready(b, false);
}

static int feed(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages, unsigned count,
                struct pt_error *err)
{
	struct feeder *f = pt_state(b);
	int rc = pt_queue_may_feed(b, &f->waiting, f->closed, messages, count, err);
	if (rc)
		return rc;
	pt_made(b, count);
	unsigned sent = 0;
	while (sent < count && f->running && !f->waiting.count && !pt_held_back(b))
		pt_send(b, canal, messages[sent++]);
	pt_queue_feed(b, &f->waiting, canal, messages + sent, count - sent);
	check(b);
	return 0;
}

static void leave_out_poison(struct pt_block *b, struct feeder *f)
{
	struct pt_queue *q = &f->waiting;
	enum pt_canal canal;
	unsigned count = 0;
	for (; count < PT_POISON && q->count; count++)
		pt_drop(b, pt_queue_take(b, q, &canal, UINT64_MAX), "poison");
	f->poisoned = false;
	pt_report(b, -EBADMSG,
	          "three times the daemon has died behind a checkpoint: %u messages that "
	          "waited here are left out",
	          count);
}

static void start(struct pt_block *b)
{
	struct feeder *f = pt_state(b);
	f->running = true;
	pt_exact(b);
	f->poisoned = pt_poisoned(b);
	check(b);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct feeder *f = pt_state(b);
	enum pt_canal canal;
	if (f->poisoned)
		leave_out_poison(b, f);
	while (max-- && f->waiting.count && !pt_held_back(b)) {
		struct pt_msg *m = pt_queue_take(b, &f->waiting, &canal, UINT64_MAX);
		pt_send(b, canal, m);
	}
	check(b);
}

static void finish(struct pt_block *b)
{
	struct feeder *f = pt_state(b);
	f->closed = true;
	check(b);
}

static void stop(struct pt_block *b)
{
	struct feeder *f = pt_state(b);
	f->running = false;
	f->closed = false;
}

#define FEEDER                                                                               \
	.api = PT_API, .role = PT_SOURCE, .carries = carries, .size = sizeof(struct feeder), \
	.start = start, .produce = produce, .feed = feed, .finish = finish, .stop = stop

static const struct pt_type cli_feeder = {
	FEEDER,
	.name = "CLIFeeder",
	.summary = "Sends what `ptctl send` gives it, on the low exit",
	.help = "A message that is sent before the engine starts waits for it. `ptctl close` "
		"exhausts the source, so that a clean stop ends.",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "     |  [send]   |\n"
		   "     |     `-----|->\n"
		   "     +-----------+\n",
	.examples = (const char *const[]){"CLIFeeder() > ConsoleSink()", NULL},
	.ports = PT_LOW_EXIT,
};

static const struct pt_type cli_high_feeder = {
	FEEDER,
	.name = "CLIHighFeeder",
	.summary = "Sends what `ptctl send` gives it, on the high exit",
	.help = "A message that is sent before the engine starts waits for it. `ptctl close` "
		"exhausts the source, so that a clean stop ends.",
	.picture = "     +-----------+\n"
		   "     |     ,-----|->>\n"
		   "     |  [send]   |\n"
		   "     |           |\n"
		   "     +-----------+\n",
	.examples = (const char *const[]){"CLIHighFeeder() >> ConsoleSink()", NULL},
	.ports = PT_HIGH_EXIT,
};

static const struct pt_type auto_source = {
	FEEDER,
	.name = "AutoSource",
	.summary = "The base of custom sources: `ptctl send` feeds either exit",
	.help = "By itself it sends what `ptctl send` gives it on the low exit, or on the high one "
		"with --high; `ptctl close` exhausts it.",
	.picture = "     +-----------+\n"
		   "     |     ,-----|->>\n"
		   "     |  [send]   |\n"
		   "     |     `-----|->\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){"a = AutoSource(); c = ConsoleSink(); a > c; a >> c", NULL},
	.ports = PT_LOW_EXIT | PT_HIGH_EXIT,
};

PT_TYPES(cli_feeder, &cli_feeder, &cli_high_feeder, &auto_source);
