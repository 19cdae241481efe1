/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip as the filter of a struct writer. */
#ifndef CAPTURE_PACK_H
#define CAPTURE_PACK_H

#include <stdbool.h>
#include <stddef.h>

/* Its state, as `filter_arg`. Short inputs (what is pushed when traffic is slow) are flushed, so that
   a reader finds them; `last` ends the member, and what comes then begins another. */
void *pack_gzip_new(void);
void pack_gzip_free(void *); /* NULL does nothing */
int pack_gzip(void *, const void *bytes, size_t length, bool last,
              int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg);

#endif
