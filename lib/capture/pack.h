/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip as the filter of a struct writer. */
#ifndef CAPTURE_PACK_H
#define CAPTURE_PACK_H

#include "base/writer.h"
#include <stddef.h>

/* Its state, as `filter_arg`. In a pause everything is flushed, so that a reader finds it; the end of
   the file ends the member, and what comes then begins another. */
void *pack_gzip_new(void);
void pack_gzip_free(void *); /* NULL does nothing */
int pack_gzip(void *, const void *bytes, size_t length, enum writer_end,
              int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg);

#endif
