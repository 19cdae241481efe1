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
#include "nats/hub.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPIRES_NS UINT64_C(10000000000) /* a request, at the server */
#define LATE_NS    UINT64_C(2000000000)  /* and here so much later */
#define WORKING_NS UINT64_C(10000000000) /* how often the server is told that we are on it */
#define DENIED_NS  UINT64_C(30000000000) /* after which what was forbidden may be allowed */
#define WINDOW     128
#define FLUSH_MS   1000
#define ROOM       ((size_t)16 * 1024 * 1024)

struct fetcher {
	struct hub hub; /* its lock is that of all below */
	struct consumer consumer;
	pthread_t thread;
	bool has_thread;

	struct fetched *first, **end; /* all that are not over, or of which that is not told */
	size_t bytes;
	unsigned count, asked; /* in the list; messages that a request may still bring */
	uint64_t asked_ns, working_ns, denied_ns, numbers, sent;
	bool wanted, given_back, complete;
	bool listens; /* to the inbox; what comes there is taken */
	bool again;   /* the consumer may have gone */
};

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
	pt_wake(f->hub.block);
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
	pthread_mutex_lock(&f->hub.lock);
	if (it)
		has_come(f, it);
	else
		f->asked = 0;
	if (none || (status && !strcmp(status, "409")))
		f->again = true;
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
	natsMsg_Destroy(m);
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

/* Under the lock, which it leaves; only this thread takes any out of the list. What goes back would
   come again at once, as long as somebody listens. */
static void tell_verdicts(struct fetcher *f)
{
	for (struct fetched **at = &f->first, *m; (m = *at) && !(f->given_back && f->listens);) {
		if (m->state != FETCHED_OVER) {
			at = &m->next;
			continue;
		}
		pthread_mutex_unlock(&f->hub.lock);
		say(f, m->reply, NULL, m->verdict);
		pthread_mutex_lock(&f->hub.lock);
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
		pthread_mutex_unlock(&f->hub.lock);
		say(f, m->reply, NULL, "+WPI");
		pthread_mutex_lock(&f->hub.lock);
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
	pthread_mutex_unlock(&f->hub.lock);
	say(f, subject, inbox, text);
	pthread_mutex_lock(&f->hub.lock);
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
		if (up && may_ask(f, now))
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
	consumer_look(&f->consumer);
	pthread_mutex_lock(&f->hub.lock);
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
	natsSubscription_Unsubscribe(sub);
	flush(f);
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

static void attend(struct fetcher *f)
{
	natsConnection *nc = bus_connection(f->hub.bus);
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

static void *run(void *arg)
{
	struct fetcher *f = arg;
	do {
		if (hub_connect(&f->hub))
			attend(f);
	} while (hub_rest(&f->hub));
	return NULL;
}

/* ---- life ---- */

static int find(void *fetcher, struct pt_error *err)
{
	struct fetcher *f = fetcher;
	f->consumer.bus = f->hub.bus;
	return consumer_find(&f->consumer, err);
}

int fetcher_new(struct pt_block *b, const struct fetcher_config *config, struct fetcher **made,
                struct pt_error *err)
{
	struct fetcher *f = must_calloc(1, sizeof *f);
	const struct bus_hooks hooks = {on_changed, on_denied, f};
	hub_init(&f->hub, b);
	f->end = &f->first;
	f->consumer.stream = must_strdup(config->stream);
	f->consumer.name = must_strdup(config->consumer);
	f->consumer.subject = config->subject ? must_strdup(config->subject) : NULL;
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
	free(f->consumer.stream);
	free(f->consumer.name);
	free(f->consumer.subject);
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
	struct fetched *m = f->first;
	while (m && m->state != FETCHED_WAITS)
		m = m->next;
	if (m)
		m->state = FETCHED_TAKEN;
	pthread_mutex_unlock(&f->hub.lock);
	return m;
}

void fetcher_sent(struct fetcher *f, struct fetched *m)
{
	pthread_mutex_lock(&f->hub.lock);
	m->state = FETCHED_SENT;
	f->sent = m->number;
	pthread_mutex_unlock(&f->hub.lock);
}

static void is_over(struct fetched *m, const char *verdict)
{
	m->state = FETCHED_OVER;
	m->verdict = verdict;
}

void fetcher_refuse(struct fetcher *f, struct fetched *m)
{
	pthread_mutex_lock(&f->hub.lock);
	is_over(m, "+TERM");
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
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
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->state == FETCHED_SENT && m->number <= number)
			is_over(m, "+ACK");
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_give_back(struct fetcher *f, bool sent)
{
	pthread_mutex_lock(&f->hub.lock);
	f->given_back = true;
	for (struct fetched *m = f->first; m; m = m->next)
		if (m->state == FETCHED_WAITS || m->state == FETCHED_TAKEN ||
		    (sent && m->state == FETCHED_SENT))
			is_over(m, "-NAK");
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_news(struct fetcher *f, struct fetcher_news *news)
{
	*news = (struct fetcher_news){.fault = NULL};
	pthread_mutex_lock(&f->hub.lock);
	for (const struct fetched *m = f->first; m; m = m->next) {
		news->waiting += m->state == FETCHED_WAITS;
		news->unacknowledged += m->state == FETCHED_SENT;
	}
	news->changed = hub_news(&f->hub, &news->fault);
	pthread_mutex_unlock(&f->hub.lock);
}

void fetcher_server(struct fetcher *f, char *text, size_t size)
{
	bus_server(f->hub.bus, text, size);
}
