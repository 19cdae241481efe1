/* SPDX-License-Identifier: BSD-2-Clause */
/* ToEngine: sends messages to another engine, through a channel. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "msg/channel.h"
#include <jansson.h>

#define PARCELS_LEAST 8 /* that fit the limit */

struct to_engine {
	char *channel;
	uint64_t limit;
	int overflow;

	struct channel_end end;
	struct parcel *filling, *spare;
	struct pt_timer timer; /* to the end of the engine's turn */
};

/* [the receiver's thread] */
static void on_room(void *arg)
{
	pt_wake(arg);
}

static int open_sender(struct pt_block *b, struct pt_error *err)
{
	struct to_engine *s = pt_state(b);
	s->end.wake = on_room;
	s->end.arg = b;
	s->end.block = pt_name(b);
	return channel_join(s->channel, false, &s->end, err);
}

static void tell_room(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	pt_full(b, s->overflow == PT_BLOCK && channel_is_full(&s->end, s->limit));
}

/* What is on its way through a buffer counts as out, until it is lost. */
static void ship(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	pt_timer_stop(b, &s->timer);
	if (!s->filling || !s->filling->count)
		return;
	channel_put(&s->end, parcel_close(s->filling, &s->spare));
	s->filling = NULL;
	if (s->overflow == PT_DROP_OLDEST)
		pt_undone(b, channel_drop_oldest(&s->end, s->limit), "overflow");
	tell_room(b);
}

static struct parcel *fresh_parcel(struct pt_block *b, struct to_engine *s)
{
	struct parcel *p = s->spare;
	s->spare = NULL;
	if (p)
		return p;
	p = channel_spare(&s->end);
	if (p)
		parcel_open(p, pt_pool(b));
	return p ? p : parcel_new(pt_pool(b));
}

static bool has_parcel_for(struct pt_block *b, struct to_engine *s, const struct pt_msg *m)
{
	bool crowded = s->filling && (!parcel_has_room(s->filling, m) ||
	                              s->filling->bytes >= s->limit / PARCELS_LEAST);
	if (crowded)
		ship(b);
	if (!s->filling)
		s->filling = fresh_parcel(b, s);
	return s->filling;
}

/* How many bytes may wait, and no message may come on top. */
static uint64_t most(const struct to_engine *s)
{
	return s->overflow == PT_DROP_NEWEST ? s->limit
	       : s->overflow == PT_BLOCK     ? s->limit + PT_OVERRUN
	                                     : UINT64_MAX;
}

static const char *put(struct pt_block *b, enum pt_canal canal, struct pt_msg *m, uint64_t room)
{
	struct to_engine *s = pt_state(b);
	uint64_t cost = parcel_cost(m);
	if (s->end.ended)
		return "unsent";
	if (cost > s->limit)
		return "too-long";
	if (cost > room)
		return "overflow";
	return has_parcel_for(b, s, m) && parcel_add(s->filling, canal, m) ? NULL : "memory";
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct to_engine *s = pt_state(b);
	uint64_t waiting = channel_waiting(&s->end) + (s->filling ? s->filling->bytes : 0);
	uint64_t room = most(s) > waiting ? most(s) - waiting : 0;
	unsigned done = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		uint64_t cost = parcel_cost(m);
		const char *why = put(b, canal, m, room);
		if (why) {
			pt_drop(b, m, why);
		} else {
			room -= cost;
			messages[done++] = m;
		}
	}
	pt_done_many(b, messages, done);
	if (s->filling && s->filling->count && !s->timer.place)
		pt_timer_at(b, &s->timer, 0, ship);
}

static void woken(struct pt_block *b)
{
	tell_room(b);
}

static void changed(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (s->overflow == PT_DROP_OLDEST)
		pt_undone(b, channel_drop_oldest(&s->end, s->limit), "overflow");
	tell_room(b);
}

static void no_more(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	ship(b);
	channel_end(&s->end);
}

static json_t *describe(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (!s->end.channel)
		return NULL;
	const struct channel_news news = channel_look(&s->end);
	return json_pack("{s:I, s:b}", "waiting", (json_int_t)news.messages, "received",
	                 news.received);
}

static void leave(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	const struct channel_lost lost = channel_leave(&s->end);
	pt_undone(b, lost.own, "unsent");
	pt_lost(b, lost.others, "unsent");
	parcel_free(s->spare);
	parcel_free(s->filling);
	s->spare = s->filling = NULL;
}

static void stop(struct pt_block *b)
{
	ship(b);
	leave(b);
}

static int close_sender(struct pt_block *b, struct pt_error *err)
{
	struct to_engine *s = pt_state(b);
	channel_leave(&s->end);
	return 0;
}

static const struct pt_type to_engine = {
	.api = PT_API,
	.name = "ToEngine",
	.summary = "Sends messages to another engine of the same daemon, on another processor core",
	.help = "They come out of the FromEngine that has the same channel, on the canal on which "
		"they came, in order; of several senders, each one's are. What is sent before the "
		"receiver is there, or while it is stopped, waits for it. When the sources that "
		"reach all senders are exhausted, the receiver is, too. What still waits when "
		"neither end is there any more is lost, and counted: stop the sender first.",
	.picture = "     +----------+\n"
		   "  >>-|--.       |\n"
		   "     | channel ~|~~\n"
		   "   >-|--'       |\n"
		   "     +----------+\n",
	.examples =
		(const char *const[]){
			"RdpcapSource('in.pcap') > FilterDrain(filter='udp') > ToEngine('dns')",
			NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
	.params =
		(const struct pt_param[]){
			{"channel", "The channel's name.", PT_STRING(struct to_engine, channel),
                         .flags = PT_REQUIRED},
			{"limit", "Bytes that may wait in the channel, of this block.",
                         PT_SIZE(struct to_engine, limit), "16MiB", .flags = PT_LIVE, .min = 1,
                         .max = 1e15},
			{"overflow",
                         "What happens beyond the limit: the oldest or the "
                         "newest message is dropped, or the sources are held "
                         "back.",
                         PT_CHOICE(struct to_engine, overflow), "block", .flags = PT_LIVE,
                         .choices = pt_overflow_words},
			{NULL}},
	.size = sizeof(struct to_engine),
	.open = open_sender,
	.push_many = push_many,
	.woken = woken,
	.changed = changed,
	.no_more = no_more,
	.describe = describe,
	.stop = stop,
	.close = close_sender,
};

PT_TYPES(to_engine, &to_engine);
