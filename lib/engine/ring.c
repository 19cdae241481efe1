/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of records behind one page that says where they begin and end. */
#include "engine/ring.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/sum.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "pt-ring", and the version. */
#define MAGIC    (UINT64_C(0x00676e69722d7470) | (uint64_t)RING_VERSION << 56)
#define PAGE     4096
#define FIRST    ((size_t)256 * 1024)
#define KEPT     ((size_t)1024 * 1024) /* of one that is empty: a vector fits */
#define MOST     ((size_t)1 << 36)
#define ALIGN(n) (((n) + 7) & ~(size_t)7)

/* Shared. head and tail only grow; their places in the ring are what is left of them modulo
   `capacity`. */
struct header {
	_Atomic uint64_t magic; /* 0: it is being put in order, and empty */
	_Atomic uint64_t head, tail;
	_Atomic uint64_t skip;  /* of the record at head */
	_Atomic uint64_t count; /* of records, or one less: only to tell how many were lost */
	_Atomic uint64_t twin;  /* the same with all bits turned */
};

struct record {
	uint64_t sum; /* of the version, its place, what follows, and the bytes */
	uint32_t length;
	uint16_t kind, unused;
};

struct ring {
	int fd;
	struct header *header;
	uint8_t *ring;
	size_t capacity;
	bool large;     /* more of it was used than KEPT */
	uint64_t gone;  /* of the oldest, when it came from an earlier process */
	uint64_t taken; /* where the oldest is: at head, or behind what may be gone back to */
	uint64_t noted, noted_in; /* where it was at a cut */
};

static struct ring *map(int fd, size_t capacity)
{
	void *at = mmap(NULL, PAGE + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	struct ring *s = must_calloc(1, sizeof *s);
	*s = (struct ring){fd, at, (uint8_t *)at + PAGE, capacity};
	return s;
}

static void put_in_order(struct ring *, uint64_t head, uint64_t tail, uint64_t count);

static struct ring *make(size_t capacity)
{
	int fd = capacity > MOST ? -1 : memfd_create("pipetool", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)(PAGE + capacity))) {
		close(fd);
		return NULL;
	}
	struct ring *s = map(fd, capacity);
	if (s)
		put_in_order(s, 0, 0, 0);
	return s;
}

struct ring *ring_new(size_t room)
{
	size_t capacity = FIRST;
	while (capacity < room && capacity < MOST)
		capacity *= 2;
	struct ring *s = make(capacity);
	for (; !s && capacity > FIRST; s = make(capacity))
		capacity /= 2;
	return s;
}

struct ring *ring_larger(const struct ring *s)
{
	return make(s->capacity * 2);
}

size_t ring_room(const struct ring *s)
{
	return s->capacity;
}

void ring_free(struct ring *s)
{
	if (!s)
		return;
	munmap(s->header, PAGE + s->capacity);
	close(s->fd);
	free(s);
}

int ring_fd(const struct ring *s)
{
	return s->fd;
}

/* ---- bytes, of which some may lie at the end of the ring and the rest at its beginning ---- */

static size_t until_end(const struct ring *s, uint64_t at, size_t length)
{
	size_t left = s->capacity - at % s->capacity;
	return length < left ? length : left;
}

static void write_at(struct ring *s, uint64_t at, const void *bytes, size_t length)
{
	size_t first = until_end(s, at, length);
	if (length) {
		memcpy(s->ring + at % s->capacity, bytes, first);
		memcpy(s->ring, (const uint8_t *)bytes + first, length - first);
	}
}

static void read_at(const struct ring *s, uint64_t at, void *bytes, size_t length)
{
	size_t first = until_end(s, at, length);
	memcpy(bytes, s->ring + at % s->capacity, first);
	memcpy((uint8_t *)bytes + first, s->ring, length - first);
}

static size_t size_of(const struct record *r)
{
	return sizeof *r + ALIGN((size_t)r->length);
}

static uint64_t sum_of_record(const struct record *r, uint64_t at)
{
	return sum_add(at + RING_VERSION, &r->length, sizeof *r - sizeof r->sum);
}

/* Bytes and, above them, the same with all bits turned. */
static void set_skip(struct ring *s, size_t bytes)
{
	uint32_t low = (uint32_t)bytes;
	atomic_store(&s->header->skip, (uint64_t)~low << 32 | low);
}

static uint32_t get_skip(const struct ring *s)
{
	uint64_t skip = atomic_load(&s->header->skip);
	return (uint32_t) ~(skip >> 32) == (uint32_t)skip ? (uint32_t)skip : 0;
}

static void set_count(struct ring *s, uint64_t count)
{
	atomic_store(&s->header->count, count);
	atomic_store(&s->header->twin, ~count);
}

/* ---- records ---- */

/* What was large is given back when it is empty, and what is small is used again and again. */
static void rewind_empty(struct ring *s)
{
	uint64_t tail = atomic_load(&s->header->tail), rest = tail % s->capacity;
	if (s->large)
		fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE + (off_t)KEPT,
		          (off_t)(s->capacity - KEPT));
	s->large = false;
	if (!rest)
		return;
	atomic_store(&s->header->magic, 0); /* until both are where they belong it is nothing */
	s->taken = tail - rest + s->capacity;
	atomic_store(&s->header->tail, s->taken);
	atomic_store(&s->header->head, s->taken);
	atomic_store(&s->header->magic, MAGIC);
}

/* Its size; where it stands nothing is seen of it yet. */
static size_t put(struct ring *s, uint64_t at, const struct ring_record *from)
{
	struct record r = {.length = from->head_length + from->length,
	                   .kind = (uint16_t)from->kind};
	r.sum = sum_add(sum_of_record(&r, at), from->head, from->head_length);
	r.sum = sum_add(r.sum, from->bytes, from->length);
	write_at(s, at, &r, sizeof r);
	write_at(s, at + sizeof r, from->head, from->head_length);
	write_at(s, at + sizeof r + from->head_length, from->bytes, from->length);
	s->large |= at % s->capacity + size_of(&r) > KEPT;
	return size_of(&r);
}

static uint64_t room_for(const struct ring_record *r)
{
	return sizeof(struct record) + ALIGN((uint64_t)r->head_length + r->length);
}

bool ring_push(struct ring *s, const struct ring_record *r)
{
	uint64_t head = atomic_load(&s->header->head), tail = atomic_load(&s->header->tail);
	if (tail - head + room_for(r) > s->capacity)
		return false;
	size_t size = put(s, tail, r);
	atomic_store(&s->header->tail, tail + size);
	set_count(s, atomic_load(&s->header->count) + 1);
	return true;
}

/* The places of two records: the first is at head, the second, if there is one, in the other half,
   so that two pages are enough for what is short. */
static uint64_t other_half(const struct ring *s, uint64_t at)
{
	uint64_t half = s->capacity / 2;
	return (at / half + 1) * half;
}

/* The second is there no more. Where it may stand. */
static uint64_t drop_second(struct ring *s)
{
	uint64_t at = other_half(s, atomic_load(&s->header->head));
	if (atomic_load(&s->header->tail) > at) {
		set_count(s, 1);
		atomic_store(&s->header->tail, at);
	}
	return at;
}

/* What lies between is skipped as soon as the new one is seen. */
bool ring_replace(struct ring *s, const struct ring_record *r)
{
	if (room_for(r) > s->capacity / 2)
		return false;
	uint64_t at = drop_second(s);
	size_t size = put(s, at, r);
	atomic_store(&s->header->tail, at + size);
	atomic_store(&s->header->head, at);
	set_count(s, 1);
	return true;
}

bool ring_beside(struct ring *s, const struct ring_record *r)
{
	if (atomic_load(&s->header->head) == atomic_load(&s->header->tail))
		return ring_replace(s, r);
	if (room_for(r) > s->capacity / 2)
		return false;
	uint64_t at = drop_second(s);
	size_t size = put(s, at, r);
	atomic_store(&s->header->tail, at + size);
	set_count(s, 2);
	return true;
}

void ring_settle(struct ring *s)
{
	uint64_t at = other_half(s, atomic_load(&s->header->head));
	if (atomic_load(&s->header->tail) <= at)
		return;
	atomic_store(&s->header->head, at);
	set_count(s, 1);
}

void ring_skip(struct ring *s, size_t bytes)
{
	set_skip(s, s->gone + bytes);
}

void ring_take(struct ring *s)
{
	struct record r;
	if (s->taken == atomic_load(&s->header->tail))
		return;
	read_at(s, s->taken, &r, sizeof r);
	s->gone = 0;
	set_count(s, atomic_load(&s->header->count) - 1);
	set_skip(s, 0);
	s->taken += size_of(&r);
}

static void release(struct ring *s, uint64_t until)
{
	atomic_store(&s->header->head, until);
	if (until == atomic_load(&s->header->tail))
		rewind_empty(s);
}

void ring_pop(struct ring *s)
{
	ring_take(s);
	if (s->taken != atomic_load(&s->header->head))
		release(s, s->taken);
}

/* ---- going back ---- */

struct ring_mark ring_note(struct ring *s, uint64_t cut, uint64_t committed)
{
	struct header *h = s->header;
	uint64_t free_until = !cut ? s->taken : s->noted_in <= committed ? s->noted : 0;
	if (free_until > atomic_load(&h->head))
		release(s, free_until);
	s->noted = s->taken;
	s->noted_in = cut;
	return (struct ring_mark){s->taken, atomic_load(&h->tail), atomic_load(&h->count),
	                          get_skip(s)};
}

bool ring_go_back(struct ring *s, const struct ring_mark *m)
{
	struct header *h = s->header;
	uint64_t head = m->head, tail = m->tail, end = atomic_load(&h->tail);
	if (head == tail) /* also where it was put in order since */
		head = tail = end;
	if (atomic_load(&h->magic) != MAGIC || head > tail || tail > end ||
	    head < atomic_load(&h->head))
		return false;
	s->gone = m->skip;
	put_in_order(s, head, tail, m->count);
	return true;
}

static void put_in_order(struct ring *s, uint64_t head, uint64_t tail, uint64_t count)
{
	struct header *h = s->header;
	s->taken = head;
	atomic_store(&h->head, head);
	atomic_store(&h->tail, tail);
	set_skip(s, s->gone);
	set_count(s, count);
	atomic_store(&h->magic, MAGIC);
}

/* ---- of an earlier process: nothing of it is believed ---- */

struct ring *ring_open(int fd)
{
	struct stat st;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < PAGE + (off_t)FIRST ||
	    st.st_size > PAGE + (off_t)MOST || (st.st_size - PAGE) % (off_t)FIRST) {
		close(fd);
		return NULL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct ring *s = map(fd, (size_t)st.st_size - PAGE);
	if (s) {
		s->large = s->capacity > KEPT;
		s->gone = get_skip(s);
		s->taken = atomic_load(&s->header->head);
	}
	return s;
}

bool ring_holds(int fd, enum ring_kind kind)
{
	struct header h;
	struct record r;
	struct stat st;
	if (fstat(fd, &st) || st.st_size <= PAGE || io_read_at(fd, 0, &h, sizeof h) ||
	    h.magic != MAGIC)
		return false;
	off_t at = PAGE + (off_t)(h.head % (uint64_t)(st.st_size - PAGE));
	return !io_read_at(fd, at, &r, sizeof r) && r.kind == kind;
}

static uint64_t sum_at(const struct ring *s, uint64_t at, const struct record *r)
{
	uint64_t bytes = at + sizeof *r;
	size_t first = until_end(s, bytes, r->length);
	uint64_t sum = sum_of_record(r, at);
	sum = sum_add(sum, s->ring + bytes % s->capacity, first);
	return sum_add(sum, s->ring, r->length - first);
}

/* The size of the record at a place, or 0 where none is whole. */
static size_t check(const struct ring *s, uint64_t at, uint64_t tail, struct record *r)
{
	if (at % 8 || at > tail || tail - at > s->capacity || tail - at < sizeof *r)
		return 0;
	read_at(s, at, r, sizeof *r);
	return size_of(r) <= tail - at && sum_at(s, at, r) == r->sum ? size_of(r) : 0;
}

/* How many are not among those that were found. */
static uint64_t lost_of(const struct ring *s, uint64_t found, bool found_all)
{
	uint64_t count = atomic_load(&s->header->count), twin = ~atomic_load(&s->header->twin);
	bool can_be = count - twin + 1 <= 2 && count <= s->capacity / sizeof(struct record);
	if (!can_be)
		return !found_all;
	return count > found ? count - found : 0;
}

uint64_t ring_each(struct ring *s, enum ring_kind kind, ring_each_one *each, void *arg)
{
	uint64_t at = atomic_load(&s->header->head), tail = atomic_load(&s->header->tail);
	uint64_t head = at, skip = get_skip(s), found = 0;
	struct record r;
	if (!atomic_load(&s->header->magic))
		head = tail = at = 0;
	s->gone = 0;
	for (size_t size; (size = check(s, at, tail, &r)) && r.kind == kind;
	     at = kind == RING_CARRY ? other_half(s, at) : at + size, skip = 0) {
		uint8_t *bytes = must_calloc((size_t)r.length + 1, 1);
		read_at(s, at + sizeof r, bytes, r.length);
		uint32_t gone = skip < r.length ? (uint32_t)skip : 0;
		s->gone += gone;
		each(arg, bytes, r.length, gone);
		free(bytes);
		found++;
	}
	uint64_t lost = lost_of(s, found, at >= tail);
	if (!found) { /* a place that may be anything is none to go on from */
		atomic_store(&s->header->magic, 0);
		head = at = 0;
	}
	put_in_order(s, head, at, found);
	return lost;
}
