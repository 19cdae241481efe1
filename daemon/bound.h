/* SPDX-License-Identifier: BSD-2-Clause */
/* How much may wait for a reader that is slower than its writer. What is full takes nothing until
   half of it is free, so that what is left out makes no more holes than it must, and is counted.
   What is alone is taken, however long: nobody would come and open it again. */
#ifndef DAEMON_BOUND_H
#define DAEMON_BOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bound {
	bool full;
	uint64_t dropped; /* that nobody has been told of */
};

/* Counts what is not taken. */
static inline bool bound_takes(struct bound *b, size_t waiting, size_t more, size_t most)
{
	b->full |= waiting && waiting + more > most;
	b->dropped += b->full;
	return !b->full;
}

/* True: it takes again, and so much was dropped meanwhile. */
static inline bool bound_opens(struct bound *b, size_t waiting, size_t most, uint64_t *dropped)
{
	bool opens = b->full && waiting <= most / 2;
	*dropped = opens ? b->dropped : 0;
	if (opens)
		*b = (struct bound){0};
	return opens;
}

#endif
