/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks for messages, and says what has become of them. */
#include "nats/fetcher.h"
#include "nats/fetcher_inside.h"

#include "base/clock.h"
#include "base/thread.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRES_NS UINT64_C(3000000000)  /* a request, at the server, which says so */
#define LATE_NS    UINT64_C(2000000000)  /* and here so much later */
#define WORKING_NS UINT64_C(10000000000) /* how often the server is told that we are on it */
#define DENIED_NS  UINT64_C(30000000000) /* after which what was forbidden may be allowed */
#define WINDOW     128
#define FLUSH_MS   1000
#define ROOM       ((size_t)16 * 1024 * 1024)

/* ---- what the library tells ---- */

/* [the library's threads] What was asked over a connection that has gone is asked again. */
static void on_changed(void *arg)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->hub.lock);
	bool up = bus_is_up(f->hub.bus);
	f->asked = 0;
	if (!up || f->listens)
		hub_tell(&f->hub, up ? NULL : "the connection has gone; it is waited for");
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

/* [the same] What was asked is not asked again before it is late. */
static void on_denied(void *arg, const char *words)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->hub.lock);
	if (f->listens) {
		f->denied_ns = clock_ns();
		hub_tell(&f->hub, words);
	}
	pthread_mutex_unlock(&f->hub.lock);
}

static void on_complete(void *arg)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->hub.lock);
	f->complete = true;
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

/* ---- the thread ---- */

static void say(struct fetcher *f, const char *subject, const char *reply, const char *text)
{
	natsConnection *nc = bus_connection(f->hub.bus);
	if (reply)
		natsConnection_PublishRequest(nc, subject, reply, text, (int)strlen(text));
	else
		natsConnection_PublishString(nc, subject, text);
}

/* Under the lock, which it leaves. Of a consumer that was made anew nothing is said to the one
   before. */
static void say_of(struct fetcher *f, const struct fetched *m, const char *text)
{
	if (m->epoch != f->epoch && f->alone)
		return;
	char *reply = must_strdup(m->reply);
	pthread_mutex_unlock(&f->hub.lock);
	say(f, reply, NULL, text);
	free(reply);
	pthread_mutex_lock(&f->hub.lock);
}

/* The same; only this thread takes any out of the list. What goes back would come again at once, as
   long as somebody listens. */
static void tell_verdicts(struct fetcher *f)
{
	for (struct fetched **at = &f->first, *m; (m = *at) && !(f->given_back && f->listens);) {
		if (m->state != FETCHED_OVER) {
			at = &m->next;
			continue;
		}
		say_of(f, m, m->verdict);
		*at = m->next;
		if (f->end == &m->next)
			f->end = at;
		fetched_free(m);
	}
}

static void say_working(struct fetcher *f, uint64_t now)
{
	f->working_ns = now + WORKING_NS;
	for (const struct fetched *m = f->first; m; m = m->next)
		if (m->state != FETCHED_OVER)
			say_of(f, m, "+WPI");
}

static void request(struct fetcher *f, const char *inbox, uint64_t now)
{
	unsigned batch = WINDOW - f->count;
	char *subject = must_printf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", f->consumer.stream,
	                            f->consumer.name);
	char *text = must_printf("{\"batch\": %u, \"expires\": %" PRIu64 "}", batch, EXPIRES_NS);
	f->asked = batch;
	f->asked_ns = now;
	pthread_mutex_unlock(&f->hub.lock);
	say(f, subject, inbox, text);
	pthread_mutex_lock(&f->hub.lock);
	free(subject);
	free(text);
}

static bool is_late(const struct fetcher *f, uint64_t now)
{
	return f->asked && now > f->asked_ns + EXPIRES_NS + LATE_NS;
}

static bool may_ask(const struct fetcher *f, uint64_t now)
{
	return f->wanted && !f->given_back && f->count < WINDOW / 2 && f->bytes < ROOM &&
	       (!f->asked || is_late(f, now));
}

static void tell_if_allowed(struct fetcher *f, uint64_t now)
{
	if (!f->denied_ns || now < f->denied_ns + DENIED_NS)
		return;
	f->denied_ns = 0;
	hub_tell(&f->hub, NULL);
}

static bool is_over_with(struct fetcher *f)
{
	return f->hub.quit || f->again || bus_is_closed(f->hub.bus);
}

/* Until there is no connection any more, the consumer may have gone, or it is to end. */
static void serve(struct fetcher *f, const char *inbox)
{
	while (!f->given_back && !is_over_with(f)) {
		uint64_t now = clock_ns(), looks = f->hub.looks;
		bool up = bus_is_up(f->hub.bus);
		if (up)
			tell_verdicts(f);
		if (up && now >= f->working_ns)
			say_working(f, now);
		/* What nobody has any more, or nobody is there for, is looked into. */
		f->again |= up && is_late(f, now) && !f->denied_ns;
		if (up && !f->again && may_ask(f, now))
			request(f, inbox, now);
		if (up)
			tell_if_allowed(f, now);
		if (looks == f->hub.looks)
			hub_wait(&f->hub, now + LATE_NS);
	}
}

/* Nothing comes any more; what is still here is acknowledged, or goes back. */
static void see_off(struct fetcher *f)
{
	for (;;) {
		uint64_t now = clock_ns(), looks = f->hub.looks;
		bool up = bus_is_up(f->hub.bus);
		if (up)
			tell_verdicts(f);
		if (!f->given_back || is_over_with(f))
			return;
		if (up && now >= f->working_ns)
			say_working(f, now);
		if (looks == f->hub.looks)
			hub_wait(&f->hub, now + LATE_NS);
	}
}

/* A server forgets a request whose inbox has gone when it is asked about the consumer: else 2.9
   gives to nobody what goes back first. */
static void cancel_request(struct fetcher *f)
{
	pthread_mutex_unlock(&f->hub.lock);
	int rc = consumer_look(&f->consumer);
	pthread_mutex_lock(&f->hub.lock);
	f->over &= !rc;
}

/* Without a connection that is for nothing, and takes all the time that it may. */
static void flush(struct fetcher *f)
{
	if (bus_is_up(f->hub.bus))
		natsConnection_FlushTimeout(bus_connection(f->hub.bus), FLUSH_MS);
}

static void listen_to(struct fetcher *f, natsSubscription *sub, const char *inbox)
{
	pthread_mutex_lock(&f->hub.lock);
	f->asked = 0;
	f->listens = true;
	hub_tell(&f->hub, NULL);
	serve(f, inbox);
	pthread_mutex_unlock(&f->hub.lock);
	if (natsSubscription_DrainTimeout(sub, FLUSH_MS) != NATS_OK)
		natsSubscription_Unsubscribe(sub);
	pthread_mutex_lock(&f->hub.lock);
	while (!f->complete)
		pthread_cond_wait(&f->hub.wake, &f->hub.lock);
	if (f->given_back && bus_is_up(f->hub.bus))
		cancel_request(f);
	f->listens = false;
	see_off(f);
	pthread_mutex_unlock(&f->hub.lock);
	flush(f);
}

static void subscribe(struct fetcher *f)
{
	natsConnection *nc = bus_connection(f->hub.bus);
	natsInbox *inbox = NULL;
	natsSubscription *sub = NULL;
	f->complete = f->again = false;
	natsInbox_Create(&inbox);
	natsStatus s = natsConnection_Subscribe(&sub, nc, inbox, fetcher_on_message, f);
	if (s == NATS_OK)
		s = natsSubscription_SetOnCompleteCB(sub, on_complete, f);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(sub, -1, -1);
	if (s == NATS_OK)
		listen_to(f, sub, inbox);
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
}

/* Another stream has the name, or this one its end no more: what is here of it is not there. */
static void forget(struct fetcher *f, uint64_t after)
{
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->sequence > after)
			m->sequence = 0;
	f->after = f->sent_up_to = f->come_up_to = after;
	f->part = 0;
	buf_clear(&f->settled);
}

static void has_claimed(struct fetcher *f, const struct claim *claim)
{
	f->claimed = true;
	f->alone = claim->alone;
	f->next = claim->next;
	f->stream = claim->stream;
	f->epoch++;
	if (claim->anew)
		forget(f, claim->after);
	if (f->after < claim->after && f->alone)
		f->after = claim->after;
}

/* While nothing is asked for, what is there is left alone. Under the lock, which it leaves. */
static bool has_right(struct fetcher *f)
{
	struct pt_error err = PT_ERROR_INIT;
	while (!f->wanted && !f->given_back && !f->hub.quit)
		hub_wait(&f->hub, UINT64_MAX);
	if (f->given_back || f->hub.quit)
		return true;
	struct claim claim = {.first = !f->claimed,
	                      .mute_ns = f->mute_ns,
	                      .after = f->after,
	                      .stream = f->stream};
	pthread_mutex_unlock(&f->hub.lock);
	int rc = consumer_claim(&f->consumer, &claim, &err);
	pthread_mutex_lock(&f->hub.lock);
	f->mute_ns = rc ? claim.mute_ns : 0;
	if (rc)
		hub_tell_why(&f->hub, &err);
	else
		has_claimed(f, &claim);
	pt_error_clear(&err);
	return !rc;
}

static void attend(struct fetcher *f)
{
	pthread_mutex_lock(&f->hub.lock);
	bool good = has_right(f);
	pthread_mutex_unlock(&f->hub.lock);
	if (good)
		subscribe(f);
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	do {
		if (hub_connect(&f->hub))
			attend(f);
	} while (hub_rest(&f->hub));
	if (f->over && f->alone && bus_is_up(f->hub.bus))
		consumer_let_go(&f->consumer);
	return NULL;
}

/* ---- life ---- */

static int find(void *fetcher, struct pt_error *err)
{
	struct fetcher *f = fetcher;
	f->consumer.bus = f->hub.bus;
	pthread_mutex_lock(&f->hub.lock);
	uint64_t after = f->after;
	bool claimed = f->claimed; /* then a claim finds it, too */
	pthread_mutex_unlock(&f->hub.lock);
	return claimed ? 0 : consumer_find(&f->consumer, after, err);
}

int fetcher_new(struct pt_block *b, const struct fetcher_config *config,
                const struct fetched_place *place, struct fetcher **made, struct pt_error *err)
{
	struct fetcher *f = must_calloc(1, sizeof *f);
	const struct bus_hooks hooks = {on_changed, on_denied, f};
	hub_init(&f->hub, b);
	f->end = &f->first;
	f->after = place->up_to;
	consumer_init(&f->consumer, b, config->stream, config->consumer, config->subject);
	int rc = hub_open(&f->hub, config->who, &hooks, find, err);
	if (!rc)
		rc = thread_start("the thread that fetches", 0, run, f, &f->thread, err);
	f->has_thread = !rc;
	if (rc)
		fetcher_free(f);
	else
		*made = f;
	return rc;
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	hub_quit(&f->hub);
	if (f->has_thread)
		pthread_join(f->thread, NULL);
	hub_fini(&f->hub);
	for (struct fetched *m; (m = f->first);) {
		f->first = m->next;
		fetched_free(m);
	}
	consumer_fini(&f->consumer);
	buf_free(&f->settled);
	free(f);
}

/* ---- the engine's side ---- */

void fetcher_begin(struct fetcher *f)
{
	pthread_mutex_lock(&f->hub.lock);
	f->wanted = true;
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

struct fetched *fetcher_take(struct fetcher *f)
{
	pthread_mutex_lock(&f->hub.lock);
	struct fetched *m = f->fresh;
	if (m)
		m->state = FETCHED_TAKEN;
	while (f->fresh && f->fresh->state != FETCHED_WAITS)
		f->fresh = f->fresh->next;
	pthread_mutex_unlock(&f->hub.lock);
	return m;
}

static unsigned is_sent(struct fetcher *f, struct fetched *m, const char *verdict)
{
	pthread_mutex_lock(&f->hub.lock);
	m->state = FETCHED_SENT;
	m->verdict = verdict;
	f->count--;
	f->bytes -= m->length;
	f->sent = m->number;
	if (f->part == m->sequence)
		f->part = 0;
	if (f->sent_up_to < m->sequence)
		f->sent_up_to = m->sequence;
	unsigned count = ++f->sent_count;
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
	return count;
}

unsigned fetcher_sent(struct fetcher *f, struct fetched *m)
{
	return is_sent(f, m, "+ACK");
}

unsigned fetcher_refuse(struct fetcher *f, struct fetched *m)
{
	return is_sent(f, m, "+TERM");
}

uint64_t fetcher_number(struct fetcher *f)
{
	pthread_mutex_lock(&f->hub.lock);
	uint64_t number = f->sent;
	pthread_mutex_unlock(&f->hub.lock);
	return number;
}

void fetcher_ack(struct fetcher *f, uint64_t number)
{
	pthread_mutex_lock(&f->hub.lock);
	for (struct fetched *m = f->first; m; m = m->next) {
		if (m->state != FETCHED_SENT || m->number > number)
			continue;
		fetched_is_over(f, m, m->verdict);
		if (f->alone && f->after < m->sequence)
			f->after = m->sequence;
	}
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_give_back(struct fetcher *f, bool sent, bool over)
{
	pthread_mutex_lock(&f->hub.lock);
	f->given_back = true;
	f->over = over;
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->state == FETCHED_WAITS || m->state == FETCHED_TAKEN ||
		    (sent && m->state == FETCHED_SENT))
			fetched_is_over(f, m, NAK);
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

/* ---- over a restart ---- */

#define SETTLED_MAX 4096 /* that are told on, of others' */

void fetcher_tell_place(struct fetcher *f, struct fetched_place *place, struct buf *numbers)
{
	pthread_mutex_lock(&f->hub.lock);
	place->stream = f->stream;
	place->up_to = f->alone && f->sent_up_to > f->after ? f->sent_up_to : f->after;
	if (!f->alone && f->settled.length <= SETTLED_MAX * sizeof(uint64_t))
		buf_add(numbers, f->settled.data, f->settled.length);
	place->part = f->part;
	place->part_messages = f->part_messages;
	for (const struct fetched *m = f->first; m; m = m->next) {
		if (m->state == FETCHED_SENT && m->sequence)
			buf_add(numbers, &m->sequence, sizeof m->sequence);
		if (m->state == FETCHED_TAKEN && m->begun) {
			place->part = m->sequence;
			place->part_messages = m->begun;
		}
	}
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_go_on(struct fetcher *f, const struct fetched_place *place, const void *numbers,
                   size_t bytes)
{
	pthread_mutex_lock(&f->hub.lock);
	f->stream = place->stream;
	f->after = f->sent_up_to = f->come_up_to = place->up_to;
	f->part = place->part;
	f->part_messages = place->part_messages;
	buf_clear(&f->settled);
	if (bytes)
		buf_add(&f->settled, numbers, bytes);
	pthread_mutex_unlock(&f->hub.lock);
}

/* ---- news ---- */

void fetcher_news(struct fetcher *f, struct fetcher_news *news)
{
	*news = (struct fetcher_news){.fault = NULL};
	pthread_mutex_lock(&f->hub.lock);
	for (const struct fetched *m = f->fresh; m; m = m->next)
		news->waiting += m->state == FETCHED_WAITS;
	news->unacknowledged = f->sent_count;
	news->alone = f->alone;
	news->changed = hub_news(&f->hub, &news->fault);
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_server(struct fetcher *f, char *text, size_t size)
{
	bus_server(f->hub.bus, text, size);
}
