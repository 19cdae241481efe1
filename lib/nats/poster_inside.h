/* SPDX-License-Identifier: BSD-2-Clause */
/* The poster from inside: for poster.c, and its two threads in poster_send.c and poster_hear.c. */
#ifndef NATS_POSTER_INSIDE_H
#define NATS_POSTER_INSIDE_H

#include "base/map.h"
#include "nats/hub.h"
#include "nats/lane.h"

struct poster {
	struct hub hub;    /* its lock is that of all below `over_fd` */
	uint64_t instance; /* of ids */
	char **subjects;   /* that are asked about first */
	pthread_t sender, listener;
	bool has_sender, has_listener;
	int over_fd;

	struct map by_subject;
	struct lane **lanes;
	unsigned count, refused; /* lanes; those that a stream refuses */
	struct spool *spool;     /* the sender's, once it runs; or NULL */
	uint64_t numbers, posts, bytes;
	uint64_t spooled, spooled_posts; /* messages that lie there, and the posts that have them */
	uint64_t answered_ns, ending_ns;
	uint64_t put_ns; /* when the spool may be tried again */
	uint64_t spool_limit;
	bool known, ending, over;
	char *inbox; /* NULL: nobody listens to answers */
	size_t most;
	uint64_t found, stored, too_long, unread;
	unsigned damaged;
};

#define POSTER_HEAD 256 /* of a NATS message, at most */

/* ---- under the lock ---- */
void poster_tell_if_mended(struct poster *);
/* The head is not stored, at least now. */
void poster_refuse(struct poster *, struct lane *, const char *words);
bool poster_is_away(const struct poster *); /* nobody could answer */

void *poster_send(void *poster); /* the threads */
void *poster_hear(void *poster);

#endif
