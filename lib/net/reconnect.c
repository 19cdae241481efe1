/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread for one try, then the timer, then the next one. */
#include "net/reconnect.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/thread.h"
#include "net/address.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Shared with the thread: whoever comes last frees it. */
struct attempt {
	pthread_mutex_t lock;
	struct pt_block *block; /* NULL: nobody waits for it any more */
	bool over;
	int result; /* the descriptor, or a negative code */
	struct pt_error err;
	char *host;
	int port;
};

static void attempt_free(struct attempt *a)
{
	pthread_mutex_destroy(&a->lock);
	pt_error_clear(&a->err);
	free(a->host);
	free(a);
}

static void drop_result(struct attempt *a)
{
	if (a->result >= 0)
		close(a->result);
	attempt_free(a);
}

static void *run(void *arg)
{
	struct attempt *a = arg;
	int fd, rc = address_connect(SOCK_STREAM, a->host, a->port, &fd, &a->err);
	pthread_mutex_lock(&a->lock);
	a->result = rc ? rc : fd;
	a->over = true;
	bool wanted = a->block;
	if (wanted)
		pt_wake(a->block);
	pthread_mutex_unlock(&a->lock);
	if (!wanted)
		drop_result(a);
	return NULL;
}

void reconnect_try(struct reconnect *r)
{
	struct attempt *a = must_calloc(1, sizeof *a);
	pthread_mutex_init(&a->lock, NULL);
	a->block = r->block;
	a->host = must_strdup(r->host);
	a->port = (int)*r->port;
	r->attempt = a;
	int rc = thread_start("the attempt to connect", 0, run, a, NULL, &a->err);
	if (rc) { /* there is none: nobody else has the attempt */
		a->result = rc;
		a->over = true;
		reconnect_woken(r);
	}
}

void reconnect_later(struct reconnect *r)
{
	pt_timer_at(r->block, &r->timer, pt_now(r->block) + (uint64_t)(*r->retry_s * 1e9), r->due);
}

static bool is_over(struct attempt *a)
{
	pthread_mutex_lock(&a->lock);
	bool over = a->over;
	pthread_mutex_unlock(&a->lock);
	return over;
}

void reconnect_woken(struct reconnect *r)
{
	struct attempt *a = r->attempt;
	if (!a || !is_over(a))
		return;
	int result = a->result;
	r->attempt = NULL;
	if (result < 0 && !r->told)
		pt_report(r->block, result, "%s; tries again every %g s",
		          pt_error_text(&a->err, error_words(result)), *r->retry_s);
	r->told = result < 0;
	attempt_free(a);
	if (result < 0)
		reconnect_later(r);
	else
		r->connected(r->block, result);
}

void reconnect_close(struct reconnect *r)
{
	struct attempt *a = r->attempt;
	r->attempt = NULL;
	r->told = false;
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	bool over = a->over;
	a->block = NULL;
	pthread_mutex_unlock(&a->lock);
	if (over)
		drop_result(a);
}
