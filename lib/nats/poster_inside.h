/* SPDX-License-Identifier: BSD-2-Clause */
/* The poster from inside: for poster.c, and its two threads in poster_send.c and poster_hear.c. */
#ifndef NATS_POSTER_INSIDE_H
#define NATS_POSTER_INSIDE_H

#include "base/map.h"
#include "nats/bus.h"
#include "nats/lane.h"
#include <pthread.h>

struct poster {
	struct pt_block *block;
	struct bus *bus;
	uint64_t instance; /* of ids */
	char **subjects;   /* that are asked about first */
	pthread_t sender, listener;
	bool has_sender, has_listener;
	int over_fd;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct map by_subject;
	struct lane **lanes;
	unsigned count, refused; /* lanes; those that a stream refuses */
	struct spool *spool;     /* the sender's, once it runs; or NULL */
	uint64_t numbers, posts, bytes;
	uint64_t spooled, spooled_posts; /* messages that lie there, and the posts that have them */
	uint64_t answered_ns, ending_ns;
	uint64_t put_ns; /* when the spool may be tried again */
	uint64_t spool_limit;
	uint64_t looks; /* how often the sender was to look */
	bool known, quit, ending, over;
	char *inbox; /* NULL: nobody listens to answers */
	size_t most;
	uint64_t found, stored, too_long, unread;
	unsigned damaged;
	char *fault;
	bool changed;
};

#define POSTER_HEAD     256                 /* of a NATS message, at most */
#define POSTER_AGAIN_NS UINT64_C(250000000) /* after a refusal */

/* ---- under the lock ---- */
void poster_look(struct poster *); /* the threads are to look what has changed */
void poster_wait(struct poster *, uint64_t until_ns);
void poster_tell(struct poster *, const char *fault); /* NULL: there is none */
void poster_tell_if_mended(struct poster *);
/* The head is not stored, at least now. */
void poster_refuse(struct poster *, struct lane *, const char *words);
bool poster_is_away(const struct poster *); /* nobody could answer */

void *poster_send(void *poster); /* the threads */
void *poster_hear(void *poster);

#endif
