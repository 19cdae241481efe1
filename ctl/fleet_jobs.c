/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that take the next item, until there is none. */
#include "ctl/fleet_jobs.h"

#include "base/memory.h"
#include "base/thread.h"
#include <stdbool.h>
#include <stdlib.h>

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t more, done;
	pthread_t *threads;
	unsigned thread_count;
	bool ends;
	void (*run)(void *arg, void *item);
	void *arg, **items;
	size_t count, taken, finished;
};

/* With the lock; gives it up meanwhile. */
static void take_one(struct jobs *j)
{
	void *item = j->items[j->taken++];
	pthread_mutex_unlock(&j->lock);
	j->run(j->arg, item);
	pthread_mutex_lock(&j->lock);
	if (++j->finished == j->count)
		pthread_cond_signal(&j->done);
}

static void *work(void *arg)
{
	struct jobs *j = arg;
	pthread_mutex_lock(&j->lock);
	while (!j->ends)
		if (j->taken < j->count)
			take_one(j);
		else
			pthread_cond_wait(&j->more, &j->lock);
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

int jobs_new(unsigned threads, struct jobs **out, struct pt_error *err)
{
	struct jobs *j = must_calloc(1, sizeof *j);
	int rc = 0;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->more, NULL);
	pthread_cond_init(&j->done, NULL);
	j->threads = must_calloc(threads, sizeof *j->threads);
	while (!rc && j->thread_count < threads) {
		rc = thread_start("what asks hosts", 0, work, j, &j->threads[j->thread_count],
		                  j->thread_count ? NULL : err);
		j->thread_count += !rc;
	}
	if (!j->thread_count) {
		jobs_free(j);
		return rc;
	}
	*out = j;
	return 0;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->ends = true;
	pthread_cond_broadcast(&j->more);
	pthread_mutex_unlock(&j->lock);
	for (unsigned i = 0; i < j->thread_count; i++)
		pthread_join(j->threads[i], NULL);
	pthread_cond_destroy(&j->more);
	pthread_cond_destroy(&j->done);
	pthread_mutex_destroy(&j->lock);
	free(j->threads);
	free(j);
}

unsigned jobs_count(const struct jobs *j)
{
	return j->thread_count;
}

void jobs_each(struct jobs *j, void (*run)(void *arg, void *item), void *arg, void **items,
               size_t count)
{
	pthread_mutex_lock(&j->lock);
	j->run = run;
	j->arg = arg;
	j->items = items;
	j->taken = j->finished = 0;
	j->count = count;
	pthread_cond_broadcast(&j->more);
	while (j->finished < j->count)
		pthread_cond_wait(&j->done, &j->lock);
	j->count = j->taken = 0;
	pthread_mutex_unlock(&j->lock);
}
