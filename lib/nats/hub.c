/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting, waiting and telling. */
#include "nats/hub.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void hub_init(struct hub *h, struct pt_block *b)
{
	h->block = b;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
}

void hub_fini(struct hub *h)
{
	bus_free(h->bus);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h->fault);
}

static int connect_and_find(struct hub *h, struct pt_error *err)
{
	int rc = bus_is_closed(h->bus) ? bus_connect(h->bus, err) : 0;
	return rc ? rc : h->find(h->arg, err);
}

int hub_open(struct hub *h, const struct who_params *who, const struct bus_hooks *hooks,
             int (*find)(void *arg, struct pt_error *), struct pt_error *err)
{
	struct pt_error away = PT_ERROR_INIT;
	h->find = find;
	h->arg = hooks->arg;
	h->bus = bus_new(h->block, who, hooks);
	int rc = connect_and_find(h, &away);
	if (rc == -EAGAIN)
		rc = 0;
	else
		error_move(err, &away);
	pt_error_clear(&away);
	return rc;
}

void hub_quit(struct hub *h)
{
	pthread_mutex_lock(&h->lock);
	h->quit = true;
	hub_look(h);
	pthread_mutex_unlock(&h->lock);
}

/* ---- under the lock ---- */

void hub_look(struct hub *h)
{
	h->looks++;
	pthread_cond_broadcast(&h->wake);
}

void hub_wait(struct hub *h, uint64_t until)
{
	const struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	if (until == UINT64_MAX)
		pthread_cond_wait(&h->wake, &h->lock);
	else
		pthread_cond_clockwait(&h->wake, &h->lock, CLOCK_MONOTONIC, &at);
}

void hub_tell(struct hub *h, const char *fault)
{
	if (!h->fault == !fault && (!fault || !strcmp(h->fault, fault)))
		return;
	free(h->fault);
	h->fault = fault ? must_strdup(fault) : NULL;
	h->changed = true;
	pt_wake(h->block);
}

void hub_tell_why(struct hub *h, const struct pt_error *err)
{
	char *words = must_printf("%s; it is waited for",
	                          pt_error_text(err, "the server does not answer"));
	hub_tell(h, words);
	free(words);
}

bool hub_news(struct hub *h, char **fault)
{
	bool changed = h->changed;
	*fault = changed && h->fault ? must_strdup(h->fault) : NULL;
	h->changed = false;
	return changed;
}

/* ---- the thread that connects ---- */

bool hub_connect(struct hub *h)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = connect_and_find(h, &err);
	if (rc) {
		pthread_mutex_lock(&h->lock);
		hub_tell_why(h, &err);
		pthread_mutex_unlock(&h->lock);
	}
	pt_error_clear(&err);
	return !rc;
}

bool hub_rest(struct hub *h)
{
	uint64_t until = clock_ns() + HUB_AGAIN_NS;
	pthread_mutex_lock(&h->lock);
	while (!h->quit && clock_ns() < until)
		hub_wait(h, until);
	bool quit = h->quit;
	pthread_mutex_unlock(&h->lock);
	return !quit;
}
