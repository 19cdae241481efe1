/* SPDX-License-Identifier: BSD-2-Clause */
/* PaceDrain: lets messages go no faster than so many, or so many bits, a second. */
#include <pipetool/queue.h>

#include "base/pace.h"

#define VECTOR   64
#define LEAST_NS 50000 /* between two looks at the clock: what is due meanwhile goes together */

struct pace_drain {
	double pps;
	double bits_s;
	int64_t burst;
	int overflow;
	uint64_t limit;

	struct pt_queue queue;
	struct pace pace;
	struct pt_timer timer;
};

static const struct pt_carried carries[] = {
	{"queue", PT_CARRY_QUEUE(struct pace_drain, queue)},
	{"pace", PT_CARRY_BYTES(struct pace_drain, pace), .flags = PT_ALIVE},
	{NULL},
};

static double wait_ns(const struct pace_drain *p, const struct pt_msg *m)
{
	return p->bits_s > 0 ? m->wire_length * 8e9 / p->bits_s : 1e9 / p->pps;
}

/* `burst` may go together where it had nothing to do for as long. */
static uint64_t due_ns(const struct pace_drain *p, const struct pt_msg *m)
{
	double ahead_ns = (double)(p->burst - 1) * wait_ns(p, m);
	return ahead_ns < (double)p->pace.next_ns ? p->pace.next_ns - (uint64_t)ahead_ns : 0;
}

static void let_go_later(struct pt_block *b)
{
	pt_ready(b, true);
}

/* Until the next is due, or a sink has room. */
static void rest(struct pt_block *b, struct pace_drain *p)
{
	const struct pt_msg *next = p->queue.head;
	uint64_t now = pt_now(b), due = next ? due_ns(p, next) : 0;
	pt_goes_later(b, next);
	pt_ready(b, next && due <= now);
	if (next && due > now)
		pt_timer_at(b, &p->timer, due < now + LEAST_NS ? now + LEAST_NS : due,
		            let_go_later);
}

static void let_go(struct pt_block *b, struct pace_drain *p, unsigned max)
{
	struct pt_msg *messages[VECTOR];
	enum pt_canal canal = PT_LOW, next;
	uint64_t now = pt_now(b);
	unsigned count = 0;
	while (max-- && p->queue.head && due_ns(p, p->queue.head) <= now) {
		double wait = wait_ns(p, p->queue.head);
		struct pt_msg *m = pt_queue_take(b, &p->queue, &next, p->limit);
		pace_step(&p->pace, wait, now);
		if (next != canal && count) {
			pt_send_many(b, canal, messages, count);
			count = 0;
		}
		canal = next;
		messages[count++] = m;
	}
	if (count)
		pt_send_many(b, canal, messages, count);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct pace_drain *p = pt_state(b);
	let_go(b, p, max < VECTOR ? max : VECTOR);
	rest(b, p);
}

/* While nothing waits, no time is saved up. */
static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct pace_drain *p = pt_state(b);
	if (!p->queue.head && p->pace.next_ns < pt_now(b))
		p->pace = (struct pace){pt_now(b), 0};
	for (unsigned i = 0; i < count; i++) {
		pt_queue_add(b, &p->queue, canal, messages[i], p->limit,
		             (enum pt_overflow)p->overflow);
		if (!pt_held_back(b))
			let_go(b, p, 1);
	}
	rest(b, p);
}

static void start(struct pt_block *b)
{
	struct pace_drain *p = pt_state(b);
	if (!p->pace.next_ns)
		p->pace.next_ns = pt_now(b);
	rest(b, p);
}

/* The next one waits no longer than it does at the new pace. */
static void changed(struct pt_block *b)
{
	struct pace_drain *p = pt_state(b);
	uint64_t now = pt_now(b);
	double wait = p->queue.head ? wait_ns(p, p->queue.head) : 0;
	pt_queue_changed(b, &p->queue, p->limit, (enum pt_overflow)p->overflow);
	pt_timer_stop(b, &p->timer);
	if ((double)p->pace.next_ns > (double)now + wait)
		p->pace = (struct pace){now + (uint64_t)wait, 0};
	rest(b, p);
}

static void stop(struct pt_block *b)
{
	struct pace_drain *p = pt_state(b);
	enum pt_canal canal;
	for (struct pt_msg *m; (m = pt_queue_take(b, &p->queue, &canal, p->limit));)
		pt_send(b, canal, m);
}

static const struct pt_param params[] = {
	{"pps", "So many messages a second; either this or rate is given.",
         PT_NUMBER(struct pace_drain, pps), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE,
         .min = 1e-6, .max = 1e9},
	{"rate", "So many bits a second, of packets' lengths on the wire: \"10Mbit\".",
         PT_RATE(struct pace_drain, bits_s), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE},
	{"burst", "So many may go at once where nothing went for as long as that takes.",
         PT_INT(struct pace_drain, burst), .fallback = "1", .flags = PT_LIVE, .min = 1, .max = 1e9},
	{"overflow",
         "What happens beyond the limit: the sources are held back, or the oldest or the newest "
         "message is dropped.",
         PT_CHOICE(struct pace_drain, overflow), .fallback = "block", .flags = PT_LIVE,
         .choices = pt_overflow_words},
	{"limit", "Bytes that may wait.", PT_SIZE(struct pace_drain, limit), .fallback = "1MiB",
         .flags = PT_LIVE, .min = 1, .max = 1e15},
	{NULL},
};

static const struct pt_type pace_drain = {
	.api = PT_API,
	.name = "PaceDrain",
	.summary = "Lets messages go no faster than so many, or so many bits, a second",
	.help = "What comes faster waits, that of both canals in one queue, and holds its sources "
		"back, or is dropped (`overflow`). A delay of the machine is caught up with, up to "
		"a tenth of a second, so that the rate is kept. The end of the sources is waited "
		"for; a stop sends the rest at once.",
	.picture = "     +----------+\n"
		   "  >>-|--.    .--|->>\n"
		   "     | [queue]  |\n"
		   "   >-|--'    '--|->\n"
		   "     +----------+\n",
	.examples =
		(const char *const[]){"RdpcapSource(\"in.pcap\") > PaceDrain(pps=1000) > Sink()",
                                      "RdpcapSource(\"in.pcap\") > PaceDrain(rate=\"10Mbit\", "
                                      "burst=10) > Sink()",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT | PT_CROSSWISE,
	.params = params,
	.carries = carries,
	.size = sizeof(struct pace_drain),
	.start = start,
	.push_many = push_many,
	.produce = produce,
	.changed = changed,
	.stop = stop,
};

PT_TYPES(pace_drain, &pace_drain);
