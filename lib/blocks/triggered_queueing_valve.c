/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggeredQueueingValve: passes or holds, changing on each trigger; opening releases what it
   held. */
#include <pipetool/queue.h>

#include "base/moment.h"

#define AGES 64

/* When messages came: so many, in order, from then on for a small part of `seconds`. */
struct age {
	uint64_t since_ns;
	size_t count;
};

struct valve {
	bool start_state, open;
	uint64_t limit;
	double seconds;
	int overflow;
	struct pt_queue queue;
	struct ages {
		struct age ring[AGES]; /* from the oldest on */
		unsigned first, used;
		size_t known; /* messages in all of them */
	} ages;
	double close_after_s;
	/* Where it closes by itself, since the last trigger. */
	struct closing {
		bool due;
		int64_t from_ns;   /* the time of the first packet that has one; 0: none has come */
		uint64_t until_ns; /* and then the clock counts */
	} closing;
	struct pt_timer timer;
};

static const struct pt_carried carries[] = {
	{"open", PT_CARRY_BOOL(struct valve, open), .flags = PT_SHOWN},
	{"queue", PT_CARRY_QUEUE(struct valve, queue)},
	{"ages", PT_CARRY_BYTES(struct valve, ages), .flags = PT_ALIVE},
	{"closing", PT_CARRY_BYTES(struct valve, closing)},
	{NULL},
};

/* ---- ages ---- */

static uint64_t span_ns(const struct valve *v)
{
	return (uint64_t)(v->seconds * 1e9);
}

/* Longer than this one age is not: in the ring there is room for a little more than `seconds`. */
static uint64_t step_ns(const struct valve *v)
{
	return span_ns(v) / (AGES - 2) + 1;
}

static void forget_oldest(struct valve *v, size_t count)
{
	v->ages.known -= count;
	while (count) {
		struct age *oldest = &v->ages.ring[v->ages.first];
		size_t part = count < oldest->count ? count : oldest->count;
		oldest->count -= part;
		count -= part;
		if (oldest->count)
			return;
		v->ages.first = (v->ages.first + 1) % AGES;
		v->ages.used--;
	}
}

static struct age *newest_age(struct pt_block *b, struct valve *v)
{
	uint64_t now = pt_now(b);
	struct age *newest = &v->ages.ring[(v->ages.first + v->ages.used - 1) % AGES];
	if (v->ages.used && (now - newest->since_ns <= step_ns(v) || v->ages.used == AGES))
		return newest;
	newest = &v->ages.ring[(v->ages.first + v->ages.used++) % AGES];
	*newest = (struct age){now, 0};
	return newest;
}

/* What has left the queue is forgotten; what nobody knows of lies before the rest. */
static void match_ages(struct pt_block *b, struct valve *v)
{
	size_t count = v->queue.count;
	if (v->ages.known > count)
		forget_oldest(v, v->ages.known - count);
	if (v->ages.known == count)
		return;
	struct age *oldest = v->ages.used ? &v->ages.ring[v->ages.first] : newest_age(b, v);
	oldest->count += count - v->ages.known;
	v->ages.known = count;
}

static void drop_old(struct pt_block *b, struct valve *v)
{
	uint64_t now = pt_now(b), most = span_ns(v) + step_ns(v);
	enum pt_canal canal;
	if (v->seconds <= 0) {
		v->ages.used = 0;
		v->ages.known = 0;
		return;
	}
	match_ages(b, v);
	while (v->ages.used && now - v->ages.ring[v->ages.first].since_ns > most) {
		for (size_t n = v->ages.ring[v->ages.first].count; n; n--)
			pt_drop(b, pt_queue_take(b, &v->queue, &canal, v->limit), "old");
		match_ages(b, v);
	}
}

static void add(struct pt_block *b, struct valve *v, enum pt_canal canal, struct pt_msg *m,
                uint64_t limit, enum pt_overflow overflow)
{
	if (v->seconds > 0)
		match_ages(b, v);
	if (pt_queue_add(b, &v->queue, canal, m, limit, overflow) && v->seconds > 0) {
		newest_age(b, v)->count++;
		v->ages.known++;
	}
}

static void hold(struct pt_block *b, struct valve *v, enum pt_canal canal, struct pt_msg *m)
{
	drop_old(b, v);
	add(b, v, canal, m, v->limit, (enum pt_overflow)v->overflow);
}

/* ---- letting go ---- */

static void let_go(struct pt_block *b, struct valve *v)
{
	enum pt_canal canal;
	struct pt_msg *m = pt_queue_take(b, &v->queue, &canal, v->limit);
	pt_send(b, canal, m);
}

/* One at a time: what is released may close the valve again, or fill a sink. What is left then has
   turns of its own. */
static void release(struct pt_block *b, struct valve *v, bool all)
{
	while (v->open && v->queue.count && (all || !pt_held_back(b)))
		let_go(b, v);
	pt_ready(b, v->open && v->queue.count);
}

/* Behind what waits for a full sink: nothing of that may be lost for it. */
static void wait(struct pt_block *b, struct valve *v, enum pt_canal canal, struct pt_msg *m)
{
	add(b, v, canal, m, UINT64_MAX, PT_DROP_NEWEST);
	pt_full(b, true);
}

/* What waits in the open valve for a full sink holds the sources back whatever `overflow` says. */
static void changed(struct pt_block *b)
{
	const struct valve *v = pt_state(b);
	if (!v->open)
		pt_queue_changed(b, &v->queue, v->limit, (enum pt_overflow)v->overflow);
}

/* ---- closing by itself ---- */

static void close_valve(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	v->open = v->closing.due = false;
	changed(b);
	pt_carry_changed(b);
}

/* No packet has had a time until now, and nothing is held that must go first. */
static bool is_late(const struct pt_block *b, const struct valve *v)
{
	const struct closing *c = &v->closing;
	return c->due && !c->from_ns && !v->queue.count && pt_now(b) >= c->until_ns;
}

static void close_if_late(struct pt_block *b)
{
	if (is_late(b, pt_state(b)))
		close_valve(b);
}

static void close_later(struct pt_block *b, struct valve *v)
{
	uint64_t until_ns = pt_now(b) + (uint64_t)(v->close_after_s * 1e9);
	v->closing = (struct closing){.due = true, .until_ns = until_ns};
	pt_timer_at(b, &v->timer, until_ns, close_if_late);
}

/* Not before what was held is through: nothing of it may stay behind. The clock is for what has no
   time: a packet that comes right behind the trigger may come late by the clock. */
static void close_if_over(struct pt_block *b, struct valve *v, const struct pt_msg *m)
{
	struct closing *c = &v->closing;
	if (!m->time_ns)
		close_if_late(b);
	if (!c->due || v->queue.count || !m->time_ns)
		return;
	if (!c->from_ns) {
		c->from_ns = m->time_ns;
		pt_carry_changed(b);
	}
	if ((double)moment_since(c->from_ns, m->time_ns) > v->close_after_s * 1e9)
		close_valve(b);
}

static void start(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	if (!pt_goes_on(b))
		v->open = v->start_state;
	if (pt_goes_on(b) && v->closing.due && !v->closing.from_ns)
		pt_timer_at(b, &v->timer, v->closing.until_ns, close_if_late);
	if (!pt_goes_on(b))
		v->closing.due = false;
	pt_ready(b, v->open && v->queue.count);
}

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct valve *v = pt_state(b);
	if (v->open && v->queue.count) {
		release(b, v, false);
		close_if_late(b);
	}
	close_if_over(b, v, m);
	if (!v->open)
		hold(b, v, canal, m);
	else if (v->queue.count)
		wait(b, v, canal, m);
	else
		pt_send(b, canal, m);
}

static void trigger(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	v->open = v->close_after_s > 0 || !v->open;
	if (v->close_after_s > 0)
		close_later(b, v);
	changed(b);
	pt_carry_changed(b);
	pt_trigger(b);
	if (v->open)
		drop_old(b, v);
	release(b, v, false);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct valve *v = pt_state(b);
	while (max-- && v->open && v->queue.count && !pt_held_back(b))
		let_go(b, v);
	close_if_late(b);
	pt_ready(b, v->open && v->queue.count);
}

static void stop(struct pt_block *b)
{
	struct valve *v = pt_state(b);
	release(b, v, true);
}

static const struct pt_type triggered_queueing_valve = {
	.api = PT_API,
	.name = "TriggeredQueueingValve",
	.summary = "Passes or queues messages, changing on each trigger",
	.help = "Every trigger opens the closed valve and closes the open one, and is passed on; "
		"then an opened valve releases what it has held, in order, each message on its own "
		"canal, as fast as the sinks take it. With overflow='drop-oldest' it is a flight "
		"recorder: it holds the last `limit` bytes, of which each message costs 56 more, "
		"and of these, with `seconds`, only what came to it in the last so many; with "
		"close_after=10 it closes again ten seconds behind the trigger.",
	.picture = "     +-------^-------+\n"
		   "  >>-|-[pass/queue]--|->>\n"
		   "     |       |       |\n"
		   "   >-|-[pass/queue]--|->\n"
		   "     +-------^-------+\n",
	.examples =
		(const char *const[]){
			"a = CLIFeeder(); d = TriggerDrain(\"equals 'alarm'\")\n"
			"v = TriggeredQueueingValve(False, limit='1MiB', seconds=30)\n"
			"a > d > v > QueueSink(); d ^ v",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_TRIGGER, PT_LOW) | PT_ROUTE(PT_TRIGGER, PT_HIGH) |
                  PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params =
		(const struct pt_param[]){
			{"start_state", "Open when the engine starts.",
                         PT_BOOL(struct valve, start_state), "true"},
			{"limit", "Bytes that the queue may hold.", PT_SIZE(struct valve, limit),
                         "64MiB", .flags = PT_LIVE, .min = 1, .max = 1e15},
			{"overflow",
                         "What happens beyond the limit: the oldest or the newest message is "
                         "dropped, or the sources are held back.",
                         PT_CHOICE(struct valve, overflow), "drop-oldest", .flags = PT_LIVE,
                         .choices = pt_overflow_words},
			{"seconds",
                         "Drops what has waited longer, to within a fiftieth; 0: keeps it.",
                         PT_SECONDS(struct valve, seconds), "0", .flags = PT_LIVE, .max = 1e6},
			{"close_after",
                         "A trigger only opens, and the valve closes by itself so long after the "
                         "last one: by the packets' times, counted from the first behind the "
                         "trigger, or by the clock while none has one.",
                         PT_SECONDS(struct valve, close_after_s), "None", .flags = PT_LIVE,
                         .max = 1e6},
			{NULL}},
	.carries = carries,
	.size = sizeof(struct valve),
	.start = start,
	.push = push,
	.trigger = trigger,
	.changed = changed,
	.produce = produce,
	.stop = stop,
};

PT_TYPES(triggered_queueing_valve, &triggered_queueing_valve);
