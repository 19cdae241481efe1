/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread that works for many, and lets only some of them keep a descriptor open. */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct crew;

/* Part of who has work; zeroed, but for the first two. */
struct crew_member {
	void (*work)(struct crew_member *); /* [crew's thread] */
	void (*shut)(struct crew_member *); /* [crew's thread] closes its descriptor, for now */
	struct crew_member *next;           /* in the queue */
	bool queued;
	struct crew_member *newer, *older; /* of those that are open; the crew's thread's */
	bool open;
};

struct crew *crew_new(unsigned open); /* so many open at once */
void crew_bound(struct crew *, unsigned open);
void crew_free(struct crew *); /* waits for what is queued; NULL does nothing */

/* Its work is called once, if it is not queued already: soon, or when enough waits that waking the
   thread is worth it. 0, or a negative code: there is no thread to be had. */
int crew_wake(struct crew *, struct crew_member *, bool soon);

/* Before the member is freed: it is not queued any more, and not being worked for. */
void crew_leave(struct crew *, struct crew_member *);

/* [crew's thread] The member has a descriptor and uses it now; whoever has not used one for longest
   is shut where they are too many. Or it has none any more. */
void crew_opened(struct crew *, struct crew_member *);
void crew_closed(struct crew *, struct crew_member *);

/* Memory that a member needs no more is what the next that asks gets, while it is still in the
   cache; all of it is of one size, and comes from malloc. NULL: there is none. */
void crew_give(struct crew *, void *memory);
void *crew_take(struct crew *);

/* Memory that waits for the thread, in bytes, of all members: they add and subtract. */
atomic_size_t *crew_waiting(struct crew *);

#endif
