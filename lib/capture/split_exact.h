/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of many values that go on exactly where a checkpoint was. */
#ifndef CAPTURE_SPLIT_EXACT_H
#define CAPTURE_SPLIT_EXACT_H

#include "capture/split.h"

/*
 * A checkpoint has the path of each file, which it is, and how long. The next daemon cuts each to
 * that as it begins, and a value that comes finds its file so; of a value that it does not have,
 * all comes again, and its file is begun anew. Not where files are appended to, compressed, or
 * follow one another: those are gone on with behind what they have.
 */
struct split_value {
	struct capture_writer *w; /* NULL: it failed, or is not open */
	struct split_file file;
	uint64_t hash, failed_ns;
	bool failed, numbered, moved;
	char *path;
	struct capture_misfits misfits; /* told so far */
	/* See split_exact.c. */
	bool is_dirty, is_noting, is_noted;
	struct split_value *next_dirty, *next_noting;
	struct capture_note note;
	size_t length;
	uint8_t key[];
};

void split_exact_dirty(struct split *, struct split_value *); /* something is put into it */
bool split_exact_settle(struct split *, bool begin);
void split_exact_carry(const struct split *, struct pt_carry *);

void split_exact_open(
	struct split *); /* [worker] cuts what a checkpoint has; s->resumed: there was one */
/* Whether that has the value's file, so that it is gone on with. */
bool split_exact_left(struct split *, struct split_value *);
void split_exact_close(struct split *);

#endif
