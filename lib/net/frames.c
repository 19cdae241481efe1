/* SPDX-License-Identifier: BSD-2-Clause */
/* Delimiters and lengths, found and added. */
#include "net/frames.h"

#include "msg/pool.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/types.h>

enum { BIG, LITTLE };

static const char *const orders[] = {"big", "little", NULL};

const char *const framing_words[] = {"none", "lines", NULL};
const char *const framing_meanings[] = {"{}", "{\"delimiter\": \"\\n\"}", NULL};

const struct pt_param framing_params[] = {
	{"delimiter", "The bytes that end each message.", PT_BYTES(struct framing, delimiter),
         "None"},
	{"length", "How many bytes of its length stand before each message: 1, 2 or 4.",
         PT_INT(struct framing, length), "None", .min = 1, .max = 4},
	{"order", "Which of these bytes comes first.", PT_CHOICE(struct framing, order), "big",
         .choices = orders},
	{"limit", "The longest message: a longer one is left out, and counted.",
         PT_SIZE(struct framing, limit), "1MiB", .min = 1, .max = 1073741824},
	{NULL},
};

bool framing_is_some(const struct framing *f)
{
	return f && (f->delimiter.data || f->length);
}

int framing_check(const struct framing *f, struct pt_error *err)
{
	if (f->delimiter.data && f->length)
		return pt_fail(err, -EINVAL, "framing",
		               "a message has a delimiter or a length; leave out one of the two");
	if (f->delimiter.data && !f->delimiter.length)
		return pt_fail(err, -EINVAL, "framing.delimiter", "'delimiter' cannot be empty");
	if (f->length == 3)
		return pt_fail(err, -EINVAL, "framing.length", "'length' must be 1, 2 or 4, not 3");
	return 0;
}

/* ---- what comes ---- */

uint8_t *frames_room(struct frames *f, size_t length)
{
	buf_consume(&f->bytes, f->at);
	f->seen -= f->seen < f->at ? f->seen : f->at;
	f->at = 0;
	return (uint8_t *)buf_reserve(&f->bytes, length);
}

void frames_came(struct frames *f, size_t length)
{
	f->bytes.length += length;
	f->bytes.data[f->bytes.length] = 0;
}

static size_t waiting(const struct frames *f)
{
	return f->bytes.length - f->at;
}

static const uint8_t *begin_of(const struct frames *f)
{
	return (const uint8_t *)f->bytes.data + f->at;
}

static void take(struct frames *f, size_t length)
{
	f->at += length;
	f->seen = f->at;
}

/* Bytes up to the next delimiter, or -1. */
static ssize_t find_delimiter(struct frames *f)
{
	const struct pt_bytes *d = &f->framing->delimiter;
	const char *data = f->bytes.data;
	size_t from = f->seen > f->at ? f->seen : f->at;
	const char *found = memmem(data + from, f->bytes.length - from, d->data, d->length);
	if (found)
		return found - data - (ssize_t)f->at;
	size_t tail = d->length - 1;
	f->seen = f->bytes.length > f->at + tail ? f->bytes.length - tail : f->at;
	return -1;
}

/* Of one that is too long: its delimiter may have come in part. */
static int skip_to_delimiter(struct frames *f)
{
	size_t whole = waiting(f), tail = f->framing->delimiter.length - 1;
	f->skipping = true;
	take(f, whole > tail ? whole - tail : 0);
	return 0;
}

static int next_delimited(struct frames *f, const uint8_t **bytes, size_t *length)
{
	ssize_t found = find_delimiter(f);
	if (found < 0 && f->skipping)
		return skip_to_delimiter(f);
	size_t tail = f->framing->delimiter.length - 1, known = waiting(f);
	*bytes = begin_of(f);
	*length = found >= 0 ? (size_t)found : known > tail ? known - tail : 0;
	bool too_long = *length > f->framing->limit && !f->skipping;
	if (found < 0 && !too_long)
		return 0;
	if (found < 0) {
		skip_to_delimiter(f);
		return -EMSGSIZE;
	}
	take(f, *length + f->framing->delimiter.length);
	if (f->skipping) {
		f->skipping = false;
		return next_delimited(f, bytes, length);
	}
	return too_long ? -EMSGSIZE : 1;
}

static uint64_t number_at(const struct framing *f, const uint8_t *bytes)
{
	uint64_t n = 0;
	for (int64_t i = 0; i < f->length; i++)
		n = n << 8 | bytes[f->order == BIG ? i : f->length - 1 - i];
	return n;
}

static void skip(struct frames *f)
{
	size_t now = f->skip < waiting(f) ? (size_t)f->skip : waiting(f);
	f->skip -= now;
	take(f, now);
}

static int next_measured(struct frames *f, const uint8_t **bytes, size_t *length)
{
	size_t before = (size_t)f->framing->length;
	skip(f);
	if (waiting(f) < before)
		return 0;
	uint64_t wanted = number_at(f->framing, begin_of(f));
	*length = (size_t)wanted;
	if (wanted > f->framing->limit) {
		f->skip = before + wanted;
		skip(f);
		return -EMSGSIZE;
	}
	if (waiting(f) < before + wanted)
		return 0;
	*bytes = begin_of(f) + before;
	take(f, before + *length);
	return 1;
}

int frames_next(struct frames *f, const uint8_t **bytes, size_t *length)
{
	if (!waiting(f))
		return 0;
	if (f->framing->delimiter.data)
		return next_delimited(f, bytes, length);
	if (f->framing->length)
		return next_measured(f, bytes, length);
	*bytes = begin_of(f);
	*length = waiting(f);
	take(f, *length);
	return 1;
}

bool frames_last(struct frames *f, const uint8_t **bytes, size_t *length)
{
	bool whole = !f->framing->length;
	*length = f->skipping ? 0 : waiting(f);
	if (*length)
		*bytes = begin_of(f);
	frames_clear(f);
	return whole && *length;
}

bool frames_are_empty(const struct frames *f)
{
	return !waiting(f) && !f->skip && !f->skipping;
}

void frames_clear(struct frames *f)
{
	f->at = f->seen = f->bytes.length;
	f->skip = 0;
	f->skipping = false;
}

/* ---- what goes ---- */

static void put_number(const struct framing *f, uint64_t n, uint8_t *bytes)
{
	for (int64_t i = 0; i < f->length; i++, n >>= 8)
		bytes[f->order == BIG ? f->length - 1 - i : i] = (uint8_t)n;
}

static uint64_t longest(const struct framing *f)
{
	uint64_t most = f->length ? (UINT64_C(1) << (8 * f->length)) - 1 : UINT64_MAX;
	return most < f->limit ? most : f->limit;
}

static bool is_too_long(const struct framing *f, struct pt_block *b, struct pt_msg *m)
{
	if (m->length <= longest(f))
		return false;
	pt_report(b, -EMSGSIZE,
	          "a message of %u bytes is longer than the %" PRIu64 " that may be sent",
	          m->length, longest(f));
	pt_drop(b, m, "too-long");
	return true;
}

static size_t size_with(const struct framing *f, const struct pt_msg *m)
{
	return (size_t)f->length + m->length + f->delimiter.length;
}

static void put_frame(const struct framing *f, const struct pt_msg *m, uint8_t *bytes)
{
	put_number(f, m->length, bytes);
	bytes = (uint8_t *)memcpy(bytes + f->length, m->bytes, m->length) + m->length;
	if (f->delimiter.length)
		memcpy(bytes, f->delimiter.data, f->delimiter.length);
}

/* All of them, or where there is no memory for that, none. */
static bool wrap_together(const struct framing *f, struct pt_pool *pool, struct pt_msg **messages,
                          unsigned count)
{
	size_t size = 0;
	for (unsigned i = 0; i < count; i++)
		size += size_with(f, messages[i]);
	struct pt_chunk *chunk = chunk_new(pool, size);
	if (!chunk)
		return false;
	chunk_goes_together(chunk);
	uint8_t *at = chunk_bytes(chunk);
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *m = messages[i];
		put_frame(f, m, at);
		messages[i] = msg_cut(pool, chunk, at, size_with(f, m));
		at += messages[i]->length;
		pt_msg_unref(m);
	}
	chunk_unref(chunk);
	return true;
}

unsigned frames_wrap(const struct framing *f, struct pt_block *b, struct pt_msg **messages,
                     unsigned count)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < count; i++)
		if (!is_too_long(f, b, messages[i]))
			messages[kept++] = messages[i];
	if (!kept || wrap_together(f, pt_pool(b), messages, kept))
		return kept;
	count = kept;
	kept = 0;
	for (unsigned i = 0; i < count; i++)
		if (wrap_together(f, pt_pool(b), &messages[i], 1))
			messages[kept++] = messages[i];
		else
			pt_drop(b, messages[i], "memory");
	return kept;
}

/* ---- handing over ---- */

struct half {
	uint64_t skip;
	uint8_t skipping;
};

void frames_carry(const struct frames *f, struct pt_carry *carry, const char *key, bool exact)
{
	struct buf all = BUF_INIT;
	const struct half half = {f->skip, f->skipping};
	if (!framing_is_some(f->framing) || pt_carry_to(carry) == PT_TO_SUCCESSOR ||
	    (pt_carry_to(carry) == PT_FOR_RESTART && !exact))
		return;
	buf_add(&all, &half, sizeof half);
	if (waiting(f))
		buf_add(&all, begin_of(f), waiting(f));
	pt_carry_bytes(carry, key, all.data, all.length);
	buf_free(&all);
}

bool frames_carried(struct frames *f, struct pt_block *b, const char *key)
{
	size_t length;
	struct half half;
	const uint8_t *bytes = pt_carried_bytes(b, key, &length);
	if (!bytes || length < sizeof half)
		return !f->framing->length;
	memcpy(&half, bytes, sizeof half);
	f->skip = half.skip;
	f->skipping = half.skipping;
	memcpy(frames_room(f, length), bytes + sizeof half, length - sizeof half);
	frames_came(f, length - sizeof half);
	return true;
}
