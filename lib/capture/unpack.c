/* SPDX-License-Identifier: BSD-2-Clause */
/* zlib, libzstd and liblz4 as unpack_kind. */
#include "capture/unpack.h"

#include "base/buf.h"
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_USUAL ((size_t)128 * 1024 * 1024) /* what zstd itself takes unless told otherwise */

const char unpack_too_large[] = "wants more memory than it may have";

static uint32_t little32(const uint8_t *b)
{
	return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

/* ---- gzip ---- */

struct gzip {
	z_stream stream;
	bool ended; /* a member; zeros may follow, or another one */
};

static bool gzip_begins(const uint8_t *b, size_t length)
{
	return length >= 2 && b[0] == 0x1f && b[1] == 0x8b;
}

static void *gzip_make(void)
{
	struct gzip *g = must_calloc(1, sizeof *g);
	if (inflateInit2(&g->stream, 16 + MAX_WBITS) == Z_OK)
		return g;
	free(g);
	return NULL;
}

static void gzip_free(void *state)
{
	struct gzip *g = state;
	inflateEnd(&g->stream);
	free(g);
}

static bool gzip_goes_on(struct gzip *g, struct unpack_span *s)
{
	while (s->in_left && *s->in == 0) {
		s->in++;
		s->in_left--;
	}
	if (!s->in_left)
		return false;
	inflateReset(&g->stream);
	g->ended = false;
	return true;
}

static const char *gzip_run(void *state, struct unpack_span *s, bool *whole)
{
	struct gzip *g = state;
	int rc = Z_OK;
	if (g->ended && !gzip_goes_on(g, s))
		return NULL;
	while (rc == Z_OK && s->out_left && !g->ended) {
		g->stream.next_in = (Bytef *)(uintptr_t)s->in;
		g->stream.avail_in = (uInt)s->in_left;
		g->stream.next_out = s->out;
		g->stream.avail_out = (uInt)s->out_left;
		rc = inflate(&g->stream, Z_NO_FLUSH);
		s->in = g->stream.next_in;
		s->in_left = g->stream.avail_in;
		s->out = g->stream.next_out;
		s->out_left = g->stream.avail_out;
		if (rc == Z_STREAM_END) {
			g->ended = true;
			rc = Z_OK;
		}
	}
	*whole = g->ended;
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return NULL;
	return g->stream.msg ? g->stream.msg : "damaged data";
}

/* ---- zstd ---- */

static bool zstd_begins(const uint8_t *b, size_t length)
{
	return length >= 4 && little32(b) == ZSTD_MAGICNUMBER;
}

struct zstd {
	ZSTD_DStream *stream;
	size_t memory;
	uint64_t unpacked; /* of this frame */
};

/* The greatest window is of 2 GiB (zstd --long=31), and only what was unpacked so far lies in
   it. */
static void *zstd_make(void)
{
	struct zstd *z = must_calloc(1, sizeof *z);
	z->stream = ZSTD_createDStream();
	if (!z->stream) {
		free(z);
		return NULL;
	}
	ZSTD_DCtx_setParameter(z->stream, ZSTD_d_windowLogMax, sizeof(size_t) == 4 ? 30 : 31);
	z->memory = SIZE_MAX;
	return z;
}

static void zstd_bound(void *state, size_t memory)
{
	struct zstd *z = state;
	z->memory = memory < WINDOW_USUAL ? WINDOW_USUAL : memory;
}

static void zstd_free(void *state)
{
	struct zstd *z = state;
	ZSTD_freeDStream(z->stream);
	free(z);
}

static const char *zstd_fault(size_t rc)
{
	int code = (int)ZSTD_getErrorCode(rc);
	bool large = code == ZSTD_error_frameParameter_windowTooLarge ||
	             code == ZSTD_error_memory_allocation;
	return large ? unpack_too_large : ZSTD_getErrorName(rc);
}

static const char *zstd_run(void *state, struct unpack_span *s, bool *whole)
{
	struct zstd *z = state;
	ZSTD_inBuffer in = {s->in, s->in_left, 0};
	ZSTD_outBuffer out = {s->out, s->out_left, 0};
	const char *fault = NULL;
	size_t rc = 1, before;
	do {
		before = in.pos + out.pos;
		rc = ZSTD_decompressStream(z->stream, &out, &in);
		if (ZSTD_isError(rc))
			fault = zstd_fault(rc);
		else if (in.pos + out.pos > before)
			*whole = rc == 0;
	} while (!fault && rc && in.pos + out.pos > before && in.pos < in.size &&
	         out.pos < out.size);
	s->in += in.pos;
	s->in_left -= in.pos;
	s->out += out.pos;
	s->out_left -= out.pos;
	z->unpacked = rc ? z->unpacked + out.pos : 0;
	if (!fault && z->unpacked > z->memory && ZSTD_sizeof_DStream(z->stream) > z->memory)
		fault = unpack_too_large;
	return fault;
}

/* ---- lz4 ---- */

static bool lz4_begins(const uint8_t *b, size_t length)
{
	return length >= 4 && little32(b) == 0x184d2204;
}

static void *lz4_make(void)
{
	LZ4F_dctx *d;
	return LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)) ? NULL : d;
}

static void lz4_free(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

static const char *lz4_run(void *state, struct unpack_span *s, bool *whole)
{
	size_t moved;
	do {
		size_t in = s->in_left, out = s->out_left;
		size_t rc = LZ4F_decompress(state, s->out, &out, s->in, &in, NULL);
		if (LZ4F_isError(rc))
			return LZ4F_getErrorName(rc);
		moved = in + out;
		s->in += in;
		s->in_left -= in;
		s->out += out;
		s->out_left -= out;
		if (moved)
			*whole = rc == 0;
		if (!rc)
			break;
	} while (moved && s->in_left && s->out_left);
	return NULL;
}

/* ---- frames to be skipped, which zstd and lz4 have in common: what follows tells which it is
   ---- */

#define SKIP_HEAD 8

struct skipping {
	uint8_t head[SKIP_HEAD];
	size_t have;
	uint32_t left; /* of the frame */
	const struct unpack_kind *kind;
	void *state;
	size_t memory;
};

static bool skip_begins(const uint8_t *b, size_t length)
{
	return length >= 4 &&
	       (little32(b) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

static void *skip_make(void)
{
	return must_calloc(1, sizeof(struct skipping));
}

static void skip_free(void *state)
{
	struct skipping *k = state;
	if (k->kind)
		k->kind->free(k->state);
	free(k);
}

/* The next byte of a frame's head, or as much as there is of its body. */
static void skip_some(struct skipping *k, struct unpack_span *s)
{
	size_t length = 1;
	if (k->left) {
		length = k->left < s->in_left ? k->left : s->in_left;
		k->left -= (uint32_t)length;
	} else {
		k->head[k->have++] = *s->in;
	}
	s->in += length;
	s->in_left -= length;
}

static const char *go_over(struct skipping *k, bool *whole)
{
	uint8_t none;
	struct unpack_span head = {k->head, k->have, &none, 0}; /* of which nothing comes yet */
	k->kind = unpack_kind(k->head, k->have);
	if (!k->kind)
		return "no frame of zstd or lz4";
	k->state = k->kind->make();
	if (!k->state) {
		k->kind = NULL;
		return "there is no memory for it";
	}
	if (k->kind->bound && k->memory)
		k->kind->bound(k->state, k->memory);
	/* cppcheck-suppress returnDanglingLifetime ; the words are constant, and nothing of `head`
	   */
	return k->kind->run(k->state, &head, whole);
}

static void skip_bound(void *state, size_t memory)
{
	struct skipping *k = state;
	k->memory = memory;
	if (k->kind && k->kind->bound)
		k->kind->bound(k->state, memory);
}

static const char *skip_run(void *state, struct unpack_span *s, bool *whole)
{
	struct skipping *k = state;
	const char *fault = NULL;
	while (!fault && !k->kind && s->in_left) {
		skip_some(k, s);
		*whole = !k->left && !k->have;
		if (k->have == SKIP_HEAD) {
			k->left = little32(k->head + 4);
			k->have = 0;
			*whole = !k->left;
		} else if (k->have == 4 && !skip_begins(k->head, k->have)) {
			fault = go_over(k, whole);
		}
	}
	return fault || !k->kind ? fault : k->kind->run(k->state, s, whole);
}

static const struct unpack_kind kinds[] = {
	{"gzip", gzip_begins, gzip_make, gzip_free, gzip_run, NULL},
	{"zstd", zstd_begins, zstd_make, zstd_free, zstd_run, zstd_bound},
	{"lz4", lz4_begins, lz4_make, lz4_free, lz4_run, NULL},
	{"zstd or lz4", skip_begins, skip_make, skip_free, skip_run, skip_bound},
};

const struct unpack_kind *unpack_kind(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].begins(bytes, length))
			return &kinds[i];
	return NULL;
}

bool unpack_is_open(const uint8_t *bytes, size_t length)
{
	static const uint8_t magics[][2] = {{0x1f, 0x8b}, {0x28, 0xb5}, {0x04, 0x22}, {0x50, 0x2a}};
	for (size_t i = 0; i < sizeof magics / sizeof *magics && length && length < 4; i++) {
		uint8_t first = i == 3 ? bytes[0] & 0xf0 : bytes[0];
		if (first == magics[i][0] && (length == 1 || bytes[1] == magics[i][1]))
			return true;
	}
	return !length;
}
