/* SPDX-License-Identifier: BSD-2-Clause */
/* What other threads have to say to a loop, in the order in which they said it. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <pipetool/letter.h>
#include <stdint.h>
#include <uv.h>

struct mailbox {
	uv_mutex_t lock;
	uv_async_t wake;
	struct pt_letter *first, **last; /* under the lock */
	struct pt_letter *taken;         /* the loop's own */
	uint64_t turn_ns;
};

/* The loop has its turn after the letters that were there, and after `turn_ns` (0: never) of
   reading them. */
int mailbox_init(struct mailbox *, uv_loop_t *, uint64_t turn_ns);
void mailbox_post(struct mailbox *, struct pt_letter *); /* [any thread]; never waits */
/* [any thread] Wakes nobody, which takes many times as long: somebody is to do it soon. */
void mailbox_leave(struct mailbox *, struct pt_letter *);
void mailbox_wake(struct mailbox *);  /* [any thread] a turn without a letter */
void mailbox_close(struct mailbox *); /* no letters may come any more; what is there is left */
void mailbox_fini(struct mailbox *);  /* after the loop has run once more */

#endif
