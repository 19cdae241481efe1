/* SPDX-License-Identifier: BSD-2-Clause */
/* Its life, and what the block has of it. */
#include "nats/poster.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "nats/poster_inside.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define MOST (1024 * 1024 - POSTER_HEAD) /* until a server says */

/* ---- news: under the lock ---- */

void poster_look(struct poster *p)
{
	p->looks++;
	pthread_cond_broadcast(&p->wake);
}

void poster_wait(struct poster *p, uint64_t until)
{
	const struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	if (until == UINT64_MAX)
		pthread_cond_wait(&p->wake, &p->lock);
	else
		pthread_cond_timedwait(&p->wake, &p->lock, &at);
}

bool poster_is_away(const struct poster *p)
{
	return !p->inbox || !bus_is_up(p->bus);
}

void poster_tell(struct poster *p, const char *fault)
{
	if (!p->fault == !fault && (!fault || !strcmp(p->fault, fault)))
		return;
	free(p->fault);
	p->fault = fault ? must_strdup(fault) : NULL;
	p->changed = true;
	pt_wake(p->block);
}

void poster_tell_if_mended(struct poster *p)
{
	if (!p->refused && !poster_is_away(p))
		poster_tell(p, NULL);
}

void poster_refuse(struct poster *p, struct lane *lane, const char *words)
{
	char *fault =
		must_printf("'%s' is not stored: %s; it is tried again", lane->subject, words);
	p->refused += !lane->refused;
	lane->refused = true;
	lane->answer = LANE_REFUSED;
	poster_tell(p, fault);
	free(fault);
}

void poster_news(struct poster *p, struct poster_news *news)
{
	pthread_mutex_lock(&p->lock);
	*news = (struct poster_news){.found = p->found,
	                             .stored = p->stored,
	                             .too_long = p->too_long,
	                             .unread = p->unread,
	                             .bytes = p->bytes,
	                             .spooled = p->spooled,
	                             .damaged = p->damaged,
	                             .changed = p->changed};
	if (p->changed && p->fault)
		news->fault = must_strdup(p->fault);
	p->damaged = 0;
	p->found = p->stored = p->too_long = p->unread = 0;
	p->changed = false;
	pthread_mutex_unlock(&p->lock);
}

/* ---- life ---- */

/* [the library's threads] What was on its way over a connection that has gone is sent again. */
static void on_changed(void *arg)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->lock);
	bool up = bus_is_up(p->bus);
	if (!up)
		poster_tell(p, "the connection has gone; it is waited for");
	for (unsigned i = 0; i < p->count && up; i++)
		p->lanes[i]->under_way = false;
	if (up)
		poster_tell_if_mended(p);
	poster_look(p);
	pthread_mutex_unlock(&p->lock);
}

/* [the same] Which subject it is stands in the words, in quotation marks. */
static void on_denied(void *arg, const char *words)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->count && p->inbox; i++) {
		char *quoted = must_printf("\"%s\"", p->lanes[i]->subject);
		if (p->lanes[i]->under_way && strstr(words, quoted))
			poster_refuse(p, p->lanes[i], words);
		free(quoted);
	}
	poster_look(p);
	pthread_mutex_unlock(&p->lock);
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
	int rc = thread_start("the thread that publishes", 0, poster_send, p, &p->sender, err);
	p->has_sender = !rc;
	if (!rc)
		rc = thread_start("the thread that hears what is stored", 0, poster_hear, p,
		                  &p->listener, err);
	p->has_listener = p->has_sender && !rc;
	return rc;
}

static int connect_first(struct poster *p, const struct who_params *who, struct pt_error *err)
{
	const struct bus_hooks hooks = {on_changed, on_denied, p};
	struct pt_error away = PT_ERROR_INIT;
	int rc = bus_new(p->block, who, &hooks, &p->bus, err);
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

static void find(void *arg, const struct spool_record *r)
{
	struct poster *p = arg;
	struct post *post = must_calloc(1, sizeof *post);
	*post = (struct post){.instance = r->instance,
	                      .number = r->number,
	                      .part = r->part,
	                      .messages = r->messages,
	                      .length = r->length,
	                      .place = r->place};
	lane_push(poster_lane(p, r->subject), post);
	p->numbers = r->number > p->numbers ? r->number : p->numbers;
	p->posts++;
	p->spooled_posts++;
	p->spooled += r->messages;
	p->found += r->messages;
}

static int open_spool(struct poster *p, const struct poster_config *config, struct pt_error *err)
{
	if (!config->spool)
		return 0;
	int rc = spool_open(p->block, config->spool, config->spool_limit, &p->spool, err);
	if (rc)
		return rc;
	spool_each(p->spool, find, p);
	p->answered_ns = clock_ns();
	p->damaged = spool_damaged(p->spool);
	return 0;
}

static int make(struct poster *p, const struct poster_config *config, struct pt_error *err)
{
	if (p->over_fd < 0)
		return pt_fail(err, -errno, NULL, "%s", error_words(-errno));
	if (getrandom(&p->instance, sizeof p->instance, 0) < 0)
		return pt_fail(err, -errno, NULL, "no random number: %s", error_words(-errno));
	int rc = connect_first(p, config->who, err);
	if (!rc)
		rc = open_spool(p, config, err);
	return rc ? rc : start(p, err);
}

int poster_new(struct pt_block *b, const struct poster_config *config, struct poster **made,
               struct pt_error *err)
{
	struct poster *p = must_calloc(1, sizeof *p);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	p->block = b;
	p->subjects = texts_copy((const char *const *)config->subjects);
	p->spool_limit = config->spool_limit;
	p->most = MOST;
	p->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = make(p, config, err);
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
	poster_look(p);
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
	spool_close(p->spool);
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

void poster_move(struct poster *p, struct pt_block *b, uint64_t spool_limit)
{
	pthread_mutex_lock(&p->lock);
	p->block = b;
	p->spool_limit = spool_limit;
	p->put_ns = 0;
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
	*post = (struct post){
		.instance = p->instance, .part = 1, .messages = messages, .length = bytes->length};
	post->bytes = (uint8_t *)buf_steal(bytes);
	pthread_mutex_lock(&p->lock);
	post->number = ++p->numbers;
	if (!p->posts++)
		p->answered_ns = clock_ns();
	p->bytes += post->length;
	lane_push(lane, post);
	poster_look(p);
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
	p->ending_ns = clock_ns();
	poster_look(p);
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
			left += post->place.file ? 0 : post->messages;
	poster_look(p);
	pthread_mutex_unlock(&p->lock);
	return left;
}

/* ---- checkpoints ---- */

uint64_t poster_number(struct poster *p)
{
	pthread_mutex_lock(&p->lock);
	uint64_t number = p->numbers;
	pthread_mutex_unlock(&p->lock);
	return number;
}

uint64_t poster_unsafe(struct poster *p, uint64_t number, bool *patient)
{
	uint64_t unsafe = 0;
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->count; i++)
		for (const struct post *post = p->lanes[i]->head; post; post = post->next)
			if (!post->place.file && post->number <= number)
				unsafe += post->messages;
	*patient = p->spool ? p->put_ns != UINT64_MAX : !p->fault && !poster_is_away(p);
	pthread_mutex_unlock(&p->lock);
	return unsafe;
}
