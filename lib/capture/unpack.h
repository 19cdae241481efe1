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
	/* Unpacks what it can: until the input is used up or the output full. `whole` is set while
	   the input so far ends with a whole member or frame: an end of file there is no fault.
	   Several behind one another are one stream. NULL, or what is wrong with the input. */
	const char *(*run)(void *, struct unpack_span *, bool *whole);
};

/* The kind that a file of these first bytes has; NULL: not compressed in a way known here. */
const struct unpack_kind *unpack_kind(const uint8_t *bytes, size_t length);

#endif
