/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole buffers to and from descriptors, whatever the kernel takes and gives at a time. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/buf.h"
#include <stdbool.h>
#include <sys/types.h>

/* All of it, waiting where there is no room; 0 or a negative errno. */
int io_write(int fd, const void *bytes, size_t length);

/* All of it, from a place of a file; -ENODATA if it ends before. */
int io_read_at(int fd, off_t at, void *bytes, size_t length);

/* Adds all that comes up to the end; -EFBIG: it is more than `most`, which may be seen by the
   file's size. Waits where the descriptor does not. */
int io_read(int fd, size_t most, struct buf *);

/* The same of a file, opened with these flags; with O_NONBLOCK none is waited for: -EAGAIN. */
int io_read_file(const char *path, int flags, size_t most, struct buf *);

/* Makes a file anew, or in place of one, synchronised with the disk: beside it, under its name and
   IO_UNFINISHED, and renamed. 0 or a negative errno; the file is as it was then. */
#define IO_UNFINISHED ".new"
int io_replace(const char *path, mode_t mode, const void *bytes, size_t length);

/* The names in a folder that end so and are not hidden, in the order of their bytes; ends with
   NULL, to be freed by texts_free. NULL and errno. */
char **io_list(const char *folder, const char *suffix);
/* Whether such a name would be among them. */
bool io_lists(const char *name, const char *suffix);

#endif
