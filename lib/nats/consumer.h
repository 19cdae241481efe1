/* SPDX-License-Identifier: BSD-2-Clause */
/* A durable consumer of a stream, as the server has it. */
#ifndef NATS_CONSUMER_H
#define NATS_CONSUMER_H

#include "nats/bus.h"

#define CONSUMER_WAIT_NS UINT64_C(30000000000) /* after which what it gave is given again */

struct consumer {
	struct bus *bus;
	char *stream, *name;
	char *subject; /* NULL: all of the stream */
};

/* [a thread that may wait] It is there, or has been made. 0, -EAGAIN, or a code with words. */
int consumer_find(const struct consumer *, struct pt_error *);
/* [the same] Has the server look at it. */
void consumer_look(const struct consumer *);

#endif
