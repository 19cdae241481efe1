/* SPDX-License-Identifier: BSD-2-Clause */
/* Compression on the writer's thread. */
#include "capture/pack.h"

#include "base/buf.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define ROOM  (128 * 1024)
#define LEVEL 4 /* half the time of the default, nearly its size */

struct pack {
	z_stream stream;
	uint8_t room[ROOM];
};

void *pack_gzip_new(void)
{
	struct pack *p = must_calloc(1, sizeof *p);
	if (deflateInit2(&p->stream, LEVEL, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		abort();
	return p;
}

void pack_gzip_free(void *state)
{
	struct pack *p = state;
	if (!p)
		return;
	deflateEnd(&p->stream);
	free(p);
}

int pack_gzip(void *state, const void *bytes, size_t length, enum writer_end end,
              int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg)
{
	struct pack *p = state;
	static const int flushes[] = {[WRITER_MORE] = Z_NO_FLUSH,
	                              [WRITER_PAUSE] = Z_SYNC_FLUSH,
	                              [WRITER_LAST] = Z_FINISH};
	p->stream.next_in = (Bytef *)(uintptr_t)bytes;
	p->stream.avail_in = (uInt)length;
	do {
		p->stream.next_out = p->room;
		p->stream.avail_out = ROOM;
		if (deflate(&p->stream, flushes[end]) == Z_STREAM_ERROR)
			return -EIO;
		size_t packed = ROOM - p->stream.avail_out;
		int rc = packed ? put(put_arg, p->room, packed) : 0;
		if (rc)
			return rc;
	} while (p->stream.avail_out == 0);
	if (end == WRITER_LAST)
		deflateReset(&p->stream);
	return 0;
}
