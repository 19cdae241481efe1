/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of parcels under a lock, which is held for a few instructions. */
#include "msg/channel.h"

#include "base/buf.h"
#include "base/error.h"
#include "msg/pool.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MOST 8

/* Of a sender that keeps what it sends. */
struct keeping {
	LIST_ENTRY(keeping) links;
	struct channel_end *end;
	uint64_t id, committed, settled;
	bool wanted;
};

struct channel {
	char *name;
	unsigned ends; /* under the lock of all; the rest under its own */
	LIST_ENTRY(channel) links;

	pthread_mutex_t lock;
	struct parcels parcels, spare;
	unsigned spare_count;
	struct channel_end *receiver;
	unsigned senders, senders_ended;
	LIST_HEAD(, keeping) keepings;
	bool some_ended; /* a sender, also one that has gone */
	bool over;       /* the receiver knows it */
};

static LIST_HEAD(channel_list, channel) channels = LIST_HEAD_INITIALIZER(channels);
static pthread_mutex_t channels_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- coming and going ---- */

static struct channel *find_or_make(const char *name)
{
	struct channel *c;
	LIST_FOREACH (c, &channels, links)
		if (!strcmp(c->name, name))
			return c;
	c = must_calloc(1, sizeof *c);
	c->name = must_strdup(name);
	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->parcels);
	TAILQ_INIT(&c->spare);
	LIST_INSERT_HEAD(&channels, c, links);
	return c;
}

static void free_all(struct parcels *parcels)
{
	for (struct parcel *p; (p = TAILQ_FIRST(parcels));) {
		TAILQ_REMOVE(parcels, p, links);
		parcel_free(p);
	}
}

static void let_go(struct channel *c)
{
	if (--c->ends)
		return;
	LIST_REMOVE(c, links);
	free_all(&c->parcels);
	free_all(&c->spare);
	pthread_mutex_destroy(&c->lock);
	free(c->name);
	free(c);
}

static void wake(struct channel_end *end)
{
	if (end && end->waits)
		end->wake(end->arg);
	if (end)
		end->waits = false;
}

static void wake_any(struct channel_end *end)
{
	if (end)
		end->wake(end->arg);
}

static bool is_over(const struct channel *c)
{
	return c->some_ended && c->senders == c->senders_ended;
}

static int join(struct channel *c, struct channel_end *end, struct pt_error *err)
{
	if (end->receives && c->receiver)
		return pt_fail(err, -EEXIST, "channel",
		               "'%s' is received by '%s' already: give another name, or send to it "
		               "from several engines",
		               c->name, c->receiver->block);
	if (!end->receives && c->over)
		return pt_fail(err, -EBUSY, "channel",
		               "'%s' has come to its end at '%s': start the engine of that anew "
		               "first",
		               c->name, c->receiver->block);
	if (end->receives)
		c->receiver = end;
	else
		c->senders++;
	return 0;
}

int channel_join(const char *name, bool receives, struct channel_end *end, struct pt_error *err)
{
	end->receives = receives;
	end->waits = receives;
	end->ended = false;
	end->waiting = end->id = 0;
	pthread_mutex_lock(&channels_lock);
	struct channel *c = find_or_make(name);
	c->ends++;
	pthread_mutex_lock(&c->lock);
	int rc = join(c, end, err);
	pthread_mutex_unlock(&c->lock);
	end->channel = rc ? NULL : c;
	if (rc)
		let_go(c);
	pthread_mutex_unlock(&channels_lock);
	return rc;
}

static struct keeping *keeping_of(const struct channel *c, uint64_t id)
{
	struct keeping *k;
	LIST_FOREACH (k, &c->keepings, links)
		if (k->id == id)
			return k;
	return NULL;
}

static void forget_keeping(struct channel *c, const struct channel_end *end)
{
	struct keeping *k = end->id ? keeping_of(c, end->id) : NULL;
	if (!k || k->end != end)
		return;
	LIST_REMOVE(k, links);
	free(k);
}

/* What it has sent stays. */
static void sender_leaves(struct channel *c, struct channel_end *end)
{
	struct parcel *p;
	forget_keeping(c, end);
	TAILQ_FOREACH (p, &c->parcels, links)
		if (p->from == end)
			p->from = NULL;
	c->senders--;
	c->senders_ended -= end->ended;
	if (is_over(c) || end->id)
		wake_any(c->receiver);
}

static uint64_t count_waiting(const struct channel *c)
{
	const struct parcel *p;
	uint64_t count = 0;
	TAILQ_FOREACH (p, &c->parcels, links)
		count += p->count;
	return count;
}

static struct channel_lost count_lost(const struct channel *c, const struct channel_end *last)
{
	const struct parcel *p;
	struct channel_lost lost = {0};
	TAILQ_FOREACH (p, &c->parcels, links)
		*(p->from == last ? &lost.own : &lost.others) += p->count;
	return lost;
}

struct channel_lost channel_leave(struct channel_end *end)
{
	struct channel *c = end->channel;
	struct channel_lost lost = {0};
	if (!c)
		return lost;
	pthread_mutex_lock(&channels_lock);
	pthread_mutex_lock(&c->lock);
	if (c->ends == 1)
		lost = count_lost(c, end);
	if (end->receives) {
		c->receiver = NULL;
		c->some_ended &= !c->over; /* the next one is for what comes then */
		c->over = false;
	} else {
		sender_leaves(c, end);
	}
	end->channel = NULL;
	pthread_mutex_unlock(&c->lock);
	let_go(c);
	pthread_mutex_unlock(&channels_lock);
	return lost;
}

void channel_move(struct channel_end *to, struct channel_end *from)
{
	struct channel *c = from->channel;
	pthread_mutex_lock(&c->lock);
	to->channel = c;
	to->receives = to->waits = true;
	c->receiver = to;
	from->channel = NULL;
	pthread_mutex_unlock(&c->lock);
}

/* ---- a sender ---- */

void channel_put(struct channel_end *end, struct parcel *p)
{
	struct channel *c = end->channel;
	p->from = end;
	pthread_mutex_lock(&c->lock);
	end->waiting += p->bytes;
	TAILQ_INSERT_TAIL(&c->parcels, p, links);
	wake(c->receiver);
	pthread_mutex_unlock(&c->lock);
}

void channel_end(struct channel_end *end)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	c->senders_ended += !end->ended;
	c->some_ended = end->ended = true;
	wake(c->receiver);
	pthread_mutex_unlock(&c->lock);
}

size_t channel_waiting(struct channel_end *end)
{
	pthread_mutex_lock(&end->channel->lock);
	size_t waiting = end->waiting;
	pthread_mutex_unlock(&end->channel->lock);
	return waiting;
}

bool channel_is_full(struct channel_end *end, uint64_t limit)
{
	pthread_mutex_lock(&end->channel->lock);
	end->limit = limit;
	end->waits = end->waiting >= limit;
	bool full = end->waits;
	pthread_mutex_unlock(&end->channel->lock);
	return full;
}

uint64_t channel_drop_oldest(struct channel_end *end, uint64_t limit)
{
	struct channel *c = end->channel;
	struct parcels gone = TAILQ_HEAD_INITIALIZER(gone);
	uint64_t count = 0;
	pthread_mutex_lock(&c->lock);
	for (struct parcel *p = TAILQ_FIRST(&c->parcels), *next; p && end->waiting > limit;
	     p = next) {
		next = TAILQ_NEXT(p, links);
		if (p->from != end)
			continue;
		TAILQ_REMOVE(&c->parcels, p, links);
		TAILQ_INSERT_TAIL(&gone, p, links);
		end->waiting -= p->bytes;
		count += p->count;
	}
	pthread_mutex_unlock(&c->lock);
	free_all(&gone);
	return count;
}

struct parcel *channel_spare(struct channel_end *end)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct parcel *p = TAILQ_FIRST(&c->spare);
	if (p) {
		TAILQ_REMOVE(&c->spare, p, links);
		c->spare_count--;
	}
	pthread_mutex_unlock(&c->lock);
	return p;
}

/* ---- the receiver ---- */

/* What is taken counts no longer: there is never more than one that is not done with. */
static void credit(struct channel_end *sender, const struct parcel *p)
{
	if (!sender)
		return;
	sender->waiting -= p->bytes;
	if (sender->waiting <= sender->limit / 2)
		wake(sender);
}

struct parcel *channel_take(struct channel_end *end, bool *over)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct parcel *p = TAILQ_FIRST(&c->parcels);
	if (p) {
		TAILQ_REMOVE(&c->parcels, p, links);
		credit(p->from, p);
		p->from = NULL;
	}
	end->waits = !p;
	*over = c->over = !p && is_over(c);
	pthread_mutex_unlock(&c->lock);
	return p;
}

void channel_give_spare(struct channel_end *end, struct parcel *p)
{
	struct channel *c = end->channel;
	bool keeps;
	chunk_leave(p->chunk);
	parcel_empty(p);
	pthread_mutex_lock(&c->lock);
	keeps = p->room == PARCEL_ROOM && c->spare_count < SPARE_MOST;
	if (keeps)
		TAILQ_INSERT_HEAD(&c->spare, p, links);
	c->spare_count += keeps;
	pthread_mutex_unlock(&c->lock);
	if (!keeps)
		parcel_free(p);
}

struct channel_news channel_look(struct channel_end *end)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct channel_news news = {count_waiting(c), c->senders, c->receiver};
	pthread_mutex_unlock(&c->lock);
	return news;
}

/* ---- over a restart ---- */

/* Another of the same id is the one before, whose place it takes. */
void channel_keep(struct channel_end *end, uint64_t id)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct keeping *k = keeping_of(c, id);
	if (!k) {
		k = must_calloc(1, sizeof *k);
		k->id = id;
		LIST_INSERT_HEAD(&c->keepings, k, links);
	}
	k->end = end;
	end->id = id;
	pthread_mutex_unlock(&c->lock);
}

void channel_commit(struct channel_end *end, uint64_t number)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct keeping *k = keeping_of(c, end->id);
	k->committed = number;
	if (k->wanted)
		wake_any(c->receiver);
	k->wanted = false;
	pthread_mutex_unlock(&c->lock);
}

uint64_t channel_settled(struct channel_end *end, bool *wanted)
{
	pthread_mutex_lock(&end->channel->lock);
	const struct keeping *k = keeping_of(end->channel, end->id);
	uint64_t settled = k->settled;
	*wanted = k->wanted;
	pthread_mutex_unlock(&end->channel->lock);
	return settled;
}

/* Blocks of one engine are in one checkpoint; and who has gone has done with it. */
static bool is_committed(const struct channel_end *receiver, const struct keeping *k,
                         uint64_t number)
{
	return !k || k->committed >= number || !strcmp(k->end->engine, receiver->engine);
}

bool channel_is_committed(struct channel_end *end, uint64_t id, uint64_t number)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct keeping *k = keeping_of(c, id);
	bool committed = is_committed(end, k, number);
	if (!committed && !k->wanted) {
		k->wanted = true;
		wake_any(k->end);
	}
	pthread_mutex_unlock(&c->lock);
	return committed;
}

void channel_settle(struct channel_end *end, uint64_t id, uint64_t number)
{
	struct channel *c = end->channel;
	pthread_mutex_lock(&c->lock);
	struct keeping *k = keeping_of(c, id);
	if (k && k->settled < number) {
		k->settled = number;
		wake_any(k->end);
	}
	pthread_mutex_unlock(&c->lock);
}
