/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that ptctl itself reads. */
#ifndef CTL_READ_H
#define CTL_READ_H

#include "base/buf.h"
#include <pipetool/error.h>

enum { READ_MAX = 16 * 1024 * 1024 }; /* what a request may have */

/* All of the file, or of standard input for "-". What cannot be read, or is longer than `most`, is
   refused with `code`. */
int read_file(const char *path, size_t most, int code, struct buf *, struct pt_error *);

/* How the file is called in messages. */
const char *read_name(const char *path);

#endif
