/* SPDX-License-Identifier: BSD-2-Clause */
/* What a block and threads of its own have in common: a lock, a bus, and a fault that is told. */
#ifndef NATS_HUB_H
#define NATS_HUB_H

#include "nats/bus.h"
#include <pthread.h>

#define HUB_AGAIN_NS UINT64_C(250000000) /* after what did not succeed */

struct hub {
	struct pt_block *block;
	struct bus *bus;
	int (*find)(void *arg, struct pt_error *); /* on the other side what is needed is there */
	void *arg;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t looks; /* how often the threads were to look */
	bool quit;
	char *fault;
	bool changed; /* the fault */
};

void hub_init(struct hub *, struct pt_block *);
void hub_fini(struct hub *); /* when its threads have ended */

/* Connects, and finds; that nobody answers is no fault. `find` gets the hooks' argument, as 0,
   -EAGAIN, or a code with words. [worker] */
int hub_open(struct hub *, const struct who_params *, const struct bus_hooks *,
             int (*find)(void *arg, struct pt_error *), struct pt_error *);
void hub_quit(struct hub *); /* the threads are to end */

/* ---- under the lock ---- */
void hub_look(struct hub *); /* the threads are to look what has changed */
void hub_wait(struct hub *, uint64_t until_ns);
void hub_tell(struct hub *, const char *fault); /* to the block, which is woken; NULL: none */
void hub_tell_why(struct hub *, const struct pt_error *); /* and that it is waited for */
/* What was told since this was asked last. */
bool hub_news(struct hub *, char **fault);

/* ---- the thread that connects ---- */
bool hub_connect(struct hub *); /* is, and has found; else it has told why not */
bool hub_rest(struct hub *);    /* a moment; false: it is to end */

#endif
