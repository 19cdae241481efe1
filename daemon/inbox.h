/* SPDX-License-Identifier: BSD-2-Clause */
/* What other threads have to say to the control loop, in the order in which they said it. */
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H

#include <uv.h>

/* One thing to be done on the control loop: lies in a structure of its sender's, who must not touch
   it between inbox_post and `run`. `run` may free it. */
struct post {
	struct post *next;
	void (*run)(struct post *);
};

struct inbox {
	uv_async_t async;
	uv_mutex_t mutex;
	struct post *head, **tail; /* under the mutex */
	struct post *taken;        /* the control loop's own */
};

void inbox_init(struct inbox *, uv_loop_t *);
void inbox_post(struct inbox *, struct post *); /* [any thread]; never waits */
/* Nobody may post any more. What was posted and not run is left to the process's end. */
void inbox_fini(struct inbox *);

#endif
