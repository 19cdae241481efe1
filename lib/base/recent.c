/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries are an array, places are open addressing over them, and a log says in which order they
   were seen: whoever is seen touches no neighbour. */
#include "base/recent.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LEAST = 64, LEAST_BITS = 4, MOST_BITS = 27 };

struct entry {
	uint32_t tag;
	uint8_t key[]; /* then the value */
};

/* Of the places in so many lines. */
static uint32_t half_of(unsigned bits)
{
	return RECENT_LINE / 2 << bits;
}

static size_t padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static size_t value_at(size_t key_size)
{
	return padded(sizeof(struct entry) + key_size);
}

static size_t size_of(size_t key_size, size_t value_size)
{
	return value_at(key_size) + padded(value_size);
}

/* At most half of the places are taken; the log is as long as they are many. */
size_t recent_fit(size_t key_size, size_t value_size, uint64_t bytes)
{
	const uint64_t each = size_of(key_size, value_size) + sizeof(uint32_t),
		       line = sizeof(struct recent_line) + RECENT_LINE * sizeof(uint32_t);
	uint64_t fit = LEAST;
	for (unsigned bits = LEAST_BITS; bits <= MOST_BITS && line << bits < bytes; bits++) {
		uint64_t most = (bytes - (line << bits)) / each, half = half_of(bits);
		most = most < half ? most : half;
		fit = most > fit ? most : fit;
	}
	return (size_t)fit;
}

static void set_secret(struct recent *r, uint64_t secret)
{
	r->secret = secret;
	nh_init(&r->nh, secret);
}

void recent_init(struct recent *r, size_t key_size, size_t value_size, size_t most)
{
	*r = (struct recent){
		.key_size = key_size, .value_size = value_size, .most = (uint32_t)most};
	r->entry_size = size_of(key_size, value_size);
	uint64_t secret;
	if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) < 0)
		secret = (uintptr_t)r;
	set_secret(r, secret | 1);
}

void recent_free(struct recent *r)
{
	free(r->memory);
	free(r->lines);
	free(r->log);
	free(r->seen);
	r->memory = r->entries = NULL;
	r->lines = NULL;
	r->log = r->seen = NULL;
}

void recent_clear(struct recent *r)
{
	recent_free(r);
	r->used = r->room = r->bits = 0;
	r->oldest = r->newest = 0;
	r->shortens = false;
	r->evicted = 0;
}

static struct entry *entry_of(const struct recent *r, uint32_t number)
{
	return (struct entry *)(r->entries + (number - 1) * r->entry_size);
}

static void *value_of(const struct recent *r, struct entry *e)
{
	return (uint8_t *)e + value_at(r->key_size);
}

uint64_t recent_hash(const struct recent *r, const void *key)
{
	return nh_hash(&r->nh, key, r->key_size);
}

/* ---- places ---- */

/* Multiply-shift by an odd secret (Dietzfelbinger et al., 1997): two hashes that differ meet as
   rarely as if by chance, whoever chose them. Never 0. */
static uint32_t tag_of(const struct recent *r, uint64_t hash)
{
	return (uint32_t)((hash * r->secret) >> 32) | 1;
}

/* The line in which a key would best be. */
static uint32_t home(const struct recent *r, uint32_t tag)
{
	return tag >> (32 - r->bits);
}

static uint32_t mask(const struct recent *r)
{
	return (1u << r->bits) - 1;
}

/* Which of the line's eight numbers are this one, bit by bit: without a branch that depends on
   it. */
static inline unsigned which(const uint32_t *line, uint32_t number)
{
#ifdef __SSE2__
	const __m128i *half = (const __m128i *)line, wanted = _mm_set1_epi32((int)number);
	__m128i low = _mm_cmpeq_epi32(_mm_loadu_si128(half), wanted),
		high = _mm_cmpeq_epi32(_mm_loadu_si128(half + 1), wanted);
	__m128i all = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
	return (unsigned)_mm_movemask_epi8(all);
#else
	unsigned found = 0;
	for (unsigned i = 0; i < RECENT_LINE; i++)
		found |= (unsigned)(line[i] == number) << i;
	return found;
#endif
}

/* Those in use come first. */
static unsigned used_of(const struct recent_line *line)
{
	return (unsigned)__builtin_ctz(which(line->tags, 0) | 1u << RECENT_LINE);
}

static bool is_full(const struct recent_line *line)
{
	return line->tags[RECENT_LINE - 1];
}

static bool is_same_word(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y;
}

/* Word by word; the last one overlaps. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t size)
{
	size_t at = 0;
	for (; at + 8 < size; at += 8)
		if (!is_same_word(a + at, b + at))
			return false;
	if (size >= 8)
		return is_same_word(a + size - 8, b + size - 8);
	while (at < size && a[at] == b[at])
		at++;
	return at == size;
}

/* The number of the key's entry; 0: it is not there. A key lies behind its line only where that is
   full, and so are those between. */
static uint32_t seek(const struct recent *r, uint32_t tag, const void *key)
{
	for (uint32_t at = home(r, tag);; at = (at + 1) & mask(r)) {
		const struct recent_line *line = &r->lines[at];
		for (unsigned found = which(line->tags, tag); found; found &= found - 1) {
			uint32_t number = line->entries[__builtin_ctz(found)];
			if (is_same(entry_of(r, number)->key, key, r->key_size))
				return number;
		}
		if (!is_full(line))
			return 0;
	}
}

/* The place of an entry that has one, in its line. */
static uint32_t *place_of(const struct recent *r, uint32_t number, uint32_t *line)
{
	*line = home(r, entry_of(r, number)->tag);
	for (;; *line = (*line + 1) & mask(r)) {
		unsigned found = which(r->lines[*line].entries, number);
		if (found)
			return &r->lines[*line].entries[__builtin_ctz(found)];
	}
}

static void occupy(struct recent *r, uint32_t tag, uint32_t number)
{
	uint32_t at = home(r, tag);
	while (is_full(&r->lines[at]))
		at = (at + 1) & mask(r);
	struct recent_line *line = &r->lines[at];
	unsigned place = used_of(line);
	line->tags[place] = tag;
	line->entries[place] = number;
}

/* The first in `from` that may be in the line `to`, before it; or RECENT_LINE. */
static unsigned who_may_move(const struct recent *r, uint32_t from, uint32_t to)
{
	unsigned i = 0;
	for (; i < RECENT_LINE && r->lines[from].tags[i]; i++)
		if (((from - home(r, r->lines[from].tags[i])) & mask(r)) >= ((from - to) & mask(r)))
			return i;
	return RECENT_LINE;
}

/* The last one of the line moves up; where it was full, one that lies behind it for that. */
static void vacate(struct recent *r, uint32_t at, unsigned place)
{
	for (;;) {
		struct recent_line *line = &r->lines[at];
		unsigned last = used_of(line) - 1, mover = RECENT_LINE;
		line->tags[place] = line->tags[last];
		line->entries[place] = line->entries[last];
		line->tags[last] = line->entries[last] = 0;
		if (last + 1 < RECENT_LINE)
			return;
		uint32_t behind = at;
		do
			behind = (behind + 1) & mask(r);
		while ((mover = who_may_move(r, behind, at)) == RECENT_LINE &&
		       is_full(&r->lines[behind]));
		if (mover == RECENT_LINE)
			return;
		line->tags[last] = r->lines[behind].tags[mover];
		line->entries[last] = r->lines[behind].entries[mover];
		at = behind;
		place = mover;
	}
}

static void vacate_entry(struct recent *r, uint32_t number)
{
	uint32_t line;
	const uint32_t *place = place_of(r, number, &line);
	vacate(r, line, (unsigned)(place - r->lines[line].entries));
}

/* ---- age ---- */

/* A record counts if its entry was not seen behind it. */
static uint32_t *record(const struct recent *r, uint32_t at)
{
	return &r->log[at & (2 * half_of(r->bits) - 1)];
}

static bool counts(const struct recent *r, uint32_t at)
{
	return r->seen[*record(r, at) - 1] == at;
}

/* What a record some way further is of is fetched, while there is one. */
static void expect_record(const struct recent *r)
{
	enum { AHEAD = 32 };
	if (r->from - r->oldest > AHEAD)
		__builtin_prefetch(&r->seen[*record(r, r->from - AHEAD) - 1], 1);
}

/* A few records further towards the oldest: those that count move up, over those that do not. It
   begins where a sixteenth of the log is left, and ends before that is used up; half of it at most
   counts. */
static void shorten(struct recent *r)
{
	enum { STEPS = 16 };
	if (!r->shortens) {
		if (r->newest - r->oldest < 2 * half_of(r->bits) / 16 * 15)
			return;
		r->shortens = true;
		r->from = r->to = r->newest;
	}
	for (unsigned i = 0; i < STEPS && r->from != r->oldest; i++) {
		expect_record(r);
		uint32_t number = *record(r, --r->from);
		bool does = r->seen[number - 1] == r->from;
		r->to -= does;
		*(does ? record(r, r->to) : record(r, r->from)) = number;
		r->seen[number - 1] = does ? r->to : r->seen[number - 1];
	}
	if (r->from == r->oldest) {
		r->oldest = r->to;
		r->shortens = false;
	}
}

static void note_seen(struct recent *r, uint32_t number)
{
	*record(r, r->newest) = number;
	r->seen[number - 1] = r->newest++;
	shorten(r);
}

/* The table is not empty. */
static uint32_t oldest(struct recent *r)
{
	while (!counts(r, r->oldest)) {
		r->oldest++;
		if (r->shortens && r->oldest == r->from) {
			r->oldest = r->to;
			r->shortens = false;
		}
	}
	return *record(r, r->oldest);
}

static uint32_t evict_oldest(struct recent *r)
{
	uint32_t number = oldest(r);
	vacate_entry(r, number);
	r->seen[number - 1] = r->oldest - 1;
	return number;
}

/* ---- room ---- */

/* Entries begin where a line of memory does, so that fewer lie in two. Large pieces of memory grow
   without a copy, and stay as far from there as they were. */
static bool grow_entries(struct recent *r, uint32_t room)
{
	enum { LINE = 64 };
	size_t skipped = r->entries ? (size_t)(r->entries - r->memory) : 0;
	uint32_t *seen = realloc(r->seen, room * sizeof *seen);
	if (seen)
		r->seen = seen;
	uint8_t *memory = realloc(r->memory, room * r->entry_size + LINE);
	if (!memory)
		return false;
	size_t skip = -(uintptr_t)memory & (LINE - 1);
	if (skip != skipped && r->used)
		memmove(memory + skip, memory + skipped, r->used * r->entry_size);
	r->memory = memory;
	r->entries = memory + skip;
	return seen;
}

/* In the order in which they lie, which hardly changes. */
static void spread(struct recent *to, const struct recent *from)
{
	memset(to->lines, 0, sizeof *to->lines << to->bits);
	for (uint32_t at = 0; from->lines && at <= mask(from); at++)
		for (unsigned i = 0; i < used_of(&from->lines[at]); i++)
			occupy(to, from->lines[at].tags[i], from->lines[at].entries[i]);
}

static void write_log(struct recent *to, const struct recent *from)
{
	for (uint32_t at = from->oldest; at != from->newest; at++) {
		uint32_t number = *record(from, at);
		if (!counts(from, at))
			continue;
		*record(to, to->newest) = number;
		to->seen[number - 1] = to->newest++;
	}
}

static bool grow(struct recent *r)
{
	struct recent was = *r;
	unsigned bits = !r->lines ? LEAST_BITS : r->bits + (r->room == half_of(r->bits));
	uint32_t room = r->most < half_of(bits) ? r->most : half_of(bits);
	uint32_t *log = malloc(2 * half_of(bits) * sizeof *log);
	struct recent_line *lines = aligned_alloc(sizeof *lines, sizeof *lines << bits);
	if (!log || !lines || !grow_entries(r, room)) {
		free(log);
		free(lines);
		return false;
	}
	r->lines = lines;
	r->log = log;
	r->bits = bits;
	r->room = room;
	r->oldest = r->newest = 0;
	r->shortens = false;
	spread(r, &was);
	was.seen = r->seen;
	write_log(r, &was);
	free(was.lines);
	free(was.log);
	return true;
}

/* The number of an entry to be filled; 0: there is none. */
static uint32_t take_entry(struct recent *r)
{
	if (r->used < r->most && (r->used < r->room || grow(r)))
		return ++r->used;
	r->evicted += r->used > 0;
	return r->used ? evict_oldest(r) : 0;
}

static uint32_t add(struct recent *r, uint32_t tag, const void *key)
{
	uint32_t number = take_entry(r);
	if (!number)
		return 0;
	struct entry *e = entry_of(r, number);
	memset(e, 0, r->entry_size);
	e->tag = tag;
	memcpy(e->key, key, r->key_size);
	occupy(r, tag, number);
	note_seen(r, number);
	return number;
}

void *recent_at(struct recent *r, uint64_t hash, const void *key, bool *fresh)
{
	uint32_t tag = tag_of(r, hash);
	uint32_t found = r->lines ? seek(r, tag, key) : 0;
	uint32_t number = found ? found : add(r, tag, key);
	if (found && r->seen[found - 1] != r->newest - 1)
		note_seen(r, found);
	if (fresh)
		*fresh = !found;
	return number ? value_of(r, entry_of(r, number)) : NULL;
}

void *recent_find(const struct recent *r, uint64_t hash, const void *key)
{
	uint32_t number = r->lines ? seek(r, tag_of(r, hash), key) : 0;
	return number ? value_of(r, entry_of(r, number)) : NULL;
}

/* ---- all of it ---- */

static struct entry *with_key(const void *key)
{
	return (struct entry *)((uintptr_t)key - offsetof(struct entry, key));
}

static uint32_t number_of(const struct recent *r, const void *key)
{
	return (uint32_t)(((uint8_t *)with_key(key) - r->entries) / (ptrdiff_t)r->entry_size) + 1;
}

const void *recent_next(const struct recent *r, const void *key)
{
	uint32_t at = key ? r->seen[number_of(r, key) - 1] : r->newest;
	while (at != r->oldest)
		if (counts(r, --at))
			return entry_of(r, *record(r, at))->key;
	return NULL;
}

const void *recent_each(const struct recent *r, const void *key)
{
	if (!r->used)
		return NULL;
	if (!key)
		return entry_of(r, 1)->key;
	const struct entry *next =
		(const struct entry *)((const uint8_t *)with_key(key) + r->entry_size);
	return (const uint8_t *)next < r->entries + r->used * r->entry_size ? next->key : NULL;
}

const void *recent_oldest(struct recent *r)
{
	return r->used ? entry_of(r, oldest(r))->key : NULL;
}

void *recent_value(const struct recent *r, const void *key)
{
	return value_of(r, with_key(key));
}

/* The last entry moves to the place of the one that goes. */
void recent_drop_oldest(struct recent *r)
{
	uint32_t line, number = evict_oldest(r), last = r->used--;
	if (number == last)
		return;
	*place_of(r, last, &line) = number;
	memcpy(entry_of(r, number), entry_of(r, last), r->entry_size);
	*record(r, r->seen[last - 1]) = number;
	r->seen[number - 1] = r->seen[last - 1];
}

void recent_bound(struct recent *r, size_t most)
{
	r->most = (uint32_t)most;
	for (; r->used > r->most; r->evicted++)
		recent_drop_oldest(r);
}

/* ---- as bytes ---- */

/* Then for each key, from the oldest on, its tag, itself and its value. */
struct packed {
	uint32_t version, used;
	uint64_t key_size, value_size;
	uint64_t secret, evicted;
};

enum { PACKED_VERSION = 2 }; /* 1 had tags that were even, too */

void recent_pack(const struct recent *r, struct buf *out)
{
	const struct packed head = {PACKED_VERSION, r->used,   r->key_size,
	                            r->value_size,  r->secret, r->evicted};
	buf_add(out, &head, sizeof head);
	for (uint32_t at = r->oldest; at != r->newest; at++) {
		struct entry *e = entry_of(r, *record(r, at));
		if (!counts(r, at))
			continue;
		buf_add(out, &e->tag, sizeof e->tag);
		buf_add(out, e->key, r->key_size);
		buf_add(out, value_of(r, e), r->value_size);
	}
}

bool recent_unpack(struct recent *r, const void *bytes, size_t length)
{
	size_t each = sizeof(uint32_t) + r->key_size + r->value_size;
	const uint8_t *at = bytes;
	struct packed head;

	if (length < sizeof head)
		return false;
	memcpy(&head, at, sizeof head);
	if (head.version != PACKED_VERSION || head.key_size != r->key_size ||
	    head.value_size != r->value_size || !(head.secret & 1) ||
	    length != sizeof head + head.used * each)
		return false;
	set_secret(r, head.secret);
	at += sizeof head;
	for (uint32_t i = 0; i < head.used; i++, at += each) {
		uint32_t tag;
		memcpy(&tag, at, sizeof tag);
		uint32_t number = add(r, tag, at + sizeof tag);
		if (number)
			memcpy(value_of(r, entry_of(r, number)), at + sizeof tag + r->key_size,
			       r->value_size);
	}
	r->evicted += head.evicted;
	return true;
}

/* ---- memory that is far ---- */

/* Read, not prefetched: that, of a page that is far, too, is left undone. */
static inline void touch(const void *memory)
{
	(void)*(const volatile uint8_t *)memory;
}

/* Those that have to go for the next keys, and those that have to behind them: of which one was
   seen behind the other mostly lie so. */
static void expect_oldest(const struct recent *r, unsigned count)
{
	uint32_t left = r->newest - r->oldest;
	for (unsigned i = 0; i < count && i < left; i++)
		touch(&r->lines[home(r, entry_of(r, *record(r, r->oldest + i))->tag)]);
	for (unsigned i = count; i < 2 * count && i < left; i++) {
		uint32_t number = *record(r, r->oldest + i);
		__builtin_prefetch(entry_of(r, number), 1);
		__builtin_prefetch(&r->seen[number - 1], 1);
	}
}

/* Each step is done for all before the next, so that their memory is waited for at once. */
void recent_expect(const struct recent *r, const uint64_t *hashes, unsigned count)
{
	if (r->bits < 8)
		return;
	for (unsigned i = 0; i < count; i++)
		touch(&r->lines[home(r, tag_of(r, hashes[i]))]);
	if (r->used == r->most)
		expect_oldest(r, count);
	for (unsigned i = 0; i < count; i++) {
		uint32_t tag = tag_of(r, hashes[i]);
		const struct recent_line *line = &r->lines[home(r, tag)];
		unsigned found = which(line->tags, tag);
		uint32_t number = found ? line->entries[__builtin_ctz(found)] : 1;
		touch(entry_of(r, number));
		touch(&r->seen[number - 1]);
	}
}
