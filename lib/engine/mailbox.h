/* SPDX-License-Identifier: BSD-2-Clause */
/* Work handed to a loop from any thread. */
#ifndef ENGINE_MAILBOX_H
#define ENGINE_MAILBOX_H

#include <stdbool.h>
#include <uv.h>

/* A letter is part of whatever is sent, and the reader's again when `read` is called. */
struct letter {
	struct letter *next;
	void (*read)(struct letter *);
};

struct mailbox {
	uv_mutex_t lock;
	uv_async_t wake;
	struct letter *first, **last;
};

int mailbox_init(struct mailbox *, uv_loop_t *);
void mailbox_post(struct mailbox *, struct letter *); /* [any thread] */
void mailbox_wake(struct mailbox *);                  /* [any thread] a turn without a letter */
/* Reads what is there, on the loop's thread; a turn of the loop does it by itself. */
void mailbox_read(struct mailbox *);
void mailbox_close(struct mailbox *, uv_close_cb); /* no letters may come any more */
void mailbox_fini(struct mailbox *);               /* after the close callback */

#endif
