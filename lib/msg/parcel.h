/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages on their way to another engine: they leave one thread's pool and come into another's. */
#ifndef MSG_PARCEL_H
#define MSG_PARCEL_H

#include <pipetool/block.h>
#include <sys/queue.h>

/*
 * A parcel is one chunk: bytes that are copied into it lie there once, and messages are cut out of
 * it where it arrives. What is long and nobody else's goes along as it is, without a copy. It
 * belongs to whoever has it: a pool's thread, or nobody's between parcel_close and parcel_open.
 */
struct pt_chunk;
struct channel_end;
struct parcel {
	struct pt_chunk *chunk;
	size_t room, used;               /* bytes of what is in it, whatever is read of it */
	size_t bytes;                    /* what it costs, with what goes along */
	size_t at;                       /* of `used`: taken out */
	unsigned count;                  /* messages that are not taken out */
	struct pt_origin *origin, *copy; /* while it is filled: of the last message, and its copy */
	struct channel_end *from;        /* a channel's */
	uint64_t id, number;             /* of whom, and of the next message; 0: they have none */
	TAILQ_ENTRY(parcel) links;
};
TAILQ_HEAD(parcels, parcel);

#define PARCEL_ROOM ((size_t)64 * 1024) /* of a new one */

struct parcel *parcel_new(struct pt_pool *); /* NULL: the memory limit is reached */
void parcel_empty(struct parcel *);          /* of which nobody else has anything: as a new one */
bool parcel_is_sole(const struct parcel *);  /* nobody has anything of it */
void parcel_free(struct parcel *);           /* with all that is in it; NULL does nothing */

size_t parcel_cost(const struct pt_msg *); /* of a message in it */
bool parcel_has_room(const struct parcel *, const struct pt_msg *);

/* The message's bytes are in the parcel then, which must have room; the message itself is good for
   nothing but to be given up. False: the memory limit is reached, and it is as it was. */
bool parcel_add(struct parcel *, enum pt_canal, struct pt_msg *);

/* Leaves its pool; makes one that is mostly empty smaller, and `*spare`, if that is NULL, the
   other. Then comes into another. */
struct parcel *parcel_close(struct parcel *, struct parcel **spare);
void parcel_open(struct parcel *, struct pt_pool *);

/* The next messages, up to `max`, that came on one canal. */
unsigned parcel_take(struct parcel *, enum pt_canal *, struct pt_msg **messages, unsigned max);

#endif
