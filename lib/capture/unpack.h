/* SPDX-License-Identifier: BSD-2-Clause */
/* Decompression of streams: gzip, zstd and lz4 behind one face. */
#ifndef CAPTURE_UNPACK_H
#define CAPTURE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNPACK_MAGIC_MAX 6 /* bytes that tell the kinds apart */

/* What is being worked on: the members move forward as bytes are taken and written. */
struct unpack_span {
	const uint8_t *in;
	size_t in_left;
	uint8_t *out;
	size_t out_left;
};

struct unpack_kind {
	const char *name; /* "gzip" */
	bool (*begins)(const uint8_t *bytes, size_t length);
	void *(*make)(void); /* NULL: there is no memory */
	void (*free)(void *);
	/* Unpacks what it can: until the input is used up, the output full, or a member or frame
	   has ended. `whole` is set while the input so far ends with one: an end of file there is
	   no fault. Several behind one another are one stream. NULL, or what is wrong with the
	   input, or unpack_too_large. */
	const char *(*run)(void *, struct unpack_span *, bool *whole);
	/* It may take so much memory (but at least the 128 MiB that the zstd program takes unless
	   told otherwise), if it has taken less so far; NULL: it never takes much. */
	void (*bound)(void *, size_t memory);
};

extern const char unpack_too_large[]; /* it takes more memory than it may */

/* The kind that a file of these first bytes has; NULL: not compressed in a way known here. */
const struct unpack_kind *unpack_kind(const uint8_t *bytes, size_t length);

/* The bytes are too few to tell, and might become one of a kind. */
bool unpack_is_open(const uint8_t *bytes, size_t length);

#endif
