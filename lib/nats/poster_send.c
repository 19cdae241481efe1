/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that publishes, and spools. */
#include "nats/poster_inside.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(5000000000) /* for an answer */
#define SILENCE_NS  UINT64_C(1000000000) /* after which the spool takes what waits */
#define CROWDED     ((uint64_t)8 * 1024 * 1024)
#define GROUP       64

/* ---- what has become of posts: under the lock, on the sender's thread ---- */

static void has_gone(struct poster *p, struct lane *lane, uint64_t *count)
{
	struct post *post = lane_pop(lane);
	*count += post->messages;
	p->posts--;
	p->bytes -= post->bytes ? post->length : 0;
	p->spooled -= post->place.file ? post->messages : 0;
	if (post->place.file && !post->keeps_place) {
		p->spooled_posts--;
		if (spool_done(p->spool, &post->place))
			p->put_ns = 0;
	}
	post_free(post);
	pt_wake(p->hub.block);
}

static void is_stored(struct poster *p, struct lane *lane)
{
	has_gone(p, lane, &p->stored);
	p->answered_ns = clock_ns();
	p->refused -= lane->refused;
	lane->refused = false;
	poster_tell_if_mended(p);
}

static void is_too_long(struct poster *p, struct lane *lane)
{
	struct post *head = lane->head;
	bool in_memory = head->bytes, whole = !post_load(head);
	size_t before = head->length;
	p->bytes += whole && !in_memory ? before : 0;
	if (!whole || !lane_halve(lane)) {
		has_gone(p, lane, whole ? &p->too_long : &p->unread);
		return;
	}
	p->posts++;
	p->bytes += lane->head->length + lane->head->next->length - before;
}

static void settle(struct poster *p, struct lane *lane, uint64_t now)
{
	bool late = lane->under_way && now >= lane->sent_ns + PATIENCE_NS;
	if (late && lane->answer == LANE_NONE && !poster_is_away(p))
		poster_refuse(p, lane, "no answer came within 5 s");
	lane->under_way &= !late;
	enum lane_answer answer = lane->answer;
	lane->answer = LANE_NONE;
	if (answer == LANE_NONE || !lane->head)
		return;
	lane->under_way = false;
	lane->due_ns = answer == LANE_REFUSED ? now + HUB_AGAIN_NS : 0;
	if (answer == LANE_STORED)
		is_stored(p, lane);
	else if (answer == LANE_TOO_LONG)
		is_too_long(p, lane);
	else if (answer == LANE_UNREAD)
		has_gone(p, lane, &p->unread);
}

/* ---- publishing ---- */

static natsStatus publish(struct bus *bus, const struct lane *lane, const struct post *post,
                          const char *inbox)
{
	natsMsg *m = NULL;
	char reply[128], id[64];
	snprintf(reply, sizeof reply, "%s.%u.%" PRIx64 ".%x", inbox, lane->index, post->number,
	         post->part);
	snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIx64 "-%x", post->instance, post->number,
	         post->part);
	natsStatus s = natsMsg_Create(&m, lane->subject, reply, (const char *)post->bytes,
	                              (int)post->length);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(m, "Nats-Msg-Id", id);
	if (s == NATS_OK)
		s = (natsStatus)bus_publish(bus, m);
	natsMsg_Destroy(m);
	return s;
}

/* The post stays where it is, for only this thread takes it away. */
static void send(struct poster *p, struct lane *lane, uint64_t now)
{
	struct post post = *lane->head;
	char *inbox = must_strdup(p->inbox);
	lane->under_way = true;
	lane->sent_ns = now;
	pthread_mutex_unlock(&p->hub.lock);
	bool from_disk = !post.bytes, unread = post_load(&post) != 0;
	natsStatus s = unread ? NATS_OK : publish(p->hub.bus, lane, &post, inbox);
	if (from_disk)
		free(post.bytes);
	pthread_mutex_lock(&p->hub.lock);
	free(inbox);
	if (unread)
		lane->answer = LANE_UNREAD;
	else if (s != NATS_OK)
		lane->answer = s == NATS_MAX_PAYLOAD ? LANE_TOO_LONG : LANE_REFUSED;
}

/* When it is to be looked at again. */
static uint64_t serve(struct poster *p, struct lane *lane, uint64_t now)
{
	settle(p, lane, now);
	bool can = lane->head && !poster_is_away(p);
	if (can && !lane->under_way && now >= lane->due_ns)
		send(p, lane, now);
	if (lane->answer != LANE_NONE)
		return now;
	return !can ? UINT64_MAX : lane->under_way ? lane->sent_ns + PATIENCE_NS : lane->due_ns;
}

/* ---- the spool ---- */

struct group {
	struct {
		struct lane *lane;
		struct post *post;
		struct spool_record record;
	} of[GROUP];
	unsigned count, written;
};

/* The first that lie in memory alone. */
static void gather(const struct poster *p, struct group *g)
{
	g->count = g->written = 0;
	for (unsigned i = 0; i < p->count; i++)
		for (struct post *post = p->lanes[i]->fresh; post && g->count < GROUP;
		     post = post->next)
			g->of[g->count++] = (__typeof__(g->of[0])){p->lanes[i],
			                                           post,
			                                           {post->instance,
			                                            post->number,
			                                            post->part,
			                                            post->messages,
			                                            p->lanes[i]->subject,
			                                            post->length,
			                                            {NULL, 0, 0}}};
}

static int write_group(struct spool *spool, struct group *g)
{
	int rc = 0;
	for (; !rc && g->written < g->count; g->written += !rc)
		rc = spool_put(spool, &g->of[g->written].record, g->of[g->written].post->bytes);
	int synced = spool_sync(spool);
	if (!synced)
		return rc;
	while (g->written)
		spool_done(spool, &g->of[--g->written].record.place);
	return synced;
}

static void is_spooled(struct poster *p, struct lane *lane, const struct spool_place *place)
{
	struct post *post = lane->fresh;
	lane->fresh = post->next;
	post->place = *place;
	p->spooled += post->messages;
	p->spooled_posts++;
	p->bytes -= post->length;
	free(post->bytes);
	post->bytes = NULL;
}

static void cannot_spool(struct poster *p, int rc, uint64_t now)
{
	p->put_ns = rc == -EDQUOT ? UINT64_MAX : now + SILENCE_NS;
	if (rc == -EDQUOT && now < p->answered_ns + SILENCE_NS) /* it gets emptier */
		return;
	char *words = rc == -EDQUOT ? must_strdup("the spool is full; the sources are held back")
	                            : must_printf("cannot write to the spool: %s", error_words(rc));
	hub_tell(&p->hub, words);
	free(words);
}

static void spill(struct poster *p, struct group *g, uint64_t now)
{
	spool_set_limit(p->spool, p->spool_limit);
	pthread_mutex_unlock(&p->hub.lock);
	int rc = write_group(p->spool, g);
	pthread_mutex_lock(&p->hub.lock);
	for (unsigned i = 0; i < g->written; i++)
		if (p->hub.quit) /* they were given up meanwhile */
			spool_done(p->spool, &g->of[i].record.place);
		else
			is_spooled(p, g->of[i].lane, &g->of[i].record.place);
	if (rc && !p->hub.quit)
		cannot_spool(p, rc, now);
	pt_wake(p->hub.block);
}

/* When what waits goes there. */
static uint64_t spill_due(const struct poster *p, uint64_t now)
{
	uint64_t due = p->answered_ns + SILENCE_NS;
	if (!p->spool || !p->posts)
		return UINT64_MAX;
	if (p->ending)
		due = poster_is_away(p) ? now : p->ending_ns + SILENCE_NS;
	else if (p->spooled_posts && p->bytes > CROWDED)
		due = now;
	return due > p->put_ns ? due : p->put_ns;
}

static void tell_if_over(struct poster *p, bool in_memory)
{
	const uint64_t one = 1;
	bool can_spool = p->spool && p->put_ns != UINT64_MAX;
	bool over = !p->posts || (p->spooled_posts && !in_memory) ||
	            (poster_is_away(p) && !(in_memory && can_spool));
	if (p->ending && !p->over && over) {
		p->over = true;
		while (write(p->over_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
}

/* When it is to be looked at again. */
static uint64_t serve_spool(struct poster *p, uint64_t now)
{
	struct group *g = &(struct group){.count = 0};
	uint64_t due = spill_due(p, now);
	if (due <= now || p->ending)
		gather(p, g);
	tell_if_over(p, g->count);
	if (due > now || !g->count)
		return due > now ? due : UINT64_MAX;
	spill(p, g, now);
	return now;
}

void *poster_send(void *arg)
{
	struct poster *p = arg;
	pthread_mutex_lock(&p->hub.lock);
	while (!p->hub.quit) {
		uint64_t now = clock_ns(), next = UINT64_MAX, looks = p->hub.looks;
		for (unsigned i = 0; i < p->count && !p->hub.quit; i++) {
			uint64_t due = serve(p, p->lanes[i], now);
			next = due < next ? due : next;
		}
		if (p->hub.quit) /* what is settled from now on was given up, and counts so */
			break;
		uint64_t due = serve_spool(p, now);
		next = due < next ? due : next;
		if (!p->hub.quit && next > now && looks == p->hub.looks)
			hub_wait(&p->hub, next);
	}
	pthread_mutex_unlock(&p->hub.lock);
	return NULL;
}
