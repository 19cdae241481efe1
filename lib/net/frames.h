/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages in a stream of bytes: where one ends and the next begins. */
#ifndef NET_FRAMES_H
#define NET_FRAMES_H

#include "base/buf.h"
#include <pipetool/outside.h>

/* A block's parameter, FRAMING_ROW of its table. The rest is for the engine's thread. */
struct framing {
	struct pt_bytes delimiter; /* behind each */
	int64_t length;            /* bytes of a number before each; 0: none */
	int order;                 /* of these bytes */
	uint64_t limit;            /* bytes of the longest */
};

extern const char *const framing_words[], *const framing_meanings[];
extern const struct pt_param framing_params[];

#define FRAMING_ROW(type, field)                                                              \
	{                                                                                     \
		"framing",                                                                    \
			"What is a message in the bytes, both ways: lines, what ends with "   \
			"a delimiter, or what follows its length. none: whatever came at "    \
			"once, and nothing is added.",                                        \
			PT_OBJECT(type, field), .fallback = "none", .choices = framing_words, \
						.meanings = framing_meanings,                 \
						.members = framing_params                     \
	}

int framing_check(const struct framing *, struct pt_error *);
bool framing_is_some(const struct framing *);

/* What was read and is no whole frame yet. Zeroed at first, but for `framing`. */
struct frames {
	const struct framing *framing;
	struct buf bytes;
	size_t at, seen; /* where the next begins, and up to where there is no delimiter */
	uint64_t skip;   /* bytes of one that is too long */
	bool skipping;   /* up to the next delimiter */
};

/* Room for that many bytes, and that so many have come. */
uint8_t *frames_room(struct frames *, size_t length);
void frames_came(struct frames *, size_t length);

/* 1: the next frame, valid until bytes come. 0: there is none yet. -EMSGSIZE: one that is longer
   than the limit began, and is left out; *length says how much is known of it. Where there is no
   framing, all that is there is a frame. */
int frames_next(struct frames *, const uint8_t **bytes, size_t *length);
/* At the end: the rest, which is no frame (false) where its length stood before it. */
bool frames_last(struct frames *, const uint8_t **bytes, size_t *length);

bool frames_are_empty(const struct frames *);
void frames_clear(struct frames *);

/* The messages as they are to be written, one behind the other in memory; takes the references. How
   many are left: the others were dropped and counted. */
unsigned frames_wrap(const struct framing *, struct pt_block *, struct pt_msg **messages,
                     unsigned count);

/* At the end of the daemon, and of each checkpoint where what is read since can be read again; and
   in `start`. Whether the next daemon knows where it stood: else the middle of a frame that is told
   by its length cannot be found. */
void frames_carry(const struct frames *, struct pt_carry *, const char *key, bool exact);
bool frames_carried(struct frames *, struct pt_block *, const char *key);

#endif
