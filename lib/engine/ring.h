/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in memory that outlives the process. */
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A ring in a memfd, which whoever has the descriptor finds after a crash as it was: a record
 * counts once it is whole, and until it is taken out. On one thread, and never asks the kernel but
 * to grow. Costs a copy for each record.
 *
 * Its first page says of which version it is, where the records begin and end, and how many there
 * are. The sum of each is of the version, its place and all that it has. Of what an earlier process
 * has written nothing is believed but records whose sums are right: another version, or damage, is
 * the end of it, and what cannot be read is counted. Who makes a new version changes RING_VERSION,
 * and reads the old one where that is worth it.
 */
#define RING_VERSION 3

struct ring;

enum ring_kind {
	RING_MESSAGE = 1, /* of a queue: see queue.c */
	RING_CARRY,       /* all that a block carries, beside its queue: see carry_record.h */
};

/* Bytes in two parts, of which the first is of whole words of 8. */
struct ring_record {
	enum ring_kind kind;
	const void *head, *bytes;
	uint32_t head_length, length;
};

/* So many bytes, or as many as can be had; NULL: no memory, and so on. */
struct ring *ring_new(size_t room);
size_t ring_room(const struct ring *);
void ring_free(struct ring *); /* NULL does nothing; the memory stays with other descriptors */
int ring_fd(const struct ring *);

/* False: it is full. */
bool ring_push(struct ring *, const struct ring_record *);
void ring_pop(struct ring *);
/* As that, but its room stays taken until ring_note, so that it can be gone back to. */
void ring_take(struct ring *);
void ring_skip(struct ring *, size_t bytes); /* so many of the oldest are gone already */
/* From then on the only one; whenever it was killed, there is that or the one before (of two, the
   first). False: it is longer than half of the ring, and nothing has changed. */
bool ring_replace(struct ring *, const struct ring_record *);
/* The second of two, in place of the second that there may be; and the second is the only one. */
bool ring_beside(struct ring *, const struct ring_record *);
void ring_settle(struct ring *);

/* What is in it at a cut, of which those up to `committed` count: what was taken before the last of
   these may be used again. And in the next process it is as it was then; false: that cannot be,
   and nothing has changed. Cut 0: what is taken is not gone back to. */
struct ring_mark {
	uint64_t head, tail, count, skip;
};
struct ring_mark ring_note(struct ring *, uint64_t cut, uint64_t committed);
bool ring_go_back(struct ring *, const struct ring_mark *);

/* An empty one with twice the room. */
struct ring *ring_larger(const struct ring *);

/* That of an earlier process; takes the descriptor. NULL: it is none. */
struct ring *ring_open(int fd);
bool ring_holds(int fd, enum ring_kind); /* it looks like one that begins with such a record */
/* Each of its records of that kind (of two beside each other, both), the oldest first: `length`
   bytes, which last as long as the call, and how many of them ring_skip said to be gone. Returns
   how many were lost: one is damaged, and those behind it are gone, too. From then on the ring
   holds what was found. */
typedef void ring_each_one(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone);
uint64_t ring_each(struct ring *, enum ring_kind, ring_each_one *, void *arg);

#endif
