/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of many values that go on exactly where a checkpoint was. */
#ifndef CAPTURE_SPLIT_EXACT_H
#define CAPTURE_SPLIT_EXACT_H

#include "capture/split.h"

/*
 * A checkpoint has the path of each file, which it is, how long, and what its compressor held. The
 * next daemon cuts each to that as it begins, and a value that comes finds its file so; where files
 * follow one another it begins the next. Of a value that the checkpoint does not have, all comes
 * again, and its file is begun anew; but one that is appended to, or is the next, stays, so that
 * this stands twice in them.
 */
struct split_value {
	struct split_file file;
	uint64_t failed_ns;
	/* See split_exact.c. */
	struct split_value *next_dirty, *next_noting;
	struct capture_note note;
	const void *tail; /* of the note, the writer's */
	/* Last, and together, is what each message that comes needs. */
	char *path;
	struct capture_misfits misfits; /* told so far */
	bool failed, numbered, moved;
	bool is_dirty, is_noting, is_noted;
	struct capture_writer *w; /* NULL: it failed, or is not open */
	uint64_t hash;
	size_t length;
	uint8_t key[];
};

void split_exact_dirty(struct split *, struct split_value *);  /* something is put into it */
void split_exact_closed(struct split *, struct split_value *); /* it has no writer any more */
bool split_exact_settle(struct split *, bool begin);
void split_exact_carry(const struct split *, struct pt_carry *);

void split_exact_open(
	struct split *); /* [worker] cuts what a checkpoint has; s->resumed: there was one */
/* Whether that has the value's file, so that it is gone on with. */
bool split_exact_left(struct split *, struct split_value *);
void split_exact_close(struct split *);

#endif
