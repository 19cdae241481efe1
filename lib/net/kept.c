/* SPDX-License-Identifier: BSD-2-Clause */
/* A pipe, and a ring of records in shared memory. */
#include "net/kept.h"

#include "base/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT     "input"                      /* the memory, and where in it the checkpoint is */
#define PIPE      "input pipe"                 /* what is on its way there */
#define MAGIC     UINT64_C(0x016e692074702e2e) /* with the version */
#define PAGE      4096
#define ROOM      ((size_t)4 * 1024 * 1024)
#define PIPE_SIZE (256 * 1024) /* so that many small pieces have room in it */
#define ALIGN(n)  (((n) + 7) & ~(uint64_t)7)

/* Shared. Places only grow; those in the ring are what is left of them modulo ROOM. */
struct head {
	_Atomic uint64_t magic;
	_Atomic uint64_t tail;   /* where the next record will be */
	_Atomic uint64_t wanted; /* above it: where that ends, when all of the pipe is in it */
	_Atomic uint32_t who, numbers;
	_Atomic uint8_t torn[KEPT_PLACES];
};

struct record {
	uint32_t who, length;
};

struct kept {
	int fd, pipe; /* of the pipe both ends */
	struct head *head;
	uint8_t *ring;  /* mapped twice, so that each record lies in one piece */
	uint64_t at;    /* what comes next */
	uint64_t told;  /* where that was when a checkpoint was told last, and … */
	uint64_t begin; /* … when one was committed: what is before that is needed no more */
	uint64_t in_pipe;
};

/* ---- life ---- */

static void *map_twice(int fd)
{
	const int access = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
	uint8_t *at = mmap(NULL, PAGE + 2 * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (mmap(at, PAGE + ROOM, access, flags, fd, 0) != MAP_FAILED &&
	    mmap(at + PAGE + ROOM, ROOM, access, flags, fd, PAGE) != MAP_FAILED)
		return at;
	munmap(at, PAGE + 2 * ROOM);
	return NULL;
}

/* Takes both; NULL, and errno, if they cannot be had. */
static struct kept *map(int fd, int pipe)
{
	struct kept *k = must_calloc(1, sizeof *k);
	*k = (struct kept){.fd = fd, .pipe = pipe};
	k->head = fd >= 0 && pipe >= 0 ? map_twice(fd) : NULL;
	if (k->head) {
		k->ring = (uint8_t *)k->head + PAGE;
		return k;
	}
	int error = errno;
	kept_free(k);
	errno = error;
	return NULL;
}

static int make_memory(void)
{
	int fd = memfd_create("pipetool", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, PAGE + (off_t)ROOM) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One descriptor for both of its ends. */
static int make_pipe(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	char *path = must_printf("/proc/self/fd/%d", ends[0]);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), error = errno;
	free(path);
	close(ends[0]);
	close(ends[1]);
	if (fd >= 0)
		fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
	errno = error;
	return fd;
}

struct kept *kept_new(void)
{
	int pipe = make_pipe();
	struct kept *k = map(pipe < 0 ? -1 : make_memory(), pipe);
	if (k)
		atomic_store(&k->head->magic, MAGIC);
	return k;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	if (k->head)
		munmap(k->head, PAGE + 2 * ROOM);
	if (k->fd >= 0)
		close(k->fd);
	if (k->pipe >= 0)
		close(k->pipe);
	free(k);
}

bool kept_takes(int fd)
{
	struct stat st;
	int domain = 0, type = 0;
	socklen_t length = sizeof domain;
	if (fstat(fd, &st))
		return false;
	if (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) || isatty(fd))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
		return false;
	return type == SOCK_STREAM &&
	       (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
}

uint32_t kept_number(struct kept *k)
{
	return atomic_fetch_add(&k->head->numbers, 1) + 1;
}

/* ---- records ---- */

static struct record *record_at(const struct kept *k, uint64_t place)
{
	return (void *)(k->ring + place % ROOM);
}

static uint64_t behind(uint64_t place, uint64_t length)
{
	return ALIGN(place + sizeof(struct record) + length);
}

static void add_record(struct kept *k, uint32_t who, uint64_t length)
{
	uint64_t tail = atomic_load(&k->head->tail);
	*record_at(k, tail) = (struct record){who, (uint32_t)length};
	atomic_store(&k->head->tail, behind(tail, length));
}

/* All that is in the pipe: into a record. */
static ssize_t empty_pipe(struct kept *k)
{
	uint64_t tail = atomic_load(&k->head->tail), from = tail + sizeof(struct record);
	ssize_t n;
	atomic_store(&k->head->wanted, from + k->in_pipe);
	do
		n = read(k->pipe, k->ring + from % ROOM, k->in_pipe);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	k->in_pipe -= (uint64_t)n;
	add_record(k, atomic_load(&k->head->who), (uint64_t)n);
	return n;
}

static ssize_t fill_pipe(struct kept *k, int fd, uint32_t who)
{
	ssize_t n;
	atomic_store(&k->head->who, who);
	do
		n = splice(fd, NULL, k->pipe, NULL, KEPT_READ, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		int error = errno; /* only recv goes past urgent data */
		return error == EAGAIN && sockatmark(fd) > 0 ? -EINVAL : -error;
	}
	k->in_pipe = (uint64_t)n;
	return n;
}

static bool has_room(const struct kept *k)
{
	return behind(atomic_load(&k->head->tail), KEPT_READ) - k->begin <= ROOM;
}

bool kept_is_left(const struct kept *k, uint32_t *who)
{
	bool left = k->at < atomic_load(&k->head->tail);
	if (left)
		*who = record_at(k, k->at)->who;
	return left;
}

bool kept_brims(const struct kept *k)
{
	return k->at - k->begin > ROOM / 2;
}

ssize_t kept_read(struct kept *k, int fd, uint32_t who, const uint8_t **bytes)
{
	uint32_t left;
	ssize_t n = 1;
	if (!kept_is_left(k, &left)) {
		if (!has_room(k))
			return -ENOBUFS;
		if (!k->in_pipe)
			n = fill_pipe(k, fd, who);
		if (n > 0)
			n = empty_pipe(k);
		if (n <= 0)
			return n;
	}
	struct record *r = record_at(k, k->at);
	*bytes = (const uint8_t *)(r + 1);
	return r->length;
}

void kept_took(struct kept *k)
{
	k->at = behind(k->at, record_at(k, k->at)->length);
}

void kept_set_torn(struct kept *k, uint32_t who, bool torn)
{
	atomic_store_explicit(&k->head->torn[who % KEPT_PLACES], torn, memory_order_release);
}

bool kept_is_torn(const struct kept *k, uint32_t who)
{
	return atomic_load(&k->head->torn[who % KEPT_PLACES]);
}

/* ---- over a restart ---- */

void kept_carry(struct kept *k, struct pt_carry *carry)
{
	k->told = k->at;
	pt_carry_fd(carry, INPUT, k->fd);
	pt_carry_fd(carry, PIPE, k->pipe);
	pt_carry_bytes(carry, INPUT, &k->told, sizeof k->told);
}

void kept_committed(struct kept *k)
{
	if (k->begin < k->told)
		k->begin = k->told;
}

void kept_forget(struct kept *k)
{
	k->begin = k->at;
}

/* Where a whole record begins, as far as can be told. */
static bool leads_to(const struct kept *k, uint64_t tail)
{
	uint64_t at = k->at;
	while (at < tail && tail - at <= ROOM && record_at(k, at)->length <= KEPT_READ)
		at = behind(at, record_at(k, at)->length);
	return at == tail;
}

/* What the daemon before had begun to read is read to its end. */
static bool finish(struct kept *k)
{
	int in_pipe = 0;
	uint64_t tail = atomic_load(&k->head->tail), wanted = atomic_load(&k->head->wanted);
	if (atomic_load(&k->head->magic) != MAGIC || !leads_to(k, tail) ||
	    ioctl(k->pipe, FIONREAD, &in_pipe) < 0 || in_pipe > KEPT_READ)
		return false;
	uint64_t whole = wanted > tail ? wanted - tail - sizeof(struct record) : 0;
	if (whole > KEPT_READ || (whole && whole < (uint64_t)in_pipe))
		return false;
	if (whole > (uint64_t)in_pipe)
		add_record(k, atomic_load(&k->head->who), whole - (uint64_t)in_pipe);
	k->in_pipe = (uint64_t)in_pipe;
	return !in_pipe || empty_pipe(k) > 0;
}

static bool is_memory(int fd)
{
	struct stat st;
	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == PAGE + (off_t)ROOM;
}

static int take(struct pt_block *b, const char *key)
{
	int fd;
	return pt_carried_fd(b, key, &fd) ? fd : -1;
}

struct kept *kept_carried(struct pt_block *b, bool *damaged)
{
	size_t length;
	const void *at = pt_carried_bytes(b, INPUT, &length);
	int fd = take(b, INPUT), pipe = take(b, PIPE);
	*damaged = fd >= 0 || pipe >= 0;
	if (!at || length != sizeof(uint64_t) || !is_memory(fd)) {
		if (fd >= 0)
			close(fd);
		if (pipe >= 0)
			close(pipe);
		return NULL;
	}
	struct kept *k = map(fd, pipe);
	if (k) {
		memcpy(&k->at, at, length);
		k->begin = k->told = k->at;
		*damaged = !finish(k);
	}
	if (!k || !*damaged)
		return k;
	kept_free(k);
	return NULL;
}
