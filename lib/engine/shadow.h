/* SPDX-License-Identifier: BSD-2-Clause */
/* The contents of a queue once more, in memory that outlives the process. */
#ifndef ENGINE_SHADOW_H
#define ENGINE_SHADOW_H

#include <pipetool/msg.h>

/*
 * Records in a ring, in a memfd, which whoever keeps the descriptor has after a crash as it was: a
 * record counts once it is whole, and until it is taken out. On one thread, and never asks the
 * kernel but to grow. Costs a copy for each message.
 */
struct shadow;

struct shadow *shadow_new(void);   /* NULL: no memory, and so on */
void shadow_free(struct shadow *); /* NULL does nothing; the memory stays with other descriptors */
int shadow_fd(const struct shadow *);

/* False: it is full. */
bool shadow_push(struct shadow *, const struct pt_msg *, bool high);
void shadow_pop(struct shadow *);
void shadow_skip(struct shadow *, size_t bytes); /* so many of the oldest are gone already */

/* An empty one with twice the room. */
struct shadow *shadow_larger(const struct shadow *);

/* That of an earlier process, of which nothing is believed; takes the descriptor. NULL: it is
   none. */
struct shadow *shadow_open(int fd);
bool shadow_is(int fd); /* whether it looks like one */
/* Each of its records, the oldest first, without what is gone of it; `m` lasts as long as the call.
   Returns how many were lost: one is damaged, and those behind it are gone, too. From then on it
   holds what was found. */
uint64_t shadow_each(struct shadow *, void (*each)(void *arg, const struct pt_msg *m, bool high),
                     void *arg);

#endif
