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

bool poster_is_away(const struct poster *p)
{
	return !p->inbox || !bus_is_up(p->hub.bus);
}

void poster_tell_if_mended(struct poster *p)
{
	if (!p->refused && !poster_is_away(p))
		hub_tell(&p->hub, NULL);
}

void poster_refuse(struct poster *p, struct lane *lane, const char *words)
{
	char *fault =
		must_printf("'%s' is not stored: %s; it is tried again", lane->subject, words);
	p->refused += !lane->refused;
	lane->refused = true;
	lane->answer = LANE_REFUSED;
	hub_tell(&p->hub, fault);
	free(fault);
}

void poster_news(struct poster *p, struct poster_news *news)
{
	pthread_mutex_lock(&p->hub.lock);
	*news = (struct poster_news){.found = p->found,
	                             .stored = p->stored,
	                             .too_long = p->too_long,
	                             .unread = p->unread,
	                             .bytes = p->bytes,
	                             .spooled = p->spooled,
	                             .damaged = p->damaged};
	news->changed = hub_news(&p->hub, &news->fault);
	p->damaged = 0;
	p->found = p->stored = p->too_long = p->unread = 0;
	pthread_mutex_unlock(&p->hub.lock);
}

/* ---- life ---- */

/* [the library's threads] What was on its way over a connection that has gone is sent again. */
static void on_changed(void *arg)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->hub.lock);
	bool up = bus_is_up(p->hub.bus);
	if (!up)
		hub_tell(&p->hub, "the connection has gone; it is waited for");
	for (unsigned i = 0; i < p->count && up; i++)
		p->lanes[i]->under_way = false;
	if (up)
		poster_tell_if_mended(p);
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
}

/* [the same] Which subject it is stands in the words, in quotation marks. */
static void on_denied(void *arg, const char *words)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->hub.lock);
	for (unsigned i = 0; i < p->count && p->inbox; i++) {
		char *quoted = must_printf("\"%s\"", p->lanes[i]->subject);
		if (p->lanes[i]->under_way && strstr(words, quoted))
			poster_refuse(p, p->lanes[i], words);
		free(quoted);
	}
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
}

struct lane *poster_lane(struct poster *p, const char *subject)
{
	pthread_mutex_lock(&p->hub.lock);
	struct lane *lane = map_get(&p->by_subject, subject);
	if (!lane) {
		lane = lane_new(subject);
		lane->poster = p;
		lane->index = p->count;
		p->lanes = must_realloc(p->lanes, p->count + 1, sizeof *p->lanes);
		p->lanes[p->count++] = lane;
		map_set(&p->by_subject, lane->subject, lane);
	}
	pthread_mutex_unlock(&p->hub.lock);
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

static int probe(void *poster, struct pt_error *err)
{
	struct poster *p = poster;
	int rc = p->known ? 0 : bus_probe(p->hub.bus, p->subjects, err);
	p->known = !rc;
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
	int rc = spool_open(p->hub.block, config->spool, config->spool_limit, &p->spool, err);
	if (rc)
		return rc;
	spool_each(p->spool, find, p);
	p->answered_ns = clock_ns();
	p->damaged = spool_damaged(p->spool);
	return 0;
}

static int make(struct poster *p, const struct poster_config *config, struct pt_error *err)
{
	const struct bus_hooks hooks = {on_changed, on_denied, p};
	if (p->over_fd < 0)
		return pt_fail(err, -errno, NULL, "%s", error_words(-errno));
	if (getrandom(&p->instance, sizeof p->instance, 0) < 0)
		return pt_fail(err, -errno, NULL, "no random number: %s", error_words(-errno));
	int rc = hub_open(&p->hub, config->who, &hooks, probe, err);
	if (!rc)
		rc = open_spool(p, config, err);
	return rc ? rc : start(p, err);
}

int poster_new(struct pt_block *b, const struct poster_config *config, struct poster **made,
               struct pt_error *err)
{
	struct poster *p = must_calloc(1, sizeof *p);
	hub_init(&p->hub, b);
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
	hub_quit(&p->hub);
	if (p->has_sender)
		pthread_join(p->sender, NULL);
	if (p->hub.bus)
		bus_close(p->hub.bus);
	if (p->has_listener)
		pthread_join(p->listener, NULL);
	hub_fini(&p->hub);
	for (unsigned i = 0; i < p->count; i++)
		lane_free(p->lanes[i]);
	spool_close(p->spool);
	free(p->lanes);
	map_free(&p->by_subject);
	texts_free(p->subjects);
	if (p->over_fd >= 0)
		close(p->over_fd);
	free(p->inbox);
	free(p);
}

void poster_move(struct poster *p, struct pt_block *b, uint64_t spool_limit)
{
	pthread_mutex_lock(&p->hub.lock);
	p->hub.block = b;
	p->spool_limit = spool_limit;
	p->put_ns = 0;
	p->hub.changed |= p->hub.fault != NULL;
	pthread_mutex_unlock(&p->hub.lock);
}

/* ---- the engine's side ---- */

bool lane_is_idle(struct lane *lane)
{
	pthread_mutex_lock(&lane->poster->hub.lock);
	bool idle = !lane->head;
	pthread_mutex_unlock(&lane->poster->hub.lock);
	return idle;
}

size_t poster_most(struct poster *p)
{
	pthread_mutex_lock(&p->hub.lock);
	size_t most = p->most;
	pthread_mutex_unlock(&p->hub.lock);
	return most;
}

void poster_put(struct lane *lane, struct buf *bytes, uint32_t messages)
{
	struct poster *p = lane->poster;
	struct post *post = must_calloc(1, sizeof *post);
	*post = (struct post){
		.instance = p->instance, .part = 1, .messages = messages, .length = bytes->length};
	post->bytes = (uint8_t *)buf_steal(bytes);
	pthread_mutex_lock(&p->hub.lock);
	post->number = ++p->numbers;
	if (!p->posts++)
		p->answered_ns = clock_ns();
	p->bytes += post->length;
	lane_push(lane, post);
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
}

void poster_server(struct poster *p, char *text, size_t size)
{
	bus_server(p->hub.bus, text, size);
}

int poster_end(struct poster *p)
{
	pthread_mutex_lock(&p->hub.lock);
	p->ending = true;
	p->ending_ns = clock_ns();
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
	return p->over_fd;
}

/* What is stored from now on is told to nobody. */
uint64_t poster_give_up(struct poster *p)
{
	uint64_t left = 0;
	pthread_mutex_lock(&p->hub.lock);
	p->hub.quit = true;
	for (unsigned i = 0; i < p->count; i++)
		for (const struct post *post = p->lanes[i]->fresh; post; post = post->next)
			left += post->messages;
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
	return left;
}

/* ---- checkpoints ---- */

uint64_t poster_number(struct poster *p)
{
	pthread_mutex_lock(&p->hub.lock);
	uint64_t number = p->numbers;
	pthread_mutex_unlock(&p->hub.lock);
	return number;
}

uint64_t poster_unsafe(struct poster *p, uint64_t number, bool *patient)
{
	uint64_t unsafe = 0;
	pthread_mutex_lock(&p->hub.lock);
	for (unsigned i = 0; i < p->count; i++)
		for (const struct post *post = p->lanes[i]->fresh; post; post = post->next)
			if (post->number <= number)
				unsafe += post->messages;
	*patient = p->spool ? p->put_ns != UINT64_MAX : !p->hub.fault && !poster_is_away(p);
	pthread_mutex_unlock(&p->hub.lock);
	return unsafe;
}
