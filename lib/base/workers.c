/* SPDX-License-Identifier: BSD-2-Clause */
/* Two lists under a lock, and threads that come and go with what there is to do. */
#include "base/workers.h"

#include "base/thread.h"
#include <pthread.h>
#include <stddef.h>
#include <time.h>

enum {
	LEAST = 2,   /* one of them for what must be done */
	REST_S = 10, /* after which one that has nothing to do ends */
	AGAIN_S = 1, /* after which another one is tried, while work waits */
	STACK = 1024 * 1024,
};

struct list {
	struct work *first, **last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct list must = {NULL, &must.first}, may = {NULL, &may.first};
static unsigned count, resting, at_may; /* threads; without work; at what may be refused */

static void *work(void *arg);

static int add_worker(struct pt_error *err)
{
	count++;
	resting++;
	int rc = thread_start("a worker", STACK, work, NULL, NULL, err);
	if (rc) {
		count--;
		resting--;
	}
	return rc;
}

static bool grow(void)
{
	return count < WORKERS_MAX && add_worker(NULL) == 0;
}

static struct work *take(struct list *from)
{
	struct work *w = from->first;
	from->first = w->next;
	if (!from->first)
		from->last = &from->first;
	return w;
}

static struct work *next(void)
{
	if (must.first)
		return take(&must);
	return may.first && at_may + 1 < count ? take(&may) : NULL;
}

/* With the lock; gives it up meanwhile. */
static void carry_out(struct work *w)
{
	bool refusable = !w->must;
	resting--;
	at_may += refusable;
	if (!resting)
		grow();
	pthread_mutex_unlock(&lock);
	w->run(w);
	pthread_mutex_lock(&lock);
	at_may -= refusable;
	resting++;
	if (may.first)
		pthread_cond_signal(&more);
}

/* False: the time is over. */
static bool rest(void)
{
	struct timespec until;
	if (count <= LEAST && !may.first)
		return pthread_cond_wait(&more, &lock) == 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += may.first ? AGAIN_S : REST_S;
	return pthread_cond_clockwait(&more, &lock, CLOCK_MONOTONIC, &until) == 0;
}

static void *work(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct work *w = next();
		if (w)
			carry_out(w);
		else if (may.first && grow())
			continue;
		else if (!rest() && resting > LEAST && !must.first && !may.first)
			break;
	}
	count--;
	resting--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

int workers_begin(struct pt_error *err)
{
	int rc = 0;
	pthread_mutex_lock(&lock);
	while (!rc && count < LEAST)
		rc = add_worker(err);
	pthread_mutex_unlock(&lock);
	return rc;
}

void workers_add(struct work *w)
{
	struct list *list = w->must ? &must : &may;
	w->next = NULL;
	pthread_mutex_lock(&lock);
	*list->last = w;
	list->last = &w->next;
	if (!resting) /* no thread could be had, when the last took up what it is at */
		grow();
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

bool workers_take_back(struct work *w)
{
	pthread_mutex_lock(&lock);
	struct work **at = &may.first;
	while (*at && *at != w)
		at = &(*at)->next;
	bool waited = *at;
	if (waited && !(*at = w->next))
		may.last = at;
	pthread_mutex_unlock(&lock);
	return waited;
}
