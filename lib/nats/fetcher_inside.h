/* SPDX-License-Identifier: BSD-2-Clause */
/* The fetcher from inside: for fetcher.c, and what comes, in fetcher_come.c. */
#ifndef NATS_FETCHER_INSIDE_H
#define NATS_FETCHER_INSIDE_H

#include "base/buf.h"
#include "nats/consumer.h"
#include "nats/hub.h"

#define NAK "-NAK"

struct fetched;

struct fetcher {
	struct hub hub;           /* its lock is that of all below `thread` */
	struct consumer consumer; /* the thread's */
	pthread_t thread;
	bool has_thread;

	struct fetched *first, **end; /* all that are not over, or of which that is not told */
	struct fetched *fresh;        /* the first that waits; or NULL */
	size_t bytes;                 /* of those that are not sent, */
	unsigned count, sent_count;   /* which are so many; and those that are, and not over */
	unsigned asked;               /* messages that a request may still bring */
	uint64_t asked_ns, working_ns, denied_ns, numbers, sent;
	bool wanted, given_back, complete;
	bool over;    /* when it ends, who comes next may read alone */
	bool listens; /* to the inbox; what comes there is taken */
	bool again;   /* the consumer may have gone, or something is missing */

	/* Between the server and us; see struct claim. */
	bool alone, claimed;
	uint64_t mute_ns;
	uint64_t epoch, stream;
	uint64_t after, next; /* alone: what is settled; the next delivery */
	uint64_t sent_up_to, come_up_to;
	uint64_t part, part_messages; /* so many of that one, which is yet to come */
	struct buf settled; /* numbers of what an earlier daemon has settled beside that */
};

void fetched_free(struct fetched *);
/* Under the lock: it is to be told. */
void fetched_is_over(struct fetcher *, struct fetched *, const char *verdict);
/* [a thread of the library's] The hooks of a subscription. */
struct __natsSubscription;
void fetcher_on_message(struct __natsConnection *, struct __natsSubscription *, struct __natsMsg *,
                        void *fetcher);

#endif
