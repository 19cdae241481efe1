/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole buffers, to and from a descriptor. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/buf.h"

/* Writes all of it, waiting where the descriptor does not. 0 or a negative errno. */
int io_write(int fd, const void *bytes, size_t length);

/* Adds all that comes up to the end. -EFBIG: it is more than `most`. */
int io_read(int fd, size_t most, struct buf *);

#endif
