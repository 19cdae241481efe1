/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that connects, and hears what is stored. */
#include "nats/poster_inside.h"

#include "base/buf.h"
#include "base/clock.h"
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_MS 1000
#define TOO_LONG  10054

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
	pthread_mutex_lock(&p->hub.lock);
	struct lane *lane = lane_of(p, natsMsg_GetSubject(m));
	if (lane && code && code != TOO_LONG)
		poster_refuse(p, lane, words);
	else if (lane)
		lane->answer = code ? LANE_TOO_LONG : LANE_STORED;
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
	free(words);
}

/* The library does not say for which. */
static void nobody_answers(struct poster *p)
{
	pthread_mutex_lock(&p->hub.lock);
	for (unsigned i = 0; i < p->count; i++)
		if (p->lanes[i]->under_way && p->lanes[i]->answer == LANE_NONE)
			poster_refuse(p, p->lanes[i], "no stream takes it now");
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
}

static void set_inbox(struct poster *p, const char *inbox)
{
	int64_t most = natsConnection_GetMaxPayload(bus_connection(p->hub.bus));
	pthread_mutex_lock(&p->hub.lock);
	free(p->inbox);
	p->inbox = inbox ? must_strdup(inbox) : NULL;
	if (most > 2 * POSTER_HEAD)
		p->most = (size_t)most - POSTER_HEAD;
	poster_tell_if_mended(p);
	hub_look(&p->hub);
	pthread_mutex_unlock(&p->hub.lock);
}

static bool has_quit(struct poster *p)
{
	pthread_mutex_lock(&p->hub.lock);
	bool quit = p->hub.quit;
	pthread_mutex_unlock(&p->hub.lock);
	return quit;
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
	} while (!has_quit(p) && (s == NATS_OK || s == NATS_TIMEOUT || s == NATS_NO_RESPONDERS));
}

static void hear_answers(struct poster *p)
{
	natsInbox *inbox = NULL;
	natsSubscription *sub = NULL;
	natsInbox_Create(&inbox);
	char *all = must_printf("%s.>", inbox);
	natsStatus s = natsConnection_SubscribeSync(&sub, bus_connection(p->hub.bus), all);
	free(all);
	if (s == NATS_OK) {
		set_inbox(p, inbox);
		listen_to(p, sub);
		set_inbox(p, NULL);
	}
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
}

void *poster_hear(void *arg)
{
	struct poster *p = arg;
	do {
		if (hub_connect(&p->hub))
			hear_answers(p);
	} while (hub_rest(&p->hub));
	return NULL;
}
