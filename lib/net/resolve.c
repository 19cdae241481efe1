/* SPDX-License-Identifier: BSD-2-Clause */
/* getaddrinfo knows no time-out: it has a thread, which is left alone when the time is over. */
#include "net/resolve.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/thread.h"
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define SERVICE_TEXT 16

/* Whoever comes last frees it. */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, given_up;
	char *host, service[SERVICE_TEXT];
	struct addrinfo hints, *found;
	int rc, error;
};

static void lookup_free(struct lookup *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l->host);
	free(l);
}

static void *run(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(l->host, l->service, &l->hints, &found), error = errno;
	pthread_mutex_lock(&l->lock);
	l->rc = rc;
	l->error = error;
	l->found = found;
	l->done = true;
	bool nobody_waits = l->given_up;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (nobody_waits) {
		if (rc == 0)
			freeaddrinfo(found);
		lookup_free(l);
	}
	return NULL;
}

static struct lookup *lookup_new(const char *host, const char *service,
                                 const struct addrinfo *hints)
{
	struct lookup *l = must_calloc(1, sizeof *l);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	l->host = must_strdup(host);
	snprintf(l->service, sizeof l->service, "%s", service);
	l->hints = *hints;
	return l;
}

/* Returns as getaddrinfo does; EAI_SYSTEM with ETIMEDOUT when the time is over. */
static int look_up(struct lookup *l, int timeout_ms, struct addrinfo **found, int *error)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&l->lock);
	while (!l->done && pthread_cond_timedwait(&l->changed, &l->lock, &until) == 0)
		;
	bool done = l->done;
	l->given_up = !done;
	pthread_mutex_unlock(&l->lock);
	*error = done ? l->error : ETIMEDOUT;
	if (!done)
		return EAI_SYSTEM;
	int rc = l->rc;
	*found = l->found;
	lookup_free(l);
	return rc;
}

int resolve(int type, const char *param, const char *host, int port, int flags, int timeout_ms,
            struct addrinfo **found, struct pt_error *err)
{
	char service[SERVICE_TEXT];
	struct addrinfo hints = {.ai_socktype = type, .ai_flags = flags | AI_NUMERICSERV};
	int error = 0;
	snprintf(service, sizeof service, "%d", port);
	hints.ai_flags |= AI_NUMERICHOST;
	int rc = getaddrinfo(*host ? host : NULL, service, &hints, found);
	if (rc == EAI_NONAME && *host) {
		hints.ai_flags &= ~AI_NUMERICHOST;
		struct lookup *l = lookup_new(host, service, &hints);
		rc = thread_start("the look-up of a name", 0, run, l, NULL, err);
		if (rc) {
			lookup_free(l);
			return rc;
		}
		rc = look_up(l, timeout_ms, found, &error);
	}
	if (rc == 0)
		return 0;
	return pt_fail(err, rc == EAI_AGAIN ? -EAGAIN : -ENOENT, param, "cannot find '%s': %s",
	               host, rc == EAI_SYSTEM ? error_words(error) : gai_strerror(rc));
}
