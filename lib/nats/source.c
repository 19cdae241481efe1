/* SPDX-License-Identifier: BSD-2-Clause */
/* NatsSource: packets of a stream of NATS JetStream. */
#include "base/buf.h"
#include "base/error.h"
#include "capture/capture.h"
#include "msg/pool.h"
#include "nats/fetcher.h"
#include "nats/types.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR  64
#define LOOK_NS UINT64_C(10000000) /* how often it is asked whether sinks have settled */
#define STOP_NS UINT64_C(2000000000)
#define BRIM    256 /* NATS messages that wait for a checkpoint */
#define PLACE   "place"
#define SETTLED "settled"

struct source {
	struct who_params who;
	char *stream, *consumer, *subject;

	struct fetcher *fetcher;
	struct fetched *current; /* that is being sent; or NULL */
	uint64_t to_leave_out;   /* so many messages of it, which come first */
	bool started, finished, poison;
	bool goes_on;                     /* in another block, or the next daemon */
	uint64_t waiting, unacknowledged; /* as of the last news, */
	bool alone;                       /* too */
	uint64_t noted; /* the last one that sinks were asked to settle; 0: none */
	uint64_t told;  /* of the checkpoint that it was asked for last */
	struct pt_timer look, again;
};

/* ---- acknowledging ---- */

static void on_look(struct pt_block *);

/* The last that was sent is noted, and acknowledged when what came of it has settled. */
static void note(struct pt_block *b, struct source *s)
{
	uint64_t sent = fetcher_number(s->fetcher);
	if (pt_has_checkpoints(b) || sent == s->noted || s->look.place)
		return;
	s->noted = sent;
	if (pt_settled(b, true))
		fetcher_ack(s->fetcher, s->noted);
	else
		pt_timer_at(b, &s->look, pt_now(b) + LOOK_NS, on_look);
}

static void on_look(struct pt_block *b)
{
	struct source *s = pt_state(b);
	if (pt_has_checkpoints(b))
		return;
	if (!pt_settled(b, false)) {
		pt_timer_at(b, &s->look, pt_now(b) + LOOK_NS, on_look);
		return;
	}
	fetcher_ack(s->fetcher, s->noted);
	note(b, s);
}

static void committed(struct pt_block *b)
{
	struct source *s = pt_state(b);
	if (s->started)
		fetcher_ack(s->fetcher, s->told);
}

/* ---- sending ---- */

static void close_current(struct source *s)
{
	if (!s->current || !s->current->reader)
		return;
	capture_reader_release(s->current->reader);
	capture_reader_close(s->current->reader);
	s->current->reader = NULL;
}

/* What came before the fault has been sent. */
static void end_current(struct pt_block *b, struct source *s, const char *fault)
{
	unsigned sent;
	close_current(s);
	if (fault) {
		pt_lost(b, 1, "error");
		pt_report(b, -EBADMSG, "%s", fault);
		sent = fetcher_refuse(s->fetcher, s->current);
	} else {
		sent = fetcher_sent(s->fetcher, s->current);
	}
	s->current = NULL;
	if (sent < BRIM)
		pt_came_on(b);
	else
		pt_brims(b);
	note(b, s);
}

static bool has_current(struct pt_block *b, struct source *s)
{
	while (!s->current && (s->current = fetcher_take(s->fetcher))) {
		s->to_leave_out = s->current->begun;
		if (!s->current->reader)
			end_current(b, s, s->current->why);
	}
	return s->current;
}

static void leave_out_poison(struct pt_block *b, struct source *s, struct pt_msg **messages,
                             unsigned count)
{
	msg_unref_many(messages, count);
	s->poison = false;
	pt_lost(b, count, "poison");
	pt_report(b, -EBADMSG,
	          "three times the daemon has died behind a checkpoint: %u messages of '%s' that "
	          "come next are left out",
	          count, s->stream);
}

static void send(struct pt_block *b, struct source *s, struct pt_msg **messages, unsigned count)
{
	if (s->to_leave_out) {
		s->to_leave_out -= count;
		msg_unref_many(messages, count);
		return;
	}
	s->current->begun += count;
	pt_came_on(b);
	if (s->poison) {
		leave_out_poison(b, s, messages, count);
		return;
	}
	pt_made(b, count);
	pt_send_many(b, PT_LOW, messages, count);
}

/* -ENOMEM: there was no memory; 0. */
static int send_some(struct pt_block *b, struct source *s, unsigned max)
{
	struct pt_msg *messages[VECTOR];
	struct pt_error err = PT_ERROR_INIT;
	max = max < VECTOR ? max : VECTOR;
	if (s->to_leave_out && s->to_leave_out < max)
		max = (unsigned)s->to_leave_out;
	int n = capture_reader_next(s->current->reader, pt_pool(b), messages, max, &err);
	if (n > 0)
		send(b, s, messages, (unsigned)n);
	else if (n != -ENOMEM && n != -EAGAIN)
		end_current(b, s, n ? pt_error_text(&err, error_words(n)) : NULL);
	pt_error_clear(&err);
	return n == -ENOMEM ? n : 0;
}

/* What is begun is sent to its end: half of it cannot be given back. */
static void send_rest(struct pt_block *b, struct source *s)
{
	while (s->current && s->current->begun && !send_some(b, s, VECTOR))
		;
}

/* ---- over a restart ---- */

/* Where there are checkpoints, one that is whole acknowledges. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct source *s = pt_state(b);
	struct fetched_place place;
	struct buf numbers = BUF_INIT;
	if (!pt_carry_exact(carry) || !s->started)
		return;
	s->goes_on = pt_carry_to(carry) == PT_AT_END;
	if (s->goes_on)
		send_rest(b, s);
	fetcher_tell_place(s->fetcher, &place, &numbers);
	pt_carry_bytes(carry, PLACE, &place, sizeof place);
	if (numbers.length)
		pt_carry_bytes(carry, SETTLED, numbers.data, numbers.length);
	buf_free(&numbers);
	s->told = fetcher_number(s->fetcher);
}

static bool carried_place(struct pt_block *b, struct fetched_place *place)
{
	size_t length = 0;
	const void *bytes = pt_carried_bytes(b, PLACE, &length);
	*place = (struct fetched_place){0};
	if (!bytes || length != sizeof *place)
		return false;
	memcpy(place, bytes, sizeof *place);
	return true;
}

static bool go_on(struct pt_block *b, struct source *s)
{
	struct fetched_place place;
	size_t length = 0;
	const void *numbers = pt_carried_bytes(b, SETTLED, &length);
	bool carried = carried_place(b, &place);
	if (carried)
		fetcher_go_on(s->fetcher, &place, numbers, length);
	return carried;
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* With the same consumer the new block goes on where the old one was. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct source *s = pt_state(b), *before = pt_state(old);
	struct fetched_place place;
	struct buf numbers = BUF_INIT;
	if (!before->started || !is_same(s->stream, before->stream) ||
	    !is_same(s->consumer, before->consumer))
		return;
	send_rest(old, before);
	fetcher_tell_place(before->fetcher, &place, &numbers);
	fetcher_go_on(s->fetcher, &place, numbers.data, numbers.length);
	before->goes_on = true;
	buf_free(&numbers);
}

/* ---- turns ---- */

/* There was no memory. */
static void on_again(struct pt_block *b)
{
	pt_ready(b, true);
}

static void produce(struct pt_block *b, unsigned max)
{
	struct source *s = pt_state(b);
	if (!has_current(b, s)) {
		pt_ready(b, false);
	} else if (send_some(b, s, max)) {
		pt_ready(b, false);
		pt_timer_at(b, &s->again, pt_now(b) + LOOK_NS, on_again);
	}
}

static void take_news(struct pt_block *b, struct source *s)
{
	struct fetcher_news news;
	char server[256];
	fetcher_news(s->fetcher, &news);
	s->waiting = news.waiting;
	s->unacknowledged = news.unacknowledged;
	s->alone = news.alone;
	if (s->finished) {
		free(news.fault);
		return;
	}
	if (news.changed && news.fault) {
		pt_failed(b, -PT_EIO, "%s", news.fault);
		pt_waits(b);
	} else if (news.changed) {
		fetcher_server(s->fetcher, server, sizeof server);
		pt_mended(b, "reads '%s' at %s", s->stream, server);
	}
	pt_ready(b, news.waiting || s->current);
	free(news.fault);
}

static void woken(struct pt_block *b)
{
	struct source *s = pt_state(b);
	if (s->started)
		take_news(b, s);
}

/* ---- life ---- */

/* The words of the server's: they stand in subjects. */
static int check_name(const char *param, const char *name, struct pt_error *err)
{
	if (!name || (*name && !strpbrk(name, " \t\r\n.*>/\\")))
		return 0;
	return pt_fail(err, -EINVAL, param, "'%s' is no name: no blanks, dots, '*', '>' and '/'",
	               name);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct source *s = pt_state(b);
	int rc = who_check(&s->who, err);
	if (!rc)
		rc = check_name("stream", s->stream, err);
	return rc ? rc : check_name("consumer", s->consumer, err);
}

static int open_source(struct pt_block *b, struct pt_error *err)
{
	struct source *s = pt_state(b);
	char *own = must_printf("%s-%s", pt_engine_of(b), pt_name(b));
	const struct fetcher_config config = {.who = &s->who,
	                                      .stream = s->stream,
	                                      .consumer = s->consumer ? s->consumer : own,
	                                      .subject = s->subject};
	struct fetched_place place;
	carried_place(b, &place);
	int rc = fetcher_new(b, &config, &place, &s->fetcher, err);
	free(own);
	return rc;
}

static void start(struct pt_block *b)
{
	struct source *s = pt_state(b);
	bool exact = pt_exact(b), goes_on = go_on(b, s);
	pt_keeps(b);
	s->poison = exact && goes_on && pt_poisoned(b);
	s->started = true;
	s->finished = s->goes_on = false;
	s->noted = s->told = 0;
	take_news(b, s);
	fetcher_begin(s->fetcher);
}

/* What the sinks can settle is waited for; the rest goes back, and comes again. */
static void settle_last(struct pt_block *b, struct source *s)
{
	uint64_t sent = fetcher_number(s->fetcher), until = pt_now(b) + STOP_NS;
	bool settled = pt_settled(b, true);
	while (!settled && pt_now(b) < until) {
		pt_await(b, NULL, 0, pt_now(b) + LOOK_NS);
		settled = pt_settled(b, false);
	}
	if (settled)
		fetcher_ack(s->fetcher, sent);
}

static void give_back(struct source *s, bool sent, bool over)
{
	close_current(s);
	s->current = NULL;
	fetcher_give_back(s->fetcher, sent, over);
}

/* By hand: what was not sent yet is for whoever shares the consumer. */
static void finish(struct pt_block *b)
{
	struct source *s = pt_state(b);
	s->finished = true;
	send_rest(b, s);
	give_back(s, false, true);
	pt_exhausted(b);
}

/* Who goes on leaves out what was sent. That would be lost, if the daemon died now, where others
   could not have it again. */
static void stop(struct pt_block *b)
{
	struct source *s = pt_state(b);
	if (!s->started)
		return;
	send_rest(b, s);
	if (!s->goes_on || s->alone)
		settle_last(b, s);
	give_back(s, !s->goes_on, !s->goes_on);
	s->started = false;
}

static int close_source(struct pt_block *b, struct pt_error *err)
{
	struct source *s = pt_state(b);
	fetcher_free(s->fetcher);
	s->fetcher = NULL;
	return 0;
}

static json_t *describe(struct pt_block *b)
{
	struct source *s = pt_state(b);
	char server[256];
	if (!s->started)
		return NULL;
	take_news(b, s);
	fetcher_server(s->fetcher, server, sizeof server);
	return json_pack("{s:s, s:I, s:I, s:b}", "server", server, "waiting",
	                 (json_int_t)s->waiting, "unacknowledged", (json_int_t)s->unacknowledged,
	                 "alone", s->alone);
}

/* clang-format off */
static const struct pt_param params[] = {
	WHO_URL(struct source, who),
	{"stream", "The stream, which must be there.", PT_STRING(struct source, stream),
	 .flags = PT_REQUIRED},
	{"consumer", "The durable consumer: made if it is missing, and shared by all that name it. "
	 "None: ENGINE-BLOCK.", PT_STRING(struct source, consumer), .fallback = "None"},
	{"subject", "Of a consumer that is made: what of the stream it gets, '*' and '>' included; "
	 "None: all.", PT_STRING(struct source, subject), .fallback = "None"},
	WHO_CREDENTIALS(struct source, who),
	WHO_TLS(struct source, who),
	{NULL},
};
/* clang-format on */

const struct pt_type nats_source = {
	.api = PT_API,
	.name = "NatsSource",
	.summary = "Reads packets from a stream of NATS JetStream",
	.help = "Each NATS message is a capture, as NatsSink makes them. It is acknowledged to the "
		"stream when what came of it is behind a checkpoint, or, without a descriptor "
		"store, written (files), acknowledged (NatsSink), or else sent, so that everything "
		"comes at least once. A block that reads its consumer alone gets all in order, "
		"and with a descriptor store it is in files and queues once, also after kill -9. "
		"Several that name one consumer share what it gives. A stop settles what was sent, "
		"and gives back the rest. What is no capture counts as dropped "
		"(error), and the stream is told never to give it again. A server that is away is "
		"waited for, and the block has failed until it is back.",
	.picture = "     +------------+\n"
		   "     |            |\n"
		   "     |            |\n"
		   "   ~~|~ [stream]--|->\n"
		   "     +------------+\n",
	.examples = (const char *const[]){"NatsSource('nats://127.0.0.1:4222', 'packets') > "
                                          "WrpcapSink('all.pcapng')",
                                          NULL},
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.params = params,
	.size = sizeof(struct source),
	.init = init,
	.open = open_source,
	.start = start,
	.produce = produce,
	.woken = woken,
	.carry = carry,
	.take_over = take_over,
	.committed = committed,
	.finish = finish,
	.describe = describe,
	.stop = stop,
	.close = close_source,
};
