/* SPDX-License-Identifier: BSD-2-Clause */
/* Posts, in order, of one subject. Without a lock of its own. */
#ifndef NATS_LANE_H
#define NATS_LANE_H

#include "nats/spool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct post {
	struct post *next;         /* of the lane */
	uint64_t instance, number; /* of its id */
	uint32_t part;             /* 1: the whole; 2 n and 2 n + 1 are the halves of n */
	uint32_t messages;
	uint8_t *bytes; /* NULL: it lies on the disk alone */
	size_t length;
	struct spool_place place; /* of the whole, also of halves */
	bool keeps_place;         /* of two halves the first: the place is still wanted */
};

void post_free(struct post *);
/* Has its bytes in memory. 0 or a negative errno. */
int post_load(struct post *);

/* What has been said of the head, until that is settled. */
enum lane_answer { LANE_NONE, LANE_STORED, LANE_REFUSED, LANE_TOO_LONG, LANE_UNREAD };

struct lane {
	struct poster *poster;
	char *subject;
	unsigned index; /* of the poster's */
	struct post *head, **tail;
	struct post *fresh; /* the first in memory alone, as all behind it are; or NULL */
	bool under_way;     /* the head */
	bool refused;       /* and not stored since */
	enum lane_answer answer;
	uint64_t sent_ns, due_ns;
};

struct lane *lane_new(const char *subject);
void lane_free(struct lane *); /* with what is in it */
void lane_push(struct lane *, struct post *);
struct post *lane_pop(struct lane *);
/* Two, of half the messages each, take the place of the head. False: it has one message, or is no
   pcapng. */
bool lane_halve(struct lane *);

#endif
