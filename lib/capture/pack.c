/* SPDX-License-Identifier: BSD-2-Clause */
/* Compression on the writer's thread: zlib, libzstd and liblz4 as rows of a table. */
#include "capture/pack.h"

#include "base/buf.h"
#include <errno.h>
#include <lz4frame.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define ROOM       (128 * 1024)
#define GZIP_LEVEL 4 /* half the time of the default, nearly its size */
#define LZ4_PIECE  (64 * 1024)

/* What one step has to go on with, and what it gives. */
struct pack_step {
	const uint8_t *in;
	size_t in_left;
	enum writer_end end;
	uint8_t *room;
	size_t packed;
};

struct pack {
	const struct pack_row *row;
	void *state;
	bool begun; /* a member or frame */
	bool whole; /* the file has one that is ended */
	uint8_t room[ROOM];
};

struct pack_row {
	const char *ending;
	void *(*make)(void);
	void (*free)(void *);
	/* Fills the room as far as it goes. 1: call again; 0: done; or a negative errno. */
	int (*step)(void *, struct pack_step *);
};

static void *not_made(void *state)
{
	free(state);
	return NULL;
}

/* ---- gzip ---- */

static void *gzip_make(void)
{
	z_stream *z = must_calloc(1, sizeof *z);
	if (deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return not_made(z);
	return z;
}

static void gzip_free(void *state)
{
	deflateEnd(state);
	free(state);
}

static int gzip_step(void *state, struct pack_step *s)
{
	z_stream *z = state;
	z->next_in = (Bytef *)(uintptr_t)s->in;
	z->avail_in = (uInt)s->in_left;
	z->next_out = s->room;
	z->avail_out = ROOM;
	if (deflate(z, s->end == WRITER_MORE ? Z_NO_FLUSH : Z_FINISH) == Z_STREAM_ERROR)
		return -EIO;
	s->in = z->next_in;
	s->in_left = z->avail_in;
	s->packed = ROOM - z->avail_out;
	if (z->avail_out == 0)
		return 1;
	if (s->end != WRITER_MORE)
		deflateReset(z);
	return 0;
}

/* ---- zstd ---- */

static void *zstd_make(void)
{
	return ZSTD_createCStream();
}

static void zstd_free(void *state)
{
	ZSTD_freeCStream(state);
}

static int zstd_step(void *state, struct pack_step *s)
{
	ZSTD_EndDirective end = s->end == WRITER_MORE ? ZSTD_e_continue : ZSTD_e_end;
	ZSTD_inBuffer in = {s->in, s->in_left, 0};
	ZSTD_outBuffer out = {s->room, ROOM, 0};
	size_t left = ZSTD_compressStream2(state, &out, &in, end);
	if (ZSTD_isError(left))
		return -EIO;
	s->in += in.pos;
	s->in_left -= in.pos;
	s->packed = out.pos;
	return s->end == WRITER_MORE ? s->in_left > 0 : left > 0;
}

/* ---- lz4 ---- */

struct lz4 {
	LZ4F_cctx *context;
	bool begun; /* a frame */
};

static void *lz4_make(void)
{
	struct lz4 *z = must_calloc(1, sizeof *z);
	if (LZ4F_isError(LZ4F_createCompressionContext(&z->context, LZ4F_VERSION)))
		return not_made(z);
	return z;
}

static void lz4_free(void *state)
{
	struct lz4 *z = state;
	LZ4F_freeCompressionContext(z->context);
	free(z);
}

/* A piece is small enough for what comes of it to fit in the room, with what was kept back. */
static int lz4_step(void *state, struct pack_step *s)
{
	struct lz4 *z = state;
	size_t length = s->in_left < LZ4_PIECE ? s->in_left : LZ4_PIECE, rc;
	if (!z->begun)
		rc = LZ4F_compressBegin(z->context, s->room, ROOM, NULL);
	else if (length)
		rc = LZ4F_compressUpdate(z->context, s->room, ROOM, s->in, length, NULL);
	else
		rc = s->end == WRITER_MORE ? 0 : LZ4F_compressEnd(z->context, s->room, ROOM, NULL);
	if (LZ4F_isError(rc))
		return -EIO;
	s->packed = rc;
	if (!z->begun)
		return z->begun = true;
	s->in += length;
	s->in_left -= length;
	if (length)
		return 1;
	z->begun = s->end == WRITER_MORE;
	return 0;
}

static const struct pack_row rows[] = {
	[PACK_GZIP] = {".gz", gzip_make, gzip_free, gzip_step},
	[PACK_ZSTD] = {".zst", zstd_make, zstd_free, zstd_step},
	[PACK_LZ4] = {".lz4", lz4_make, lz4_free, lz4_step},
};

const char *const pack_words[] = {"none", "gzip", "zstd", "lz4", NULL};

enum pack_kind pack_by_name(const char *name, const char **ending)
{
	size_t length = strlen(name);
	if (ending)
		*ending = name + length;
	for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++) {
		size_t own = strlen(rows[kind].ending);
		if (length < own || strcasecmp(name + length - own, rows[kind].ending) != 0)
			continue;
		if (ending)
			*ending = name + length - own;
		return (enum pack_kind)kind;
	}
	return PACK_NONE;
}

struct pack *pack_new(enum pack_kind kind)
{
	if (kind == PACK_NONE)
		return NULL;
	struct pack *p = must_calloc(1, sizeof *p);
	p->row = &rows[kind];
	p->state = p->row->make();
	return p;
}

void pack_free(struct pack *p)
{
	if (!p)
		return;
	if (p->state)
		p->row->free(p->state);
	free(p);
}

int pack_filter(void *pack, const void *bytes, size_t length, enum writer_end end,
                int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg)
{
	struct pack *p = pack;
	struct pack_step s = {.in = bytes, .in_left = length, .end = end, .room = p->room};
	int rc = -ENOMEM;
	if (!p->state)
		return rc;
	p->begun |= length > 0;
	bool nothing = end != WRITER_MORE && !p->begun && (end == WRITER_PAUSE || p->whole);
	p->whole = end != WRITER_LAST && (p->whole || (end == WRITER_PAUSE && p->begun));
	p->begun &= end == WRITER_MORE;
	if (nothing)
		return 0;
	do {
		s.packed = 0;
		rc = p->row->step(p->state, &s);
		int written = rc >= 0 && s.packed ? put(put_arg, s.room, s.packed) : 0;
		if (written)
			return written;
	} while (rc > 0);
	return rc;
}
