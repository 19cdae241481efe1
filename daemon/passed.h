/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors that came with bytes, until a request claims them. */
#ifndef DAEMON_PASSED_H
#define DAEMON_PASSED_H

#include "rpc/frame.h"
#include <pipetool/error.h>
#include <stdint.h>

#define PASSED_MAX FRAME_FDS_MAX /* that wait on one connection; what comes beyond is closed */

/*
 * A descriptor belongs to the bytes that it came with. The kernel may hand over earlier bytes in
 * the same read, never later ones, so all that is known is a range of the stream: the request it is
 * meant for ends behind the range's begin, and who passes it by ends at or behind its end.
 */
struct passed {
	struct {
		int fd;
		uint64_t begin, end; /* places in the stream of bytes that were read */
	} items[PASSED_MAX];
	unsigned count;
};

void passed_fini(struct passed *); /* closes what is left */

/* Takes the descriptor; closes it if there are too many. */
void passed_add(struct passed *, int fd, uint64_t begin, uint64_t end);

/* A request whose line ends at `line_end` says that it passes `count`: moves them to `fds`, in the
   order in which they came. Fewer there: a fault, and none is moved. */
int passed_claim(struct passed *, uint64_t line_end, int count, int *fds, struct pt_error *);

/* Closes what the lines up to `line_end` might have claimed and have not. */
void passed_expire(struct passed *, uint64_t line_end);

#endif
