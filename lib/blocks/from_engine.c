/* SPDX-License-Identifier: BSD-2-Clause */
/* FromEngine: what other engines send, through a channel. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "msg/channel.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR     64
#define TAKEN      "taken"
#define PATIENT_NS 1000000000u

/* Of a sender that keeps what it sends: the number of its message that comes next, … */
struct taken {
	uint64_t id, next;
	uint64_t noted, told; /* … as of the checkpoint that is begun, and when that was told */
};

struct from_engine {
	char *channel;

	struct channel_end end;
	struct parcel *parcel; /* that is not done with */
	bool taken_over;

	struct taken *taken;
	size_t taken_count;
	bool poison; /* the next vector is left out */
	bool carried;
	uint64_t asked_ns; /* when senders were asked for a checkpoint of theirs */
	struct pt_timer patience;
};

/* [a sender's thread] */
static void on_news(void *arg)
{
	pt_wake(arg);
}

static char *key_of(const struct from_engine *s)
{
	return must_printf("channel %s", s->channel);
}

/* ---- going on ---- */

static struct taken *taken_of(struct from_engine *s, uint64_t id)
{
	for (size_t i = 0; i < s->taken_count; i++)
		if (s->taken[i].id == id)
			return &s->taken[i];
	s->taken = must_realloc(s->taken, s->taken_count + 1, sizeof *s->taken);
	struct taken *t = &s->taken[s->taken_count++];
	*t = (struct taken){.id = id};
	return t;
}

static void nothing(struct pt_block *b)
{
}

static void note_all(struct pt_block *b, struct from_engine *s)
{
	for (size_t i = 0; i < s->taken_count; i++)
		s->taken[i].noted = s->taken[i].next;
	s->asked_ns = pt_now(b);
}

/* Where two engines wait for one another that would be for ever. */
static bool is_patient(struct pt_block *b, struct from_engine *s)
{
	if (pt_now(b) - s->asked_ns >= PATIENT_NS)
		return false;
	pt_timer_at(b, &s->patience, s->asked_ns + PATIENT_NS, nothing);
	return true;
}

static bool settle(struct pt_block *b, bool begin)
{
	struct from_engine *s = pt_state(b);
	bool settled = true;
	if (begin)
		note_all(b, s);
	for (size_t i = 0; i < s->taken_count && s->end.channel; i++)
		settled &= channel_is_committed(&s->end, s->taken[i].id, s->taken[i].noted);
	return settled || !is_patient(b, s);
}

static void tell_taken(struct from_engine *s, struct pt_carry *carry)
{
	for (size_t i = 0; i < s->taken_count; i++)
		s->taken[i].told = s->carried ? s->taken[i].next : s->taken[i].noted;
	pt_carry_bytes(carry, TAKEN, s->taken, s->taken_count * sizeof *s->taken);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct from_engine *s = pt_state(b);
	char *key = key_of(s);
	s->carried = pt_carry_to(carry) == PT_AT_END;
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		pt_carry_fd(carry, key, -1);
	else
		tell_taken(s, carry);
	free(key);
}

static void settle_all(struct from_engine *s, bool told)
{
	for (size_t i = 0; i < s->taken_count && s->end.channel; i++)
		channel_settle(&s->end, s->taken[i].id, told ? s->taken[i].told : s->taken[i].next);
}

static void committed(struct pt_block *b)
{
	settle_all(pt_state(b), true);
}

static void take_carried(struct pt_block *b, struct from_engine *s)
{
	size_t length;
	const uint8_t *bytes = pt_carried_bytes(b, TAKEN, &length);
	struct taken t;
	for (; bytes && length >= sizeof t; bytes += sizeof t, length -= sizeof t) {
		memcpy(&t, bytes, sizeof t);
		taken_of(s, t.id)->next = t.told;
	}
}

/* ---- life ---- */

static void name_end(struct pt_block *b, struct from_engine *s)
{
	s->end.wake = on_news;
	s->end.arg = b;
	s->end.block = pt_name(b);
	s->end.engine = pt_engine_of(b);
}

static int open_receiver(struct pt_block *b, struct pt_error *err)
{
	struct from_engine *s = pt_state(b);
	int fd;
	char *key = key_of(s);
	s->taken_over = pt_carried_fd(b, key, &fd);
	free(key);
	name_end(b, s);
	return s->taken_over ? 0 : channel_join(s->channel, true, &s->end, err);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct from_engine *s = pt_state(b), *before = pt_state(old);
	if (!s->taken_over)
		return;
	s->parcel = before->parcel;
	s->taken = before->taken;
	s->taken_count = before->taken_count;
	before->parcel = NULL;
	before->taken = NULL;
	before->taken_count = 0;
	channel_move(&s->end, &before->end);
}

static void start(struct pt_block *b)
{
	struct from_engine *s = pt_state(b);
	s->carried = s->taken_over = false;
	take_carried(b, s);
	s->poison = pt_exact(b) && pt_poisoned(b);
	pt_ready(b, true);
}

static void woken(struct pt_block *b)
{
	pt_ready(b, true);
}

static bool has_parcel(struct pt_block *b, struct from_engine *s)
{
	bool over = false;
	if (s->parcel)
		return true;
	s->parcel = channel_take(&s->end, &over);
	if (s->parcel)
		parcel_open(s->parcel, pt_pool(b));
	else if (over)
		pt_exhausted(b);
	else
		pt_ready(b, false);
	return s->parcel;
}

static void done_with(struct from_engine *s)
{
	if (parcel_is_sole(s->parcel))
		channel_give_spare(&s->end, s->parcel);
	else
		parcel_free(s->parcel);
	s->parcel = NULL;
}

/* How many of them have come already, before a checkpoint. */
static unsigned count_known(struct from_engine *s, uint64_t number, unsigned count)
{
	struct taken *t = s->parcel->id ? taken_of(s, s->parcel->id) : NULL;
	uint64_t known = t && t->next > number ? t->next - number : 0;
	if (known >= count)
		return count;
	if (t)
		t->next = number + count;
	return (unsigned)known;
}

/* Of which none has come before. */
static unsigned leave_poison_out(struct pt_block *b, struct from_engine *s,
                                 struct pt_msg **messages, unsigned count)
{
	if (!s->poison || !count)
		return 0;
	s->poison = false;
	pt_report(b, -EBADMSG,
	          "three times the daemon has died behind a checkpoint: %u messages that come "
	          "next are left out",
	          count);
	for (unsigned i = 0; i < count; i++)
		pt_drop(b, messages[i], "poison");
	return count;
}

static unsigned send(struct pt_block *b, struct from_engine *s, unsigned max)
{
	struct pt_msg *messages[VECTOR];
	enum pt_canal canal;
	uint64_t number = s->parcel->number;
	unsigned count = parcel_take(s->parcel, &canal, messages, max < VECTOR ? max : VECTOR),
		 at = count_known(s, number, count);
	for (unsigned i = 0; i < at; i++)
		pt_msg_unref(messages[i]);
	pt_made(b, count - at);
	at += leave_poison_out(b, s, messages + at, count - at);
	pt_send_many(b, canal, messages + at, count - at);
	if (!s->parcel->count)
		done_with(s);
	if (pt_has_checkpoints(b))
		pt_came_on(b);
	else
		settle_all(s, false);
	return count;
}

static void produce(struct pt_block *b, unsigned max)
{
	struct from_engine *s = pt_state(b);
	if (has_parcel(b, s))
		send(b, s, max);
}

/* It comes again in the next daemon. */
static unsigned let_go(struct from_engine *s)
{
	unsigned count = s->parcel->count;
	parcel_free(s->parcel);
	s->parcel = NULL;
	return count;
}

/* What is there now goes on; a sender that goes on, too, is held back in the end. */
static void send_waiting(struct pt_block *b, struct from_engine *s)
{
	uint64_t waiting = channel_look(&s->end).messages + (s->parcel ? s->parcel->count : 0);
	while (waiting && has_parcel(b, s)) {
		unsigned sent = s->parcel->id && s->carried ? let_go(s) : send(b, s, VECTOR);
		waiting -= sent < waiting ? sent : waiting;
	}
}

static void stop(struct pt_block *b)
{
	struct from_engine *s = pt_state(b);
	if (!s->end.channel)
		return;
	send_waiting(b, s);
	if (!s->carried)
		settle_all(s, false);
	if (s->parcel && !(s->parcel->id && s->carried))
		pt_lost(b, s->parcel->count, "stopped");
	parcel_free(s->parcel);
	s->parcel = NULL;
	uint64_t lost = channel_leave(&s->end).others;
	pt_lost(b, s->carried ? 0 : lost, "stopped");
}

static int close_receiver(struct pt_block *b, struct pt_error *err)
{
	struct from_engine *s = pt_state(b);
	channel_leave(&s->end);
	free(s->taken);
	s->taken = NULL;
	s->taken_count = 0;
	return 0;
}

static json_t *describe(struct pt_block *b)
{
	struct from_engine *s = pt_state(b);
	if (!s->end.channel)
		return NULL;
	const struct channel_news news = channel_look(&s->end);
	uint64_t waiting = news.messages + (s->parcel ? s->parcel->count : 0);
	return json_pack("{s:I, s:I}", "waiting", (json_int_t)waiting, "senders",
	                 (json_int_t)news.senders);
}

static const struct pt_type from_engine = {
	.api = PT_API,
	.name = "FromEngine",
	.summary = "Sends on what other engines of the same daemon send to its channel",
	.help = "Messages of ToEngine blocks with the same channel, of however many engines, leave "
		"on the canal on which they came there. A channel has one receiver. It is "
		"exhausted "
		"when every sender that is there has come to its end, and one has; one that is "
		"only "
		"stopped may come back. When the engine stops, what waits in the channel is sent "
		"on "
		"first.",
	.picture = "     +----------+\n"
		   "     |       ,--|->>\n"
		   "   ~~|~ channel |\n"
		   "     |       `--|->\n"
		   "     +----------+\n",
	.examples = (const char *const[]){"FromEngine('dns') > WrpcapSink('dns.pcap')", NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT | PT_HIGH_EXIT,
	.params = (const struct pt_param[]){{"channel", "The channel's name.",
                                             PT_STRING(struct from_engine, channel),
                                             .flags = PT_REQUIRED},
                                            {NULL}},
	.size = sizeof(struct from_engine),
	.open = open_receiver,
	.start = start,
	.produce = produce,
	.woken = woken,
	.carry = carry,
	.settle = settle,
	.committed = committed,
	.take_over = take_over,
	.describe = describe,
	.stop = stop,
	.close = close_receiver,
};

PT_TYPES(from_engine, &from_engine);
