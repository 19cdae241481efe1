/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of members, and a list of those that are open. */
#include "base/crew.h"

#include "base/buf.h"
#include "base/thread.h"
#include <pthread.h>
#include <stdlib.h>

#define ENOUGH ((size_t)1024 * 1024) /* bytes: a wake-up costs as much as some thousand packets */
#define SPARES 64

struct crew {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some, done;
	struct crew_member *first, **last; /* under the lock, as are the next two */
	struct crew_member *current;
	void *spares[SPARES];
	unsigned spare_count;
	bool ending;
	bool running;                        /* the owner's */
	struct crew_member *newest, *oldest; /* the thread's, as are the next */
	unsigned open;
	atomic_uint most;
	atomic_size_t waiting;
};

struct crew *crew_new(unsigned open)
{
	struct crew *c = must_calloc(1, sizeof *c);
	c->most = open;
	c->last = &c->first;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->some, NULL);
	pthread_cond_init(&c->done, NULL);
	return c;
}

void crew_bound(struct crew *c, unsigned open)
{
	c->most = open;
}

void crew_give(struct crew *c, void *memory)
{
	pthread_mutex_lock(&c->lock);
	bool kept = c->spare_count < SPARES;
	if (kept)
		c->spares[c->spare_count++] = memory;
	pthread_mutex_unlock(&c->lock);
	if (!kept)
		free(memory);
}

void *crew_take(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	void *memory = c->spare_count ? c->spares[--c->spare_count] : NULL;
	pthread_mutex_unlock(&c->lock);
	return memory;
}

static struct crew_member *take(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->current = NULL;
	pthread_cond_signal(&c->done);
	while (!c->first && !c->ending)
		pthread_cond_wait(&c->some, &c->lock);
	struct crew_member *m = c->current = c->first;
	if (m) {
		m->queued = false;
		c->first = m->next;
	}
	if (!c->first)
		c->last = &c->first;
	pthread_mutex_unlock(&c->lock);
	return m;
}

static void *run(void *arg)
{
	struct crew *c = arg;
	for (struct crew_member *m; (m = take(c));)
		m->work(m);
	return NULL;
}

int crew_wake(struct crew *c, struct crew_member *m, bool soon)
{
	int rc = c->running ? 0 : thread_start("what writes files", 0, run, c, &c->thread, NULL);
	c->running = rc == 0;
	if (rc)
		return rc;
	pthread_mutex_lock(&c->lock);
	if (!m->queued) {
		m->queued = true;
		m->next = NULL;
		*c->last = m;
		c->last = &m->next;
	}
	if (soon || atomic_load(&c->waiting) >= ENOUGH)
		pthread_cond_signal(&c->some);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void crew_leave(struct crew *c, struct crew_member *m)
{
	pthread_mutex_lock(&c->lock);
	for (struct crew_member **at = &c->first; m->queued && *at; at = &(*at)->next)
		if (*at == m) {
			*at = m->next;
			c->last = m->next ? c->last : at;
			m->queued = false;
			break;
		}
	while (c->current == m)
		pthread_cond_wait(&c->done, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_cond_signal(&c->some);
	pthread_mutex_unlock(&c->lock);
	if (c->running)
		pthread_join(c->thread, NULL);
	while (c->spare_count)
		free(c->spares[--c->spare_count]);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->some);
	pthread_cond_destroy(&c->done);
	free(c);
}

static void take_out(struct crew *c, struct crew_member *m)
{
	*(m->newer ? &m->newer->older : &c->newest) = m->older;
	*(m->older ? &m->older->newer : &c->oldest) = m->newer;
}

void crew_closed(struct crew *c, struct crew_member *m)
{
	if (!m->open)
		return;
	take_out(c, m);
	m->open = false;
	c->open--;
}

void crew_opened(struct crew *c, struct crew_member *m)
{
	if (m->open)
		take_out(c, m);
	c->open += !m->open;
	m->open = true;
	m->newer = NULL;
	m->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = m;
	c->newest = m;
	while (c->open > c->most) {
		struct crew_member *oldest = c->oldest;
		crew_closed(c, oldest);
		oldest->shut(oldest);
	}
}

atomic_size_t *crew_waiting(struct crew *c)
{
	return &c->waiting;
}
