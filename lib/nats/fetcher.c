/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks for messages, and says what has become of them. */
#include "nats/fetcher.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/thread.h"
#include "capture/capture.h"
#include "nats/consumer.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AGAIN_NS   UINT64_C(250000000)
#define EXPIRES_NS UINT64_C(10000000000) /* a request, at the server */
#define LATE_NS    UINT64_C(2000000000)  /* and here so much later */
#define WORKING_NS UINT64_C(10000000000) /* how often the server is told that we are on it */
#define DENIED_NS  UINT64_C(30000000000) /* after which what was forbidden may be allowed */
#define WINDOW     128
#define FLUSH_MS   1000
#define ROOM       ((size_t)16 * 1024 * 1024)

struct fetcher {
	struct pt_block *block;
	struct bus *bus;
	struct consumer consumer;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct fetched *first, **end; /* all that are not over, or of which that is not told */
	size_t bytes;
	unsigned count, asked; /* in the list; messages that a request may still bring */
	uint64_t asked_ns, working_ns, denied_ns, numbers, sent, looks;
	bool wanted, quit, given_back, complete;
	bool listens; /* to the inbox; what comes there is taken */
	bool again;   /* the consumer may have gone */
	char *fault;
	bool changed;
};

/* ---- news: under the lock ---- */

static void look(struct fetcher *f)
{
	f->looks++;
	pthread_cond_broadcast(&f->wake);
}

static void tell(struct fetcher *f, const char *fault)
{
	if (!f->fault == !fault && (!fault || !strcmp(f->fault, fault)))
		return;
	free(f->fault);
	f->fault = fault ? must_strdup(fault) : NULL;
	f->changed = true;
	pt_wake(f->block);
}

/* [the library's threads] What was asked over a connection that has gone is asked again. */
static void on_changed(void *arg)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->lock);
	bool up = bus_is_up(f->bus);
	f->asked = 0;
	if (!up || f->listens)
		tell(f, up ? NULL : "the connection has gone; it is waited for");
	look(f);
	pthread_mutex_unlock(&f->lock);
}

/* [the same] What was asked is not asked again before it is late. */
static void on_denied(void *arg, const char *words)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->lock);
	if (f->listens) {
		f->denied_ns = clock_ns();
		tell(f, words);
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- what comes ---- */

static void fetched_free(struct fetched *m)
{
	capture_reader_close(m->reader);
	free(m->why);
	free(m);
}

/* As a file of memory: readers read files. */
static void open_capture(struct fetched *m, const char *bytes, const char *stream)
{
	struct pt_error err = PT_ERROR_INIT;
	char *name = must_printf("%s %" PRIu64, stream, m->sequence);
	int fd = memfd_create("nats", MFD_CLOEXEC), rc = fd < 0 ? -errno : 0;
	if (!rc)
		rc = io_write(fd, bytes, m->length);
	if (!rc && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (!rc)
		rc = capture_reader_open_fd(fd, name, &m->reader, &err);
	else if (fd >= 0)
		close(fd);
	if (rc)
		m->why = must_strdup(pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	free(name);
}

/* "$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE…", with two more words before STREAM where there
   are domains. */
static uint64_t sequence_of(const char *reply)
{
	unsigned words = 1, at = 0;
	for (const char *c = reply; *c; c++)
		words += *c == '.';
	for (unsigned wanted = words > 9 ? 7 : 5; *reply && at < wanted; reply++)
		at += *reply == '.';
	return strtoull(reply, NULL, 10);
}

static struct fetched *fetched_new(natsMsg *m, const char *stream)
{
	const char *reply = natsMsg_GetReply(m);
	struct fetched *it = must_calloc(1, sizeof *it + strlen(reply) + 1);
	strcpy(it->reply, reply);
	it->sequence = sequence_of(reply);
	it->length = (size_t)natsMsg_GetDataLength(m);
	open_capture(it, natsMsg_GetData(m), stream);
	return it;
}

/* What is here already, and was not waited for at the server. */
static bool is_here(const struct fetcher *f, uint64_t sequence)
{
	for (const struct fetched *m = f->first; m; m = m->next)
		if (m->sequence == sequence && m->state != FETCHED_OVER)
			return true;
	return false;
}

static void has_come(struct fetcher *f, struct fetched *m)
{
	f->asked -= f->asked > 0;
	if (is_here(f, m->sequence)) {
		fetched_free(m);
		return;
	}
	m->number = ++f->numbers;
	if (f->given_back) {
		m->state = FETCHED_OVER;
		m->verdict = "-NAK";
	}
	*f->end = m;
	f->end = &m->next;
	f->count++;
	f->bytes += m->length;
	pt_wake(f->block);
}

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct fetcher *f = arg;
	const char *status = NULL;
	bool none = natsMsg_IsNoResponders(m);
	/* What the server itself says need not be acknowledged. */
	struct fetched *it = natsMsg_GetReply(m) ? fetched_new(m, f->consumer.stream) : NULL;
	if (!it)
		natsMsgHeader_Get(m, "Status", &status);
	pthread_mutex_lock(&f->lock);
	if (it)
		has_come(f, it);
	else
		f->asked = 0;
	if (none || (status && !strcmp(status, "409")))
		f->again = true;
	look(f);
	pthread_mutex_unlock(&f->lock);
	natsMsg_Destroy(m);
}

static void on_complete(void *arg)
{
	struct fetcher *f = arg;
	pthread_mutex_lock(&f->lock);
	f->complete = true;
	look(f);
	pthread_mutex_unlock(&f->lock);
}

/* ---- the thread ---- */

static void wait_until(struct fetcher *f, uint64_t until)
{
	const struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	pthread_cond_timedwait(&f->wake, &f->lock, &at);
}

static void say(struct fetcher *f, const char *subject, const char *reply, const char *text)
{
	natsConnection *nc = bus_connection(f->bus);
	if (reply)
		natsConnection_PublishRequest(nc, subject, reply, text, (int)strlen(text));
	else
		natsConnection_PublishString(nc, subject, text);
}

/* Under the lock, which it leaves; only this thread takes any out of the list. What goes back would
   come again at once, as long as somebody listens. */
static void tell_verdicts(struct fetcher *f)
{
	for (struct fetched **at = &f->first, *m; (m = *at) && !(f->given_back && f->listens);) {
		if (m->state != FETCHED_OVER) {
			at = &m->next;
			continue;
		}
		pthread_mutex_unlock(&f->lock);
		say(f, m->reply, NULL, m->verdict);
		pthread_mutex_lock(&f->lock);
		*at = m->next;
		if (f->end == &m->next)
			f->end = at;
		f->count--;
		f->bytes -= m->length;
		fetched_free(m);
	}
}

static void say_working(struct fetcher *f, uint64_t now)
{
	f->working_ns = now + WORKING_NS;
	for (struct fetched *m = f->first; m; m = m->next) {
		if (m->state == FETCHED_OVER)
			continue;
		pthread_mutex_unlock(&f->lock);
		say(f, m->reply, NULL, "+WPI");
		pthread_mutex_lock(&f->lock);
	}
}

static void request(struct fetcher *f, const char *inbox, uint64_t now)
{
	unsigned batch = WINDOW - f->count;
	char *subject = must_printf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", f->consumer.stream,
	                            f->consumer.name);
	char *text = must_printf("{\"batch\": %u, \"expires\": %" PRIu64 "}", batch, EXPIRES_NS);
	f->asked = batch;
	f->asked_ns = now;
	pthread_mutex_unlock(&f->lock);
	say(f, subject, inbox, text);
	pthread_mutex_lock(&f->lock);
	free(subject);
	free(text);
}

static bool may_ask(const struct fetcher *f, uint64_t now)
{
	bool late = now > f->asked_ns + EXPIRES_NS + LATE_NS;
	return f->wanted && !f->given_back && f->count < WINDOW / 2 && f->bytes < ROOM &&
	       (!f->asked || late);
}

static void tell_if_allowed(struct fetcher *f, uint64_t now)
{
	if (!f->denied_ns || now < f->denied_ns + DENIED_NS)
		return;
	f->denied_ns = 0;
	tell(f, NULL);
}

static bool is_over_with(struct fetcher *f)
{
	return f->quit || f->again || bus_is_closed(f->bus);
}

/* Until there is no connection any more, the consumer may have gone, or it is to end. */
static void serve(struct fetcher *f, const char *inbox)
{
	while (!f->given_back && !is_over_with(f)) {
		uint64_t now = clock_ns(), looks = f->looks;
		bool up = bus_is_up(f->bus);
		if (up)
			tell_verdicts(f);
		if (up && now >= f->working_ns)
			say_working(f, now);
		if (up && may_ask(f, now))
			request(f, inbox, now);
		if (up)
			tell_if_allowed(f, now);
		if (looks == f->looks)
			wait_until(f, now + LATE_NS);
	}
}

/* Nothing comes any more; what is still here is acknowledged, or goes back. */
static void see_off(struct fetcher *f)
{
	for (;;) {
		uint64_t now = clock_ns(), looks = f->looks;
		bool up = bus_is_up(f->bus);
		if (up)
			tell_verdicts(f);
		if (!f->given_back || is_over_with(f))
			return;
		if (up && now >= f->working_ns)
			say_working(f, now);
		if (looks == f->looks)
			wait_until(f, now + LATE_NS);
	}
}

/* A server forgets a request whose inbox has gone when it is asked about the consumer: else 2.9
   gives to nobody what goes back first. */
static void cancel_request(struct fetcher *f)
{
	pthread_mutex_unlock(&f->lock);
	consumer_look(&f->consumer);
	pthread_mutex_lock(&f->lock);
}

/* Without a connection that is for nothing, and takes all the time that it may. */
static void flush(struct fetcher *f)
{
	if (bus_is_up(f->bus))
		natsConnection_FlushTimeout(bus_connection(f->bus), FLUSH_MS);
}

static void listen_to(struct fetcher *f, natsSubscription *sub, const char *inbox)
{
	pthread_mutex_lock(&f->lock);
	f->asked = 0;
	f->listens = true;
	tell(f, NULL);
	serve(f, inbox);
	pthread_mutex_unlock(&f->lock);
	natsSubscription_Unsubscribe(sub);
	flush(f);
	pthread_mutex_lock(&f->lock);
	while (!f->complete)
		pthread_cond_wait(&f->wake, &f->lock);
	if (f->given_back && bus_is_up(f->bus))
		cancel_request(f);
	f->listens = false;
	see_off(f);
	pthread_mutex_unlock(&f->lock);
	flush(f);
}

static void attend(struct fetcher *f)
{
	natsConnection *nc = bus_connection(f->bus);
	natsInbox *inbox = NULL;
	natsSubscription *sub = NULL;
	f->complete = f->again = false;
	natsInbox_Create(&inbox);
	natsStatus s = natsConnection_Subscribe(&sub, nc, inbox, on_message, f);
	if (s == NATS_OK)
		s = natsSubscription_SetOnCompleteCB(sub, on_complete, f);
	if (s == NATS_OK)
		listen_to(f, sub, inbox);
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
}

static bool is_connected(struct fetcher *f)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = bus_is_closed(f->bus) ? bus_connect(f->bus, &err) : 0;
	if (!rc)
		rc = consumer_find(&f->consumer, &err);
	if (rc) {
		char *words = must_printf("%s; it is waited for",
		                          pt_error_text(&err, "the server does not answer"));
		pthread_mutex_lock(&f->lock);
		tell(f, words);
		pthread_mutex_unlock(&f->lock);
		free(words);
	}
	pt_error_clear(&err);
	return !rc;
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	bool quit = false;
	while (!quit) {
		if (is_connected(f))
			attend(f);
		pthread_mutex_lock(&f->lock);
		uint64_t until = clock_ns() + AGAIN_NS;
		while (!f->quit && clock_ns() < until)
			wait_until(f, until);
		quit = f->quit;
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

/* ---- life ---- */

static int connect_first(struct fetcher *f, const struct who_params *who, struct pt_error *err)
{
	const struct bus_hooks hooks = {on_changed, on_denied, f};
	struct pt_error away = PT_ERROR_INIT;
	int rc = bus_new(f->block, who, &hooks, &f->bus, err);
	if (rc)
		return rc;
	f->consumer.bus = f->bus;
	rc = bus_connect(f->bus, &away);
	if (!rc)
		rc = consumer_find(&f->consumer, &away);
	if (rc == -EAGAIN)
		rc = 0;
	else
		error_move(err, &away);
	pt_error_clear(&away);
	return rc;
}

int fetcher_new(struct pt_block *b, const struct fetcher_config *config, struct fetcher **made,
                struct pt_error *err)
{
	struct fetcher *f = must_calloc(1, sizeof *f);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	f->block = b;
	f->end = &f->first;
	f->consumer.stream = must_strdup(config->stream);
	f->consumer.name = must_strdup(config->consumer);
	f->consumer.subject = config->subject ? must_strdup(config->subject) : NULL;
	int rc = connect_first(f, config->who, err);
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
	pthread_mutex_lock(&f->lock);
	f->quit = true;
	look(f);
	pthread_mutex_unlock(&f->lock);
	if (f->has_thread)
		pthread_join(f->thread, NULL);
	bus_free(f->bus);
	for (struct fetched *m; (m = f->first);) {
		f->first = m->next;
		fetched_free(m);
	}
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f->consumer.stream);
	free(f->consumer.name);
	free(f->consumer.subject);
	free(f->fault);
	free(f);
}

/* ---- the engine's side ---- */

void fetcher_begin(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	f->wanted = true;
	look(f);
	pthread_mutex_unlock(&f->lock);
}

struct fetched *fetcher_take(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	struct fetched *m = f->first;
	while (m && m->state != FETCHED_WAITS)
		m = m->next;
	if (m)
		m->state = FETCHED_TAKEN;
	pthread_mutex_unlock(&f->lock);
	return m;
}

void fetcher_sent(struct fetcher *f, struct fetched *m)
{
	pthread_mutex_lock(&f->lock);
	m->state = FETCHED_SENT;
	f->sent = m->number;
	pthread_mutex_unlock(&f->lock);
}

static void is_over(struct fetched *m, const char *verdict)
{
	m->state = FETCHED_OVER;
	m->verdict = verdict;
}

void fetcher_refuse(struct fetcher *f, struct fetched *m)
{
	pthread_mutex_lock(&f->lock);
	is_over(m, "+TERM");
	look(f);
	pthread_mutex_unlock(&f->lock);
}

uint64_t fetcher_number(struct fetcher *f)
{
	pthread_mutex_lock(&f->lock);
	uint64_t number = f->sent;
	pthread_mutex_unlock(&f->lock);
	return number;
}

void fetcher_ack(struct fetcher *f, uint64_t number)
{
	pthread_mutex_lock(&f->lock);
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->state == FETCHED_SENT && m->number <= number)
			is_over(m, "+ACK");
	look(f);
	pthread_mutex_unlock(&f->lock);
}

void fetcher_give_back(struct fetcher *f, bool sent)
{
	pthread_mutex_lock(&f->lock);
	f->given_back = true;
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->state == FETCHED_WAITS || m->state == FETCHED_TAKEN ||
		    (sent && m->state == FETCHED_SENT))
			is_over(m, "-NAK");
	look(f);
	pthread_mutex_unlock(&f->lock);
}

void fetcher_news(struct fetcher *f, struct fetcher_news *news)
{
	*news = (struct fetcher_news){.fault = NULL};
	pthread_mutex_lock(&f->lock);
	for (const struct fetched *m = f->first; m; m = m->next) {
		news->waiting += m->state == FETCHED_WAITS;
		news->unacknowledged += m->state == FETCHED_SENT;
	}
	news->changed = f->changed;
	if (f->changed && f->fault)
		news->fault = must_strdup(f->fault);
	f->changed = false;
	pthread_mutex_unlock(&f->lock);
}

void fetcher_server(struct fetcher *f, char *text, size_t size)
{
	bus_server(f->bus, text, size);
}
