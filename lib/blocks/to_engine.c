/* SPDX-License-Identifier: BSD-2-Clause */
/* ToEngine: sends messages to another engine, through a channel. */
#include <pipetool/outside.h>
#include <pipetool/queue.h>

#include "msg/channel.h"
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#define PARCELS_LEAST 8 /* that fit the limit */
#define AGAIN_NS      1000000u

struct to_engine {
	char *channel;
	uint64_t limit;
	int overflow;

	struct channel_end end;
	struct parcel *filling, *spare;
	struct pt_timer timer; /* to the end of the engine's turn */
	struct pt_timer again;

	/* What is not behind a checkpoint of the receiver, where it outlives the daemon. */
	struct pt_queue kept;
	int64_t id;    /* 0: nothing is kept */
	int64_t first; /* the number of the oldest */
	int64_t next;  /* and of that which goes into a parcel next: */
	struct pt_msg *out;
	uint64_t told; /* at a checkpoint: the number of what comes next */
	bool carried;
	bool moved; /* it takes the place of one with another channel */
};

static const struct pt_carried carries[] = {
	{"kept", PT_CARRY_QUEUE(struct to_engine, kept)},
	{"id", PT_CARRY_INT(struct to_engine, id)},
	{"first", PT_CARRY_INT(struct to_engine, first)},
	{"next", PT_CARRY_INT(struct to_engine, next), .flags = PT_ALIVE},
	{NULL},
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
	s->end.engine = pt_engine_of(b);
	return channel_join(s->channel, false, &s->end, err);
}

/* What is on its way is not dropped to make room. */
static enum pt_overflow kept_overflow(const struct to_engine *s)
{
	return s->overflow == PT_DROP_NEWEST ? PT_DROP_NEWEST : PT_BLOCK;
}

static void tell_room(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	bool full = channel_is_full(&s->end, s->limit);
	bool blocks = s->id ? kept_overflow(s) == PT_BLOCK : s->overflow == PT_BLOCK;
	pt_full(b, blocks && (full || s->kept.bytes >= s->limit));
}

/* What is on its way through a buffer counts as out, until it is lost. */
static void ship(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	pt_timer_stop(b, &s->timer);
	if (!s->filling || !s->filling->count)
		return;
	if (s->id && !pt_has_checkpoints(b)) /* then it is found as it is */
		channel_commit(&s->end, UINT64_MAX);
	channel_put(&s->end, parcel_close(s->filling, &s->spare));
	s->filling = NULL;
	if (s->overflow == PT_DROP_OLDEST && !s->id)
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

/* ---- what is kept ---- */

static void ship_soon(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (s->filling && s->filling->count && !s->timer.place)
		pt_timer_at(b, &s->timer, 0, ship);
}

static bool copy_out(struct pt_block *b, struct to_engine *s)
{
	if (!has_parcel_for(b, s, s->out))
		return false;
	if (!s->filling->count) {
		s->filling->id = (uint64_t)s->id;
		s->filling->number = (uint64_t)s->next;
	}
	struct pt_msg *copied = pt_msg_ref(s->out);
	bool added = parcel_add(s->filling, pt_queue_canal(copied), copied);
	pt_msg_unref(copied);
	return added;
}

/* Where there is no memory it is tried again soon. */
static void ship_kept(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	while (s->out && copy_out(b, s)) {
		s->out = s->out->next;
		s->next++;
	}
	if (s->out)
		pt_timer_at(b, &s->again, pt_now(b) + AGAIN_NS, ship_kept);
	ship_soon(b);
}

static void keep(struct pt_block *b, struct to_engine *s, enum pt_canal canal, struct pt_msg *m)
{
	const char *why = s->end.ended ? "unsent" : parcel_cost(m) > s->limit ? "too-long" : NULL;
	struct pt_msg *last = s->kept.last;
	if (why)
		pt_drop(b, m, why);
	else if (pt_queue_add(b, &s->kept, canal, m, s->limit, kept_overflow(s)) && !s->out)
		s->out = last ? last->next : s->kept.head;
}

static void keep_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		keep(b, pt_state(b), canal, messages[i]);
	ship_kept(b);
}

static void let_go_until(struct pt_block *b, struct to_engine *s, uint64_t number)
{
	enum pt_canal canal;
	while ((uint64_t)s->first < number && s->kept.head && s->kept.head != s->out) {
		pt_done(b, pt_queue_take(b, &s->kept, &canal, s->limit));
		s->first++;
	}
}

static void look_at_receiver(struct pt_block *b, struct to_engine *s)
{
	bool wanted;
	let_go_until(b, s, channel_settled(&s->end, &wanted));
	if (wanted && !pt_has_checkpoints(b))
		channel_commit(&s->end, UINT64_MAX);
	else if (wanted)
		pt_brims(b);
}

static bool begin_anew(struct pt_block *b, struct to_engine *s)
{
	s->id = s->first = s->next = 0;
	bool keeps = pt_is_stored(b) && s->overflow != PT_DROP_OLDEST;
	return keeps && getrandom(&s->id, sizeof s->id, 0) == sizeof s->id && s->id;
}

static void find_out(struct to_engine *s)
{
	if (s->next < s->first)
		s->next = s->first;
	s->out = s->kept.head;
	for (int64_t i = s->first; s->out && i < s->next; i++)
		s->out = s->out->next;
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct to_engine *s = pt_state(b), *before = pt_state(old);
	s->moved = strcmp(s->channel, before->channel) != 0;
}

/* What waits is on its way already, or, from an earlier daemon, all of it comes again. What is on
   its way in another channel counts as out, as it does when its sender has gone. */
static void start(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	bool goes_on = s->id && pt_goes_on(b) && !s->moved;
	s->carried = false;
	find_out(s);
	if (s->moved)
		let_go_until(b, s, UINT64_MAX);
	s->moved = false;
	if (!goes_on && !begin_anew(b, s))
		return;
	channel_keep(&s->end, (uint64_t)s->id);
	find_out(s);
	pt_came_on(b);
	ship_kept(b);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct to_engine *s = pt_state(b);
	if (pt_carry_to(carry) != PT_TO_SUCCESSOR)
		s->told = (uint64_t)s->first + s->kept.count;
	s->carried = s->id && pt_carry_to(carry) == PT_AT_END;
	if (s->carried)
		s->out = NULL;
}

static void committed(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (s->id && s->end.channel)
		channel_commit(&s->end, s->told);
}

/* ---- messages ---- */

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct to_engine *s = pt_state(b);
	if (s->id) {
		keep_many(b, canal, messages, count);
		return;
	}
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
	ship_soon(b);
}

static void woken(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (!s->end.channel)
		return;
	if (s->id)
		look_at_receiver(b, s);
	tell_room(b);
}

static void changed(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	if (s->overflow == PT_DROP_OLDEST && s->id)
		pt_note(b, "overflow='drop-oldest' counts from the engine's next start on");
	else if (s->overflow == PT_DROP_OLDEST)
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
	if (!s->carried) {
		pt_undone(b, lost.own, "unsent");
		pt_lost(b, lost.others, "unsent");
	}
	parcel_free(s->spare);
	parcel_free(s->filling);
	s->spare = s->filling = NULL;
}

static void stop(struct pt_block *b)
{
	struct to_engine *s = pt_state(b);
	ship(b);
	let_go_until(b, s, UINT64_MAX);
	pt_queue_drop(b, &s->kept, "unsent");
	s->out = NULL;
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
		"neither end is there any more is lost, and counted: stop the sender first. "
		"Where descriptors are stored, what is on its way goes on over a restart and a "
		"crash, and comes once, but for what `drop-oldest` would drop.",
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
	.carries = carries,
	.size = sizeof(struct to_engine),
	.open = open_sender,
	.carry = carry,
	.committed = committed,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.woken = woken,
	.changed = changed,
	.no_more = no_more,
	.describe = describe,
	.stop = stop,
	.close = close_sender,
};

PT_TYPES(to_engine, &to_engine);
