/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files of text, and the folders they are in. */
#ifndef DAEMON_FILE_H
#define DAEMON_FILE_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>

/* The text, to be freed; a NUL byte in it and what is longer than `most` are refused. */
int file_read(const char *path, size_t most, char **text, struct pt_error *);

/* Calls `each` for every file that is not hidden and ends with the suffix, in the order of the
   alphabet, with its absolute path; adds to `bad` (NULL: nobody asks) how many times it said false,
   and one if the folder could not be read. That is logged, but for -ENOENT: it is the caller's to
   judge. */
int file_each(const char *folder, const char *suffix, bool (*each)(void *arg, const char *path),
              void *arg, size_t *bad);

#endif
