/* SPDX-License-Identifier: BSD-2-Clause */
/* Compression as the filter of a struct writer: gzip, zstd and lz4. */
#ifndef CAPTURE_PACK_H
#define CAPTURE_PACK_H

#include "base/writer.h"
#include <stddef.h>

enum pack_kind { PACK_NONE, PACK_GZIP, PACK_ZSTD, PACK_LZ4 };

/* The words of each kind, in its order: "none", "gzip", … Ends with NULL. */
extern const char *const pack_words[];

/* What a file is called says how it is compressed: .gz .zst .lz4, in either case. `ending` is where
   that begins; of other names, and for PACK_NONE, the end of the name. May be NULL. */
enum pack_kind pack_by_name(const char *name, const char **ending);

struct pack;

struct pack *
	pack_new(enum pack_kind); /* NULL of PACK_NONE; where there is no memory it fails later */
void pack_free(struct pack *);    /* NULL does nothing */

/* writer_config.filter; the struct pack is its argument. A pause, and the end of the file, end the
   member or frame, and what comes then begins another: so a reader finds all, and behind a crash
   the next can go on. */
int pack_filter(void *pack, const void *bytes, size_t length, enum writer_end,
                int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg);

#endif
