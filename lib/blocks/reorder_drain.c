/* SPDX-License-Identifier: BSD-2-Clause */
/* ReorderDrain: lets messages go in the order of their times. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "base/buf.h"
#include "msg/strays.h"

#define VECTOR 64
#define AGES   64
#define STRAYS "strays"
#define FAR    10 /* times `seconds`: one time so far ahead of all others counts for nothing */

/*
 * What comes in order is in the queue, the rest is in a heap beside it, which is empty when the
 * queue is: a stray is earlier than something in the queue, and leaves before that.
 */
struct reorder {
	double seconds;
	uint64_t limit;

	struct pt_queue queue;
	struct strays strays;
	/* Far ahead of all others, until a newer one comes: then that is what time it is. */
	struct strays ahead;
	uint64_t ahead_since_ns; /* by the clock; they wait for `seconds`, too */
	bool is_first;           /* there was only one yet */
	int64_t tail_ns;         /* the time of the queue's last, if it is not empty */
	int64_t newest_ns;       /* of all that have come */
	int64_t passed_ns;       /* of the last that was let go */
	int64_t over_ns;         /* up to this time they have waited long enough by the clock */
	int64_t late;
	struct ages {
		/* By the clock, from then on for a part of `seconds` nothing that came was
		   later. */
		struct age {
			uint64_t since_ns;
			int64_t newest_ns;
		} ring[AGES];
		unsigned first, used;
	} ages;
	struct pt_timer timer, ahead_timer;
	bool ended; /* nothing more comes: all may go */
};

static const struct pt_carried carries[] = {
	{"queue", PT_CARRY_QUEUE(struct reorder, queue)},
	{"tail", PT_CARRY_INT(struct reorder, tail_ns)},
	{"newest", PT_CARRY_INT(struct reorder, newest_ns)},
	{"passed", PT_CARRY_INT(struct reorder, passed_ns)},
	{"over", PT_CARRY_INT(struct reorder, over_ns)},
	{"late", PT_CARRY_INT(struct reorder, late), .flags = PT_SHOWN},
	{"ages", PT_CARRY_BYTES(struct reorder, ages), .flags = PT_ALIVE},
	{NULL},
};

static void add_stray(struct pt_block *b, struct strays *s, enum pt_canal canal, struct pt_msg *m)
{
	if (!strays_make_room(s)) {
		pt_drop(b, m, "memory");
		return;
	}
	m = pt_hold(b, m);
	if (m)
		strays_add(s, m, canal == PT_HIGH);
}

static void put_aside(struct pt_block *b, struct reorder *s, enum pt_canal canal, struct pt_msg *m)
{
	if (!s->ahead.count)
		s->ahead_since_ns = pt_now(b);
	add_stray(b, &s->ahead, canal, m);
}

/* ---- over a restart ---- */

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct reorder *s = pt_state(b);
	struct buf out = BUF_INIT;
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		return;
	strays_write(&s->strays, &out, false);
	strays_write(&s->ahead, &out, true);
	if (out.length)
		pt_carry_bytes(carry, STRAYS, out.data, out.length);
	buf_free(&out);
	while (pt_carry_to(carry) == PT_AT_END && s->strays.count + s->ahead.count)
		pt_drop(b, strays_take(s->strays.count ? &s->strays : &s->ahead).m, "left");
}

static void take_carried(struct pt_block *b, struct reorder *s)
{
	size_t left;
	const uint8_t *at = pt_carried_bytes(b, STRAYS, &left);
	struct stray stray;
	bool ahead;
	while (at && stray_read(pt_pool(b), &at, &left, &stray, &ahead)) {
		enum pt_canal canal = stray.high ? PT_HIGH : PT_LOW;
		if (!stray.m) {
			pt_lost(b, 1, "memory");
			continue;
		}
		pt_made(b, 1);
		if (ahead)
			put_aside(b, s, canal, stray.m);
		else
			add_stray(b, &s->strays, canal, stray.m);
	}
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct reorder *s = pt_state(b), *before = pt_state(old);
	s->strays = before->strays;
	before->strays = (struct strays){0};
	s->ahead = before->ahead;
	before->ahead = (struct strays){0};
	s->ahead_since_ns = before->ahead_since_ns;
	s->is_first = before->is_first;
}

/* ---- how long they wait ---- */

static uint64_t span_ns(const struct reorder *s)
{
	return (uint64_t)(s->seconds * 1e9);
}

static uint64_t step_ns(const struct reorder *s)
{
	return span_ns(s) / (AGES - 2) + 1;
}

static void note_age(struct pt_block *b, struct reorder *s)
{
	struct ages *a = &s->ages;
	uint64_t now = pt_now(b);
	struct age *newest = &a->ring[(a->first + a->used - 1) % AGES];
	if (!a->used || (now - newest->since_ns > step_ns(s) && a->used < AGES)) {
		newest = &a->ring[(a->first + a->used++) % AGES];
		newest->since_ns = now;
	}
	newest->newest_ns = s->newest_ns;
}

/* What came in an age whose end lies `seconds` back has waited long enough. */
static uint64_t due_ns(const struct reorder *s)
{
	return s->ages.ring[s->ages.first].since_ns + step_ns(s) + span_ns(s);
}

static void look_at_ages(struct pt_block *b, struct reorder *s)
{
	struct ages *a = &s->ages;
	for (; a->used && pt_now(b) >= due_ns(s); a->used--) {
		if (a->ring[a->first].newest_ns > s->over_ns)
			s->over_ns = a->ring[a->first].newest_ns;
		a->first = (a->first + 1) % AGES;
	}
}

/* Messages up to this time may go. */
static int64_t until_ns(const struct reorder *s)
{
	int64_t until;
	if (s->ended)
		return INT64_MAX;
	if (__builtin_sub_overflow(s->newest_ns, (int64_t)span_ns(s), &until))
		until = INT64_MIN;
	return until > s->over_ns ? until : s->over_ns;
}

/* ---- letting go ---- */

static bool stray_is_first(const struct reorder *s)
{
	const struct pt_msg *head = s->queue.head;
	return s->strays.count &&
	       (!head || (head->time_ns && s->strays.heap[0].time_ns < head->time_ns));
}

static bool has_due(const struct reorder *s)
{
	const struct pt_msg *m =
		stray_is_first(s) ? s->strays.heap[0].m : (const struct pt_msg *)s->queue.head;
	return m && (!m->time_ns || m->time_ns <= until_ns(s) ||
	             s->queue.bytes + s->strays.bytes + s->ahead.bytes > s->limit);
}

static struct pt_msg *take(struct pt_block *b, struct reorder *s, enum pt_canal *canal)
{
	struct pt_msg *m;
	if (stray_is_first(s)) {
		struct stray stray = strays_take(&s->strays);
		*canal = stray.high ? PT_HIGH : PT_LOW;
		m = stray.m;
	} else {
		m = pt_queue_take(b, &s->queue, canal, 0);
	}
	if (m->time_ns > s->passed_ns)
		s->passed_ns = m->time_ns;
	return m;
}

/* What goes out at once, on one canal. */
struct vector {
	struct pt_msg *messages[VECTOR];
	unsigned count;
	enum pt_canal canal;
};

static void send_vector(struct pt_block *b, struct vector *out)
{
	unsigned count = out->count;
	out->count = 0;
	pt_send_many(b, out->canal, out->messages, count);
}

static void put(struct pt_block *b, struct vector *out, enum pt_canal canal, struct pt_msg *m)
{
	if (out->count == VECTOR || canal != out->canal)
		send_vector(b, out);
	out->canal = canal;
	out->messages[out->count++] = m;
}

/* Not more than a vector while a sink is full. */
static void let_go(struct pt_block *b, struct reorder *s, struct vector *out, size_t max)
{
	enum pt_canal canal;
	while (max-- && has_due(s) && !(out->count == VECTOR && pt_held_back(b))) {
		struct pt_msg *m = take(b, s, &canal);
		put(b, out, canal, m);
	}
}

static void let_go_later(struct pt_block *b), let_ahead_go(struct pt_block *b);

/* What is left waits for the clock, for a sink, or for what comes. */
static void rest(struct pt_block *b, struct reorder *s)
{
	pt_ready(b, has_due(s));
	pt_goes_later(b, s->queue.count || s->strays.count || s->ahead.count);
	if (!s->queue.count && !s->strays.count)
		s->ages.used = 0;
	if (s->ages.used && !s->timer.place)
		pt_timer_at(b, &s->timer, due_ns(s), let_go_later);
	if (s->ahead.count && !s->ahead_timer.place)
		pt_timer_at(b, &s->ahead_timer, s->ahead_since_ns + span_ns(s), let_ahead_go);
	pt_carry_changed(b);
}

static void release(struct pt_block *b, size_t max)
{
	struct reorder *s = pt_state(b);
	struct vector out = {.count = 0};
	if (!pt_held_back(b))
		let_go(b, s, &out, max);
	send_vector(b, &out);
	rest(b, s);
}

static void let_go_later(struct pt_block *b)
{
	look_at_ages(b, pt_state(b));
	release(b, VECTOR);
}

/* They were ahead of all that came meanwhile, so nothing is late for them. */
static void let_ahead_go(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	struct vector out = {.count = 0};
	while (s->ahead.count) {
		struct stray first = strays_take(&s->ahead);
		put(b, &out, first.high ? PT_HIGH : PT_LOW, first.m);
	}
	send_vector(b, &out);
	rest(b, s);
}

static void produce(struct pt_block *b, unsigned max)
{
	release(b, max);
}

/* ---- coming in ---- */

static void keep(struct pt_block *b, struct reorder *s, enum pt_canal canal, struct pt_msg *m)
{
	int64_t time_ns = m->time_ns;
	if (time_ns > s->newest_ns)
		s->newest_ns = time_ns;
	if (time_ns && (s->queue.count ? time_ns < s->tail_ns : s->strays.count > 0)) {
		add_stray(b, &s->strays, canal, m);
		return;
	}
	if (time_ns)
		s->tail_ns = time_ns;
	pt_queue_add(b, &s->queue, canal, m, UINT64_MAX, PT_DROP_NEWEST);
}

/* What is not after `time_ns`. */
static void keep_ahead(struct pt_block *b, struct reorder *s, int64_t time_ns)
{
	while (s->ahead.count && s->ahead.heap[0].time_ns <= time_ns) {
		struct stray first = strays_take(&s->ahead);
		keep(b, s, first.high ? PT_HIGH : PT_LOW, first.m);
	}
	if (!s->ahead.count)
		pt_timer_stop(b, &s->ahead_timer);
}

static int64_t far_ns(const struct reorder *s, int64_t from_ns, int sign)
{
	double far = s->seconds * 1e9 * FAR, least = (double)INT64_MIN, most = (double)INT64_MAX;
	double to = (double)from_ns + sign * far;
	return to <= least ? INT64_MIN : to >= most ? INT64_MAX : from_ns + sign * (int64_t)far;
}

/* The first of all was far ahead of the second, and is it still. */
static void begin_earlier(struct pt_block *b, struct reorder *s)
{
	enum pt_canal canal = PT_LOW;
	struct pt_msg *m = s->queue.head ? pt_queue_take(b, &s->queue, &canal, 0) : NULL;
	s->tail_ns = s->newest_ns = s->passed_ns = s->over_ns = INT64_MIN;
	s->ages.used = 0;
	pt_timer_stop(b, &s->timer);
	if (m)
		put_aside(b, s, canal, m);
}

static bool is_ahead(struct pt_block *b, struct reorder *s, const struct pt_msg *m)
{
	int64_t time_ns = m->time_ns;
	if (!time_ns)
		return false;
	if (s->is_first && time_ns < far_ns(s, s->newest_ns, -1))
		begin_earlier(b, s);
	s->is_first = s->newest_ns == INT64_MIN;
	if (s->is_first || time_ns <= far_ns(s, s->newest_ns, 1))
		return false;
	keep_ahead(b, s, time_ns - 1);
	return time_ns > far_ns(s, s->newest_ns, 1);
}

/* One by one, as if each came alone: what is late is so by what came before it. */
static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct reorder *s = pt_state(b);
	struct vector out = {.count = 0};
	bool held_back = pt_held_back(b);
	s->ended = false;
	for (unsigned i = 0; i < count; i++) {
		if (messages[i]->time_ns && messages[i]->time_ns < s->passed_ns) {
			s->late++;
			put(b, &out, canal, messages[i]);
			continue;
		}
		if (is_ahead(b, s, messages[i]))
			put_aside(b, s, canal, messages[i]);
		else
			keep(b, s, canal, messages[i]);
		bool too_much = s->ahead.bytes > s->limit;
		keep_ahead(b, s, too_much ? INT64_MAX : far_ns(s, s->newest_ns, 1));
		if (!held_back)
			let_go(b, s, &out, SIZE_MAX);
	}
	send_vector(b, &out);
	note_age(b, s);
	rest(b, s);
}

static void begin(struct reorder *s)
{
	s->tail_ns = s->newest_ns = s->passed_ns = s->over_ns = INT64_MIN;
	s->late = 0;
	s->ages.used = 0;
}

static void start(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	s->ended = false;
	if (!pt_goes_on(b))
		begin(s);
	else
		take_carried(b, s);
	if (s->queue.count || s->strays.count)
		note_age(b, s);
	rest(b, s);
}

static void no_more(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	s->ended = true;
	keep_ahead(b, s, INT64_MAX);
	rest(b, s);
}

static void changed(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	pt_timer_stop(b, &s->timer);
	pt_timer_stop(b, &s->ahead_timer);
	rest(b, s);
}

static void stop(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	struct vector out = {.count = 0};
	enum pt_canal canal;
	keep_ahead(b, s, INT64_MAX);
	while (s->queue.count || s->strays.count) {
		struct pt_msg *m = take(b, s, &canal);
		put(b, &out, canal, m);
	}
	send_vector(b, &out);
}

static void fini(struct pt_block *b)
{
	struct reorder *s = pt_state(b);
	strays_fini(&s->strays);
	strays_fini(&s->ahead);
}

static const struct pt_param params[] = {
	{"seconds", "Holds each until one has come that is so much newer, or so long.",
         PT_SECONDS(struct reorder, seconds), "1", .flags = PT_LIVE, .min = 1e-6, .max = 1e6},
	{"limit", "Bytes that it may hold; beyond, the earliest goes before its time.",
         PT_SIZE(struct reorder, limit), "64MiB", .flags = PT_LIVE, .min = 1, .max = 1e15},
	{NULL},
};

static const struct pt_type reorder_drain = {
	.api = PT_API,
	.name = "ReorderDrain",
	.summary = "Lets messages go in the order of their times",
	.help = "Of those with the same time, the one goes first that came first; what has no time "
		"stays behind what came before it. When the sources are exhausted, and at a stop, "
		"the rest goes. What comes too late, since a newer one has gone, passes at once, "
		"and `ptctl show` counts it (`late`). A time that is further ahead of all others "
		"than ten times seconds counts only when one comes that is newer still, or when "
		"those alone are more than limit: until then the packet waits aside, for seconds. "
		"Both canals are one order.",
	.picture = "     +-----------+\n"
		   "  >>-|--.     .--|->>\n"
		   "     | [by time] |\n"
		   "   >-|--'     '--|->\n"
		   "     +-----------+\n",
	.examples = (const char *const[]){"RdpcapSource(\"in.pcap\") > ReorderDrain(seconds=5) > "
                                          "WrpcapSink(\"out.pcap\")",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT | PT_CROSSWISE,
	.params = params,
	.carries = carries,
	.size = sizeof(struct reorder),
	.start = start,
	.push_many = push_many,
	.produce = produce,
	.no_more = no_more,
	.changed = changed,
	.stop = stop,
	.carry = carry,
	.take_over = take_over,
	.fini = fini,
};

PT_TYPES(reorder_drain, &reorder_drain);
