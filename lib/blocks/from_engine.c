/* SPDX-License-Identifier: BSD-2-Clause */
/* FromEngine: what other engines send, through a channel. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "msg/channel.h"
#include <jansson.h>
#include <stdlib.h>

#define VECTOR 64

struct from_engine {
	char *channel;

	struct channel_end end;
	struct parcel *parcel; /* that is not done with */
	bool taken_over;
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

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	char *key = key_of(pt_state(b));
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		pt_carry_fd(carry, key, -1);
	free(key);
}

static void name_end(struct pt_block *b, struct from_engine *s)
{
	s->end.wake = on_news;
	s->end.arg = b;
	s->end.block = pt_name(b);
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
	before->parcel = NULL;
	channel_move(&s->end, &before->end);
}

static void start(struct pt_block *b)
{
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

static unsigned send(struct pt_block *b, struct from_engine *s, unsigned max)
{
	struct pt_msg *messages[VECTOR];
	enum pt_canal canal;
	unsigned count = parcel_take(s->parcel, &canal, messages, max < VECTOR ? max : VECTOR);
	pt_made(b, count);
	pt_send_many(b, canal, messages, count);
	if (!s->parcel->count)
		done_with(s);
	return count;
}

static void produce(struct pt_block *b, unsigned max)
{
	struct from_engine *s = pt_state(b);
	if (has_parcel(b, s))
		send(b, s, max);
}

/* What is there now goes on; a sender that goes on, too, is held back in the end. */
static void send_waiting(struct pt_block *b, struct from_engine *s)
{
	uint64_t waiting = channel_look(&s->end).messages + (s->parcel ? s->parcel->count : 0);
	while (waiting && has_parcel(b, s)) {
		unsigned sent = send(b, s, VECTOR);
		waiting -= sent < waiting ? sent : waiting;
	}
}

static void stop(struct pt_block *b)
{
	struct from_engine *s = pt_state(b);
	if (!s->end.channel)
		return;
	send_waiting(b, s);
	if (s->parcel)
		pt_lost(b, s->parcel->count, "stopped");
	parcel_free(s->parcel);
	s->parcel = NULL;
	pt_lost(b, channel_leave(&s->end).others, "stopped");
}

static int close_receiver(struct pt_block *b, struct pt_error *err)
{
	struct from_engine *s = pt_state(b);
	channel_leave(&s->end);
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
	.take_over = take_over,
	.describe = describe,
	.stop = stop,
	.close = close_receiver,
};

PT_TYPES(from_engine, &from_engine);
