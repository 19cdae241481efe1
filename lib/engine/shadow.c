/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of records behind one page that says where they begin and end. */
#include "engine/shadow.h"

#include "base/buf.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    UINT64_C(0x776f646168737470)
#define PAGE     4096
#define FIRST    ((size_t)256 * 1024)
#define MOST     ((size_t)1 << 36)
#define ALIGN(n) (((n) + 7) & ~(size_t)7)

/* Shared. head and tail only grow; their places in the ring are what is left of them modulo
   `capacity`. */
struct header {
	_Atomic uint64_t magic;
	uint64_t capacity;
	_Atomic uint64_t head, tail;
	_Atomic uint64_t skip; /* of the record at head */
};

struct record {
	int64_t time_ns;
	uint32_t length, wire_length;
	uint16_t link_type, high;
	uint32_t unused;
};

struct shadow {
	int fd;
	struct header *header;
	uint8_t *ring;
	size_t capacity;
	bool large;    /* more of it was used than FIRST */
	uint64_t gone; /* of the oldest, when it came from an earlier process */
};

static struct shadow *map(int fd, size_t capacity)
{
	void *at = mmap(NULL, PAGE + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	struct shadow *s = must_calloc(1, sizeof *s);
	*s = (struct shadow){fd, at, (uint8_t *)at + PAGE, capacity};
	return s;
}

static struct shadow *make(size_t capacity)
{
	int fd = capacity > MOST ? -1 : memfd_create("pipetool-queue", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)(PAGE + capacity))) {
		close(fd);
		return NULL;
	}
	struct shadow *s = map(fd, capacity);
	if (s) {
		s->header->capacity = capacity;
		s->header->magic = MAGIC;
	}
	return s;
}

struct shadow *shadow_new(void)
{
	return make(FIRST);
}

struct shadow *shadow_larger(const struct shadow *s)
{
	return make(s->capacity * 2);
}

void shadow_free(struct shadow *s)
{
	if (!s)
		return;
	munmap(s->header, PAGE + s->capacity);
	close(s->fd);
	free(s);
}

int shadow_fd(const struct shadow *s)
{
	return s->fd;
}

/* ---- bytes, of which some may lie at the end of the ring and the rest at its beginning ---- */

static size_t until_end(const struct shadow *s, uint64_t at, size_t length)
{
	size_t left = s->capacity - at % s->capacity;
	return length < left ? length : left;
}

static void write_at(struct shadow *s, uint64_t at, const void *bytes, size_t length)
{
	size_t first = until_end(s, at, length);
	if (length) {
		memcpy(s->ring + at % s->capacity, bytes, first);
		memcpy(s->ring, (const uint8_t *)bytes + first, length - first);
	}
}

static void read_at(const struct shadow *s, uint64_t at, void *bytes, size_t length)
{
	size_t first = until_end(s, at, length);
	memcpy(bytes, s->ring + at % s->capacity, first);
	memcpy((uint8_t *)bytes + first, s->ring, length - first);
}

static size_t size_of(const struct record *r)
{
	return sizeof *r + ALIGN((size_t)r->length);
}

/* ---- records ---- */

/* What was large is given back when it is empty, and what is small is used again and again. */
static void rewind_empty(struct shadow *s)
{
	uint64_t tail = atomic_load(&s->header->tail), rest = tail % s->capacity;
	if (s->large)
		fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE + (off_t)FIRST,
		          (off_t)(s->capacity - FIRST));
	s->large = false;
	if (!rest)
		return;
	atomic_store(&s->header->magic, 0); /* until both are where they belong it is nothing */
	atomic_store(&s->header->tail, tail - rest + s->capacity);
	atomic_store(&s->header->head, tail - rest + s->capacity);
	atomic_store(&s->header->magic, MAGIC);
}

bool shadow_push(struct shadow *s, const struct pt_msg *m, bool high)
{
	const struct record r = {
		.time_ns = m->time_ns,
		.length = m->length,
		.wire_length = m->wire_length,
		.link_type = m->link_type,
		.high = high,
	};
	uint64_t head = atomic_load(&s->header->head), tail = atomic_load(&s->header->tail);
	if (tail - head + size_of(&r) > s->capacity)
		return false;
	write_at(s, tail, &r, sizeof r);
	write_at(s, tail + sizeof r, m->bytes, m->length);
	atomic_store(&s->header->tail, tail + size_of(&r));
	s->large |= tail % s->capacity + size_of(&r) > FIRST;
	return true;
}

void shadow_skip(struct shadow *s, size_t bytes)
{
	atomic_store(&s->header->skip, s->gone + bytes);
}

void shadow_pop(struct shadow *s)
{
	struct record r;
	uint64_t head = atomic_load(&s->header->head), tail = atomic_load(&s->header->tail);
	if (head == tail)
		return;
	read_at(s, head, &r, sizeof r);
	s->gone = 0;
	atomic_store(&s->header->skip, 0);
	atomic_store(&s->header->head, head + size_of(&r));
	if (head + size_of(&r) == tail)
		rewind_empty(s);
}

/* ---- of an earlier process: nothing of it is believed ---- */

struct shadow *shadow_open(int fd)
{
	struct stat st;
	struct header header;
	if (fstat(fd, &st) || st.st_size <= PAGE ||
	    pread(fd, &header, sizeof header, 0) != sizeof header || header.magic != MAGIC ||
	    header.capacity != (uint64_t)st.st_size - PAGE || header.capacity > MOST) {
		close(fd);
		return NULL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct shadow *s = map(fd, (size_t)header.capacity);
	if (s) {
		s->large = true;
		s->gone = atomic_load(&s->header->skip);
	}
	return s;
}

static size_t check(const struct shadow *s, uint64_t at, uint64_t tail, struct record *r)
{
	if (at > tail || tail - at > s->capacity || tail - at < sizeof *r)
		return 0;
	read_at(s, at, r, sizeof *r);
	return size_of(r) <= tail - at ? size_of(r) : 0;
}

bool shadow_each(struct shadow *s, void (*each)(void *arg, const struct pt_msg *m, bool high),
                 void *arg)
{
	uint64_t at = atomic_load(&s->header->head), tail = atomic_load(&s->header->tail);
	uint64_t skip = atomic_load(&s->header->skip);
	struct record r;
	for (size_t size; (size = check(s, at, tail, &r)); at += size, skip = 0) {
		uint8_t *bytes = must_calloc((size_t)r.length + 1, 1);
		read_at(s, at + sizeof r, bytes, r.length);
		uint32_t gone = skip < r.length ? (uint32_t)skip : 0;
		const struct pt_msg m = {
			.bytes = bytes + gone,
			.length = r.length - gone,
			.wire_length = r.wire_length,
			.time_ns = r.time_ns,
			.link_type = r.link_type,
		};
		each(arg, &m, r.high);
		free(bytes);
	}
	return at == tail;
}
