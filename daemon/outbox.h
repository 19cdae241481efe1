/* SPDX-License-Identifier: BSD-2-Clause */
/* What waits to be written to a peer: answers, which are never dropped, and notifications, which
   are where the peer does not read. No I/O. */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include "base/buf.h"
#include "daemon/bound.h"
#include <stdbool.h>

#define OUTBOX_ANSWERS_MAX 64                /* then nothing more is read from the peer */
#define OUTBOX_BYTES_MAX   (8 * 1024 * 1024) /* the same */
#define OUTBOX_UNREAD_MAX \
	(4 * 1024 * 1024) /* of notifications: until half are gone, they are dropped */
#define OUTBOX_PATIENCE (16 * 1024 * 1024) /* dropped without a read: then the peer is given up */

/* Runs of bytes of one kind: an answer each, and the notifications between two answers. */
struct outbox_run {
	size_t length;
	bool answer;
};

struct outbox {
	struct buf bytes;
	size_t written; /* of them: gone already */
	struct outbox_run *runs;
	size_t first, count, room; /* a ring */
	unsigned answers;          /* that wait, also in part */
	size_t unread;             /* bytes of notifications that wait */
	struct bound bound;        /* of notifications */
	size_t dropped_bytes;      /* since the peer last read */
};

void outbox_fini(struct outbox *); /* one that is all zero is empty */

void outbox_answer(struct outbox *, const struct buf *line);
/* Whether it was taken; if not, it was counted. */
bool outbox_notify(struct outbox *, const struct buf *line);
/* Takes it in any case: for a notification, or a piece of a stream, whose sender minds `unread`. */
void outbox_put(struct outbox *, const struct buf *bytes);
void outbox_lost(struct outbox *, uint64_t notifications); /* dropped before they came here */

bool outbox_has_room(const struct outbox *); /* for further answers */
bool outbox_given_up(const struct outbox *); /* the peer has not read for too long */
const char *outbox_next(const struct outbox *, size_t *length); /* NULL: nothing waits */
/* The peer took so many of outbox_next's bytes. Puts the "gap" where it belongs. */
void outbox_advance(struct outbox *, size_t length);

#endif
