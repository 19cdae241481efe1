/* SPDX-License-Identifier: BSD-2-Clause */
/* Lanes, and the two threads. */
#include "nats/poster.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/thread.h"
#include "nats/lane.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define HEAD        256 /* of a NATS message, at most */
#define MOST        (1024 * 1024 - HEAD)
#define LISTEN_MS   1000
#define AGAIN_NS    UINT64_C(250000000)  /* after a refusal */
#define PATIENCE_NS UINT64_C(5000000000) /* for an answer */
#define TOO_LONG    10054

struct poster {
	struct pt_block *block;
	struct bus *bus;
	uint64_t instance; /* of ids */
	char **subjects;   /* that are asked about first */
	pthread_t sender, listener;
	bool has_sender, has_listener;
	int over_fd;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct map by_subject;
	struct lane **lanes;
	unsigned count, refused; /* lanes; those that a stream refuses */
	uint64_t numbers, posts, bytes;
	uint64_t looks; /* how often the sender was to look */
	bool known, quit, ending, over;
	char *inbox; /* NULL: nobody listens to answers */
	size_t most;
	uint64_t stored, too_long;
	char *fault;
	bool changed;
};

/* ---- news: under the lock ---- */

static void look(struct poster *p)
{
	p->looks++;
	pthread_cond_broadcast(&p->wake);
}

static void tell(struct poster *p, const char *fault)
{
	if (!p->fault == !fault && (!fault || !strcmp(p->fault, fault)))
		return;
	free(p->fault);
	p->fault = fault ? must_strdup(fault) : NULL;
	p->changed = true;
	pt_wake(p->block);
}

static void tell_if_mended(struct poster *p)
{
	if (!p->refused && p->inbox && bus_is_up(p->bus))
		tell(p, NULL);
}

static void refuse(struct poster *p, struct lane *lane, const char *words)
{
	char *fault =
		must_printf("'%s' is not stored: %s; it is tried again", lane->subject, words);
	p->refused += !lane->refused;
	lane->refused = true;
	tell(p, fault);
	free(fault);
}

void poster_news(struct poster *p, struct poster_news *news)
{
	pthread_mutex_lock(&p->lock);
	*news = (struct poster_news){p->stored, p->too_long, p->posts, p->bytes, p->changed, NULL};
	if (p->changed && p->fault)
		news->fault = must_strdup(p->fault);
	p->stored = p->too_long = 0;
	p->changed = false;
	pthread_mutex_unlock(&p->lock);
}

/* ---- what has become of posts: under the lock, on the sender's thread ---- */

static void has_gone(struct poster *p, struct lane *lane, uint64_t *count)
{
	struct post *post = lane_pop(lane);
	*count += post->messages;
	p->posts--;
	p->bytes -= post->length;
	post_free(post);
	pt_wake(p->block);
}

static void is_stored(struct poster *p, struct lane *lane)
{
	has_gone(p, lane, &p->stored);
	p->refused -= lane->refused;
	lane->refused = false;
	tell_if_mended(p);
}

static void is_too_long(struct poster *p, struct lane *lane)
{
	uint64_t before = lane->head->length;
	if (!lane_halve(lane)) {
		has_gone(p, lane, &p->too_long);
		return;
	}
	p->posts++;
	p->bytes += lane->head->length + lane->head->next->length - before;
}

static void settle(struct poster *p, struct lane *lane, uint64_t now)
{
	enum lane_answer answer = lane->answer;
	lane->answer = LANE_NONE;
	if (lane->under_way && now >= lane->sent_ns + PATIENCE_NS)
		lane->under_way = false;
	if (answer == LANE_NONE || !lane->head)
		return;
	lane->under_way = false;
	lane->due_ns = answer == LANE_REFUSED ? now + AGAIN_NS : 0;
	if (answer == LANE_STORED)
		is_stored(p, lane);
	else if (answer == LANE_TOO_LONG)
		is_too_long(p, lane);
}

/* ---- publishing ---- */

static natsStatus publish(natsConnection *nc, const struct lane *lane, const struct post *post,
                          const char *inbox, uint64_t instance)
{
	natsMsg *m = NULL;
	char reply[128], id[64];
	snprintf(reply, sizeof reply, "%s.%u.%" PRIx64 ".%x", inbox, lane->index, post->number,
	         post->part);
	snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIx64 "-%x", instance, post->number,
	         post->part);
	natsStatus s = natsMsg_Create(&m, lane->subject, reply, (const char *)post->bytes,
	                              (int)post->length);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Nats-Msg-Id", id);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(nc, m);
	natsMsg_Destroy(m);
	return s;
}

/* The post stays where it is, for only this thread takes it away. */
static void send(struct poster *p, struct lane *lane, uint64_t now)
{
	struct post *post = lane->head;
	natsConnection *nc = bus_connection(p->bus);
	char *inbox = must_strdup(p->inbox);
	lane->under_way = true;
	lane->sent_ns = now;
	pthread_mutex_unlock(&p->lock);
	natsStatus s = publish(nc, lane, post, inbox, p->instance);
	pthread_mutex_lock(&p->lock);
	free(inbox);
	if (s == NATS_OK)
		return;
	lane->answer = s == NATS_MAX_PAYLOAD ? LANE_TOO_LONG : LANE_REFUSED;
}

/* When it is to be looked at again. */
static uint64_t serve(struct poster *p, struct lane *lane, uint64_t now)
{
	settle(p, lane, now);
	bool can = lane->head && p->inbox && bus_is_up(p->bus);
	if (can && !lane->under_way && now >= lane->due_ns)
		send(p, lane, now);
	if (lane->answer != LANE_NONE)
		return now;
	return !can ? UINT64_MAX : lane->under_way ? lane->sent_ns + PATIENCE_NS : lane->due_ns;
}

static void tell_if_over(struct poster *p)
{
	const uint64_t one = 1;
	bool over = !p->posts || !p->inbox || !bus_is_up(p->bus);
	if (p->ending && !p->over && over) {
		p->over = true;
		while (write(p->over_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
}

static void wait_until(struct poster *p, uint64_t until)
{
	const struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	if (until == UINT64_MAX)
		pthread_cond_wait(&p->wake, &p->lock);
	else
		pthread_cond_timedwait(&p->wake, &p->lock, &at);
}

static void *run_sender(void *arg)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->lock);
	while (!p->quit) {
		uint64_t now = clock_ns(), next = UINT64_MAX, looks = p->looks;
		for (unsigned i = 0; i < p->count; i++) {
			uint64_t due = serve(p, p->lanes[i], now);
			next = due < next ? due : next;
		}
		tell_if_over(p);
		if (!p->quit && next > now && looks == p->looks)
			wait_until(p, next);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* ---- answers ---- */

/* "INBOX.LANE.NUMBER.PART"; under the lock. */
static struct lane *lane_of(struct poster *p, const char *subject)
{
	unsigned index, part;
	uint64_t number;
	if (sscanf(subject + strlen(p->inbox), ".%u.%" SCNx64 ".%x", &index, &number, &part) != 3 ||
	    index >= p->count)
		return NULL;
	struct lane *lane = p->lanes[index];
	bool is_it = lane->head && lane->head->number == number && lane->head->part == part;
	return is_it ? lane : NULL;
}

static void read_answer(struct poster *p, natsMsg *m)
{
	char *words;
	int code = bus_fault(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), &words);
	pthread_mutex_lock(&p->lock);
	struct lane *lane = lane_of(p, natsMsg_GetSubject(m));
	if (lane)
		lane->answer = !code              ? LANE_STORED
		               : code == TOO_LONG ? LANE_TOO_LONG
		                                  : LANE_REFUSED;
	if (lane && lane->answer == LANE_REFUSED)
		refuse(p, lane, words);
	look(p);
	pthread_mutex_unlock(&p->lock);
	free(words);
}

/* The library does not say for which. */
static void nobody_answers(struct poster *p)
{
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->count; i++)
		if (p->lanes[i]->under_way && p->lanes[i]->answer == LANE_NONE) {
			p->lanes[i]->answer = LANE_REFUSED;
			refuse(p, p->lanes[i], "no stream takes it now");
		}
	look(p);
	pthread_mutex_unlock(&p->lock);
}

static void set_inbox(struct poster *p, const char *inbox)
{
	int64_t most = natsConnection_GetMaxPayload(bus_connection(p->bus));
	pthread_mutex_lock(&p->lock);
	free(p->inbox);
	p->inbox = inbox ? must_strdup(inbox) : NULL;
	if (most > 2 * HEAD)
		p->most = (size_t)most - HEAD;
	tell_if_mended(p);
	look(p);
	pthread_mutex_unlock(&p->lock);
}

static void listen_to(struct poster *p, natsSubscription *sub)
{
	natsStatus s;
	do {
		natsMsg *m = NULL;
		s = natsSubscription_NextMsg(&m, sub, LISTEN_MS);
		if (s == NATS_OK)
			read_answer(p, m);
		else if (s == NATS_NO_RESPONDERS)
			nobody_answers(p);
		natsMsg_Destroy(m);
	} while (s == NATS_OK || s == NATS_TIMEOUT || s == NATS_NO_RESPONDERS);
}

static void hear_answers(struct poster *p)
{
	natsInbox *inbox = NULL;
	natsSubscription *sub = NULL;
	natsInbox_Create(&inbox);
	char *all = must_printf("%s.>", inbox);
	natsStatus s = natsConnection_SubscribeSync(&sub, bus_connection(p->bus), all);
	free(all);
	if (s == NATS_OK) {
		set_inbox(p, inbox);
		listen_to(p, sub);
		set_inbox(p, NULL);
	}
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
}

static bool is_connected(struct poster *p)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = bus_is_closed(p->bus) ? bus_connect(p->bus, &err) : 0;
	if (!rc && !p->known)
		rc = bus_probe(p->bus, p->subjects, &err);
	p->known |= !rc;
	if (rc) {
		pthread_mutex_lock(&p->lock);
		tell(p, pt_error_text(&err, "the server does not answer"));
		pthread_mutex_unlock(&p->lock);
	}
	pt_error_clear(&err);
	return !rc;
}

static void *run_listener(void *arg)
{
	struct poster *p = arg;
	bool quit = false;
	while (!quit) {
		if (is_connected(p))
			hear_answers(p);
		pthread_mutex_lock(&p->lock);
		uint64_t until = clock_ns() + AGAIN_NS;
		while (!p->quit && clock_ns() < until)
			wait_until(p, until);
		quit = p->quit;
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

/* ---- life ---- */

/* [the library's threads] What was on its way over a connection that has gone is sent again. */
static void on_changed(void *arg)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->lock);
	bool up = bus_is_up(p->bus), listens = p->inbox;
	char *denied = listens ? bus_denied(p->bus) : NULL;
	if (!up || denied)
		tell(p, denied ? denied : "the connection has gone; it is waited for");
	for (unsigned i = 0; i < p->count && up; i++)
		p->lanes[i]->under_way = false;
	if (up && !denied)
		tell_if_mended(p);
	look(p);
	pthread_mutex_unlock(&p->lock);
	free(denied);
}

struct lane *poster_lane(struct poster *p, const char *subject)
{
	pthread_mutex_lock(&p->lock);
	struct lane *lane = map_get(&p->by_subject, subject);
	if (!lane) {
		lane = lane_new(subject);
		lane->poster = p;
		lane->index = p->count;
		p->lanes = must_realloc(p->lanes, p->count + 1, sizeof *p->lanes);
		p->lanes[p->count++] = lane;
		map_set(&p->by_subject, lane->subject, lane);
	}
	pthread_mutex_unlock(&p->lock);
	return lane;
}

static int start(struct poster *p, struct pt_error *err)
{
	int rc = thread_start("the thread that publishes", 0, run_sender, p, &p->sender, err);
	p->has_sender = !rc;
	if (!rc)
		rc = thread_start("the thread that hears what is stored", 0, run_listener, p,
		                  &p->listener, err);
	p->has_listener = p->has_sender && !rc;
	return rc;
}

static int connect_first(struct poster *p, const struct who_params *params, struct pt_error *err)
{
	const struct bus_hooks hooks = {on_changed, p};
	struct pt_error away = PT_ERROR_INIT;
	int rc = bus_new(p->block, params, &hooks, &p->bus, err);
	if (rc)
		return rc;
	rc = bus_connect(p->bus, &away);
	if (!rc)
		rc = bus_probe(p->bus, p->subjects, &away);
	p->known = !rc;
	if (rc == -EAGAIN)
		rc = 0;
	else
		error_move(err, &away);
	pt_error_clear(&away);
	return rc;
}

int poster_new(struct pt_block *b, const struct who_params *params, char *const *subjects,
               struct poster **made, struct pt_error *err)
{
	struct poster *p = must_calloc(1, sizeof *p);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	p->block = b;
	p->subjects = texts_copy((const char *const *)subjects);
	p->most = MOST;
	p->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = p->over_fd < 0 ? pt_fail(err, -errno, NULL, "%s", error_words(-errno)) : 0;
	if (!rc && getrandom(&p->instance, sizeof p->instance, 0) < 0)
		rc = pt_fail(err, -errno, NULL, "no random number: %s", error_words(-errno));
	if (!rc)
		rc = connect_first(p, params, err);
	if (!rc)
		rc = start(p, err);
	if (rc)
		poster_free(p);
	else
		*made = p;
	return rc;
}

void poster_free(struct poster *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	look(p);
	pthread_mutex_unlock(&p->lock);
	if (p->has_sender)
		pthread_join(p->sender, NULL);
	if (p->bus)
		bus_close(p->bus);
	if (p->has_listener)
		pthread_join(p->listener, NULL);
	bus_free(p->bus);
	for (unsigned i = 0; i < p->count; i++)
		lane_free(p->lanes[i]);
	free(p->lanes);
	map_free(&p->by_subject);
	texts_free(p->subjects);
	if (p->over_fd >= 0)
		close(p->over_fd);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->inbox);
	free(p->fault);
	free(p);
}

void poster_move(struct poster *p, struct pt_block *b)
{
	pthread_mutex_lock(&p->lock);
	p->block = b;
	p->changed |= p->fault != NULL;
	pthread_mutex_unlock(&p->lock);
}

/* ---- the engine's side ---- */

bool lane_is_idle(struct lane *lane)
{
	pthread_mutex_lock(&lane->poster->lock);
	bool idle = !lane->head;
	pthread_mutex_unlock(&lane->poster->lock);
	return idle;
}

size_t poster_most(struct poster *p)
{
	pthread_mutex_lock(&p->lock);
	size_t most = p->most;
	pthread_mutex_unlock(&p->lock);
	return most;
}

void poster_put(struct lane *lane, struct buf *bytes, uint32_t messages)
{
	struct poster *p = lane->poster;
	struct post *post = must_calloc(1, sizeof *post);
	*post = (struct post){.part = 1, .messages = messages, .length = bytes->length};
	post->bytes = (uint8_t *)buf_steal(bytes);
	pthread_mutex_lock(&p->lock);
	post->number = ++p->numbers;
	p->posts++;
	p->bytes += post->length;
	lane_push(lane, post);
	look(p);
	pthread_mutex_unlock(&p->lock);
}

void poster_server(struct poster *p, char *text, size_t size)
{
	bus_server(p->bus, text, size);
}

int poster_end(struct poster *p)
{
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	look(p);
	pthread_mutex_unlock(&p->lock);
	return p->over_fd;
}

/* What is stored from now on is told to nobody. */
uint64_t poster_give_up(struct poster *p)
{
	uint64_t left = 0;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	for (unsigned i = 0; i < p->count; i++)
		for (const struct post *post = p->lanes[i]->head; post; post = post->next)
			left += post->messages;
	look(p);
	pthread_mutex_unlock(&p->lock);
	return left;
}
