/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to a daemon as lines: sends whole ones, receives whole ones, each until a
   deadline. */
#ifndef RPC_WIRE_H
#define RPC_WIRE_H

#include "rpc/frame.h"
#include <stdint.h>

struct wire {
	int in, out;              /* may be one and the same; do not block */
	bool is_socket, is_local; /* local: descriptors can be sent along */
	bool ended;               /* the peer has closed */
	bool unread;              /* [local] and had not read all that was sent */
	struct frame frame;
};

#define WIRE_FOREVER INT64_MAX

int64_t wire_deadline(double timeout_s); /* from now; below 0: WIRE_FOREVER */

void wire_init(struct wire *, int in, int out); /* takes the descriptors over */
void wire_fini(struct wire *);

/* Sends bytes, and descriptors with the first of them. Reads meanwhile, so that two full pipes do
   not wait for one another. 0, -ETIMEDOUT, -EPIPE or another errno. */
int wire_send(struct wire *, const char *bytes, size_t length, const int *fds, int fd_count,
              int64_t deadline);

/* The next line; valid until the next call. 0, -ETIMEDOUT, -EPIPE at the end, -EMSGSIZE for one of
   more than a gigabyte; with `interruptible` -EINTR after a signal. */
int wire_receive(struct wire *, int64_t deadline, bool interruptible, const char **line,
                 size_t *length);

#endif
