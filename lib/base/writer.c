/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of buffers between an owner who fills them and a thread that writes them out. */
#include "base/writer.h"

#include "base/buf.h"
#include "base/crew.h"
#include "base/thread.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE    ((size_t)1024 * 1024)
#define BUFFERS        4
#define STUCK_ROUND_MS 1000
#define STUCK_ROUNDS   5
#define FETCH_LINE     64
#define FETCH_MAX      256

/* What the thread does next: bytes to write, or a descriptor to change to. */
struct piece {
	struct piece *next;
	int (*open)(void *arg);
	void *arg;
	bool sync, mark, pause;
	unsigned share; /* as so many buffers it counts */
	size_t size, length;
	uint8_t bytes[];
};

struct writer {
	struct writer_config config;
	struct piece *current; /* the owner's */
	bool running;          /* the thread; the owner's */
	unsigned untold;       /* pieces that the thread was not woken for; the owner's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct piece *first, **last, *spare; /* under the lock, as are the next five */
	unsigned spares;
	bool busy, ending, end_sync, pushed;
	atomic_bool awaited;   /* somebody waits in flush or free */
	atomic_uint in_use;    /* buffers that are not spare, by their shares */
	atomic_size_t pending; /* handed over */
	atomic_size_t filled;  /* of the current one */
	atomic_uint_fast64_t written;
	atomic_int error;
	unsigned marks; /* not reached yet; under the lock, as are the next two, of the last one */
	int64_t marked_length;
	int marked_fd;
	uint64_t unsure; /* messages that the filter may still hold; the thread's, as is the next */
	bool put;        /* the filter has let go of something */
	int flags;       /* that the descriptor had, if they were changed; -1 */
	struct crew_member member;
	bool shut;  /* closed for now */
	bool ended; /* under the lock: the crew is done with it */
};

struct writer *writer_new(const struct writer_config *config)
{
	struct writer *w = must_calloc(1, sizeof *w);
	w->config = *config;
	if (!w->config.buffer_size)
		w->config.buffer_size = BUFFER_SIZE;
	if (!w->config.buffers)
		w->config.buffers = BUFFERS;
	w->last = &w->first;
	w->flags = w->marked_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->idle, NULL);
	return w;
}

/* A thread is woken for several buffers at once, and wakes others when it has made room for
   several: a wake-up costs as much as some thousand packets. */
static unsigned half(const struct writer *w)
{
	return w->config.buffers > 1 ? w->config.buffers / 2 : 1;
}

bool writer_has_much_room(const struct writer *w)
{
	return atomic_load(&w->in_use) <= half(w);
}

int writer_error(const struct writer *w)
{
	return atomic_load(&w->error);
}

size_t writer_pending(const struct writer *w)
{
	return atomic_load(&w->pending) + atomic_load_explicit(&w->filled, memory_order_relaxed);
}

uint64_t writer_written(const struct writer *w)
{
	return atomic_load(&w->written);
}

static void set_error(struct writer *w, int error)
{
	int none = 0;
	atomic_compare_exchange_strong(&w->error, &none, error);
}

/* ---- the writer's thread ---- */

static int await_room(struct writer *w)
{
	struct pollfd p = {.fd = w->config.fd, .events = POLLOUT};
	for (int idle = 0; idle < STUCK_ROUNDS;) {
		int n = poll(&p, 1, STUCK_ROUND_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		idle = atomic_load(&w->awaited) ? idle + 1 : 0;
	}
	return -ETIMEDOUT;
}

static int write_all(void *arg, const void *bytes, size_t length)
{
	struct writer *w = arg;
	const uint8_t *at = bytes;
	while (length) {
		ssize_t n = write(w->config.fd, at, length);
		int rc = 0;
		if (n > 0) {
			at += n;
			length -= (size_t)n;
			atomic_fetch_add(&w->written, (uint64_t)n);
		} else if (n == 0) {
			rc = -EIO;
		} else if (errno == EAGAIN) {
			rc = await_room(w);
		} else if (errno != EINTR) {
			rc = -errno;
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int write_filtered(void *arg, const void *bytes, size_t length)
{
	struct writer *w = arg;
	int rc = write_all(w, bytes, length);
	if (rc == 0)
		w->put = true;
	return rc;
}

static int write_bytes(struct writer *w, const void *bytes, size_t length, enum writer_end end)
{
	if (w->config.filter)
		return w->config.filter(w->config.filter_arg, bytes, length, end, write_filtered,
		                        w);
	return write_all(w, bytes, length);
}

/* ---- what never arrived ---- */

static uint64_t count(const struct writer *w, const struct piece *piece, size_t length, size_t *end)
{
	*end = length;
	return w->config.count ? w->config.count(w->config.arg, piece->bytes, length, end) : 0;
}

static void tell_lost(struct writer *w, uint64_t messages)
{
	if (w->config.lost && messages)
		w->config.lost(w->config.arg, messages);
}

/* So that who appends to the file later finds it whole. */
static void cut_off(const struct writer *w, size_t length)
{
	struct stat st;
	off_t end = lseek(w->config.fd, 0, SEEK_CUR), whole = end - (off_t)length;
	if (!length || whole < 0 || fstat(w->config.fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (st.st_size == end && ftruncate(w->config.fd, whole) == 0)
		lseek(w->config.fd, whole, SEEK_SET);
}

static void lose(struct writer *w, const struct piece *piece, size_t arrived)
{
	size_t end;
	uint64_t all = w->unsure + count(w, piece, piece->length, &end);
	uint64_t whole = count(w, piece, arrived, &end);
	cut_off(w, arrived - end);
	tell_lost(w, all - whole);
	w->unsure = 0;
}

/* What a filter has let go of may be of earlier buffers alone. */
static void remember_unsure(struct writer *w, const struct piece *piece)
{
	if (w->put)
		w->unsure = 0;
	size_t end;
	w->unsure += count(w, piece, piece->length, &end);
}

static int write_piece(struct writer *w, const struct piece *piece)
{
	uint64_t before = atomic_load(&w->written);
	w->put = false;
	int rc = write_bytes(w, piece->bytes, piece->length, WRITER_MORE);
	if (rc)
		lose(w, piece, w->config.filter ? 0 : (size_t)(atomic_load(&w->written) - before));
	else if (w->config.filter)
		remember_unsure(w, piece);
	return rc;
}

static int sync_fd(int fd)
{
	if (fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP)
		return 0;
	return -errno;
}

static void make_nonblocking(struct writer *w)
{
	struct stat st;
	int fd = w->config.fd, flags = fcntl(fd, F_GETFL);
	bool waits = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	w->flags = waits && flags >= 0 && !(flags & O_NONBLOCK) ? flags : -1;
	if (w->flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int close_fd(struct writer *w)
{
	int fd = w->config.fd;
	w->config.fd = -1;
	if (w->flags >= 0) /* others may use it, too */
		fcntl(fd, F_SETFL, w->flags);
	w->flags = -1;
	if (fd < 0 || !w->config.close_fd)
		return 0;
	return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

/* Has it let go of everything. */
static int end_filter(struct writer *w, enum writer_end end)
{
	int rc = w->config.filter ? write_bytes(w, "", 0, end) : 0;
	if (rc)
		tell_lost(w, w->unsure);
	w->unsure = 0;
	return rc;
}

static int end_file(struct writer *w, bool sync)
{
	if (w->config.fd < 0)
		return 0;
	int rc = end_filter(w, WRITER_LAST);
	return rc == 0 && sync ? sync_fd(w->config.fd) : rc;
}

/* ---- one of a crew ---- */

static struct writer *of_member(struct crew_member *m)
{
	return (struct writer *)((char *)m - offsetof(struct writer, member));
}

static void shut(struct crew_member *m)
{
	struct writer *w = of_member(m);
	int rc = end_filter(w, WRITER_LAST), closed = close_fd(w);
	if (rc || closed)
		set_error(w, rc ? rc : closed);
	w->shut = true;
}

static bool may_be_shut(const struct writer *w)
{
	struct stat st;
	return w->config.crew && w->config.reopen && fstat(w->config.fd, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int use_file(struct writer *w)
{
	if (w->shut) {
		int fd = w->config.reopen(w->config.arg);
		if (fd < 0)
			return fd;
		w->config.fd = fd;
		w->shut = false;
	}
	if (w->member.open || (w->config.fd >= 0 && may_be_shut(w)))
		crew_opened(w->config.crew, &w->member);
	return 0;
}

static void leave_file(struct writer *w)
{
	if (w->config.crew)
		crew_closed(w->config.crew, &w->member);
	w->shut = false;
}

static int change_file(struct writer *w, const struct piece *piece)
{
	int rc = end_file(w, piece->sync);
	int closed = close_fd(w);
	leave_file(w);
	if (rc == 0)
		rc = closed;
	if (rc)
		return rc;
	int fd = piece->open(piece->arg);
	if (fd < 0)
		return fd;
	w->config.fd = fd;
	make_nonblocking(w);
	return 0;
}

static void pause_filter(struct writer *w)
{
	int rc = !atomic_load(&w->error) && w->config.fd >= 0 ? end_filter(w, WRITER_PAUSE) : 0;
	if (rc)
		set_error(w, rc);
}

static void reach_mark(struct writer *w, const struct piece *piece)
{
	if (piece->pause)
		pause_filter(w);
	int fd = w->config.fd < 0 ? -1 : fcntl(w->config.fd, F_DUPFD_CLOEXEC, 0);
	int64_t length = fd < 0 ? -1 : lseek(fd, 0, SEEK_CUR);
	pthread_mutex_lock(&w->lock);
	w->marks--;
	w->marked_length = length;
	if (w->marked_fd >= 0)
		close(w->marked_fd);
	w->marked_fd = fd;
	pthread_mutex_unlock(&w->lock);
}

static void carry_out(struct writer *w, const struct piece *piece)
{
	if (piece->mark) {
		reach_mark(w, piece);
	} else if (atomic_load(&w->error)) {
		lose(w, piece, 0);
	} else {
		int rc = piece->open ? change_file(w, piece) : use_file(w);
		if (rc && !piece->open)
			lose(w, piece, 0);
		else if (!rc && !piece->open)
			rc = write_piece(w, piece);
		if (rc)
			set_error(w, rc);
	}
	atomic_fetch_sub(&w->pending, piece->length);
	if (w->config.crew)
		atomic_fetch_sub(crew_waiting(w->config.crew), piece->length);
}

static void free_list(struct piece *piece)
{
	while (piece) {
		struct piece *next = piece->next;
		free(piece->arg);
		free(piece);
		piece = next;
	}
}

/* [locked] Who has little to write keeps no memory for it. */
static void put_back(struct writer *w, struct piece *piece)
{
	if (piece->open || piece->mark) {
		free(piece->arg);
		free(piece);
		return;
	}
	atomic_fetch_sub(&w->in_use, piece->share);
	bool quiet = !w->first && piece->length < w->config.buffer_size / 2;
	if (quiet || piece->share > 1 || w->spares == w->config.buffers) {
		free(piece);
	} else {
		piece->next = w->spare;
		w->spare = piece;
		w->spares++;
	}
	if (quiet) {
		free_list(w->spare);
		w->spare = NULL;
		w->spares = 0;
	}
}

/* [locked] What there is to do now. */
static bool take(struct writer *w, struct piece **piece)
{
	while (!w->first && !w->ending && !w->pushed && !w->config.crew)
		pthread_cond_wait(&w->work, &w->lock);
	*piece = w->first;
	if (!w->first)
		return w->pushed;
	w->first = w->first->next;
	if (!w->first)
		w->last = &w->first;
	return true;
}

/* Until there is nothing more to do. */
static void work(struct writer *w)
{
	struct piece *piece;
	pthread_mutex_lock(&w->lock);
	while (take(w, &piece)) {
		w->busy = true;
		w->pushed = w->pushed && piece;
		pthread_mutex_unlock(&w->lock);
		if (piece)
			carry_out(w, piece);
		else
			pause_filter(w);
		pthread_mutex_lock(&w->lock);
		if (piece)
			put_back(w, piece);
		w->busy = false;
		if (!w->first && !w->pushed)
			pthread_cond_signal(&w->idle);
		if (w->config.progress) {
			pthread_mutex_unlock(&w->lock);
			w->config.progress(w->config.arg);
			pthread_mutex_lock(&w->lock);
		}
	}
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct writer *w = arg;
	work(w);
	int rc = writer_error(w);
	set_error(w, rc ? rc : end_file(w, w->end_sync));
	return NULL;
}

static void work_for_crew(struct crew_member *m)
{
	struct writer *w = of_member(m);
	work(w);
	pthread_mutex_lock(&w->lock);
	bool ended = w->ending && !w->first && !w->ended;
	pthread_mutex_unlock(&w->lock);
	if (!ended)
		return;
	int rc = writer_error(w);
	set_error(w, rc ? rc : end_file(w, w->end_sync));
	leave_file(w);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_signal(&w->idle);
	pthread_mutex_unlock(&w->lock);
}

/* ---- the owner's thread ---- */

/* Signals, SIGPIPE above all, are for others. */
static void start_thread(struct writer *w)
{
	if (w->running || writer_error(w))
		return;
	if (w->config.fd >= 0)
		make_nonblocking(w);
	w->member.work = work_for_crew;
	w->member.shut = shut;
	int rc = w->config.crew ? 0 : thread_start("a writer", 0, run, w, &w->thread, NULL);
	if (rc)
		set_error(w, rc);
	w->running = rc == 0;
}

/* [locked] */
static void wake(struct writer *w, bool soon)
{
	int rc = w->config.crew ? crew_wake(w->config.crew, &w->member, soon) : 0;
	if (rc)
		set_error(w, rc);
	w->running = w->running && !rc;
	pthread_cond_signal(&w->work);
}

static void add(struct writer *w, struct piece *piece)
{
	pthread_mutex_lock(&w->lock);
	piece->next = NULL;
	*w->last = piece;
	w->last = &piece->next;
	pthread_mutex_unlock(&w->lock);
	w->untold++;
}

static void tell(struct writer *w, bool pushed, bool soon)
{
	start_thread(w);
	w->untold = 0;
	pthread_mutex_lock(&w->lock);
	w->pushed |= pushed;
	wake(w, soon);
	pthread_mutex_unlock(&w->lock);
}

static void hand_over(struct writer *w)
{
	struct piece *piece = w->current;
	if (!piece || !piece->length)
		return;
	w->current = NULL;
	atomic_fetch_add(&w->pending, piece->length);
	if (w->config.crew)
		atomic_fetch_add(crew_waiting(w->config.crew), piece->length);
	atomic_store_explicit(&w->filled, 0, memory_order_relaxed);
	add(w, piece);
}

void writer_push(struct writer *w)
{
	bool filters = w->config.filter && (w->running || w->untold || w->current);
	hand_over(w);
	if (w->untold || filters)
		tell(w, filters, true);
}

void writer_next(struct writer *w, int (*open)(void *arg), void *arg, bool sync)
{
	hand_over(w);
	struct piece *piece = must_calloc(1, sizeof *piece);
	*piece = (struct piece){.open = open, .arg = arg, .sync = sync};
	add(w, piece);
}

void writer_mark(struct writer *w, bool pause)
{
	hand_over(w);
	struct piece *piece = must_calloc(1, sizeof *piece);
	*piece = (struct piece){.mark = true, .pause = pause};
	pthread_mutex_lock(&w->lock);
	w->marks++;
	pthread_mutex_unlock(&w->lock);
	add(w, piece);
	tell(w, false, true);
}

bool writer_marked(struct writer *w, int64_t *length, int *fd)
{
	pthread_mutex_lock(&w->lock);
	bool marked = !w->marks || atomic_load(&w->error);
	*length = w->marked_length;
	*fd = w->marked_fd;
	pthread_mutex_unlock(&w->lock);
	return marked;
}

static struct piece *take_spare(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	struct piece *piece = w->spare;
	if (piece) {
		w->spare = piece->next;
		w->spares--;
	}
	pthread_mutex_unlock(&w->lock);
	return piece;
}

static struct piece *take_buffer(struct writer *w, size_t length)
{
	const size_t usual = w->config.buffer_size, most = w->config.buffers + w->config.extra;
	size_t share = length > usual ? (length - 1) / usual + 1 : 1;
	if (share > UINT32_MAX / 2 || atomic_load(&w->in_use) >= most)
		return NULL;
	size_t size = length > usual ? length : usual;
	struct piece *piece = share == 1 ? take_spare(w) : NULL;
	if (!piece)
		piece = malloc(sizeof *piece + size);
	if (!piece)
		return NULL;
	*piece = (struct piece){.share = (unsigned)share, .size = size};
	atomic_fetch_add(&w->in_use, piece->share);
	return piece;
}

uint8_t *writer_room(struct writer *w, size_t length)
{
	if (w->current && w->current->size - w->current->length < length) {
		hand_over(w);
		if (w->untold >= half(w))
			tell(w, false, false);
	}
	if (!w->current)
		w->current = take_buffer(w, length);
	return w->current ? w->current->bytes + w->current->length : NULL;
}

void writer_advance(struct writer *w, size_t length)
{
	assert(w->current && length <= w->current->size - w->current->length);
	w->current->length += length;
	atomic_store_explicit(&w->filled, w->current->length, memory_order_relaxed);
	if (w->current->share > 1) {
		hand_over(w);
		tell(w, false, false);
	}
}

void writer_fetch(const struct writer *w, size_t length)
{
	const struct piece *piece = w->current;
	for (size_t at = 0; piece && at < length && at < FETCH_MAX; at += FETCH_LINE)
		__builtin_prefetch(piece->bytes + piece->length + at, 1);
}

bool writer_has_room(const struct writer *w)
{
	unsigned in_use = atomic_load(&w->in_use);
	if (in_use < w->config.buffers)
		return true;
	return in_use == w->config.buffers && w->current &&
	       w->current->length <= w->config.buffer_size / 2;
}

static void await_idle(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->running)
		wake(w, true);
	while (w->running && (w->first || w->busy || w->pushed))
		pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

int writer_flush(struct writer *w, bool sync)
{
	atomic_store(&w->awaited, true);
	writer_push(w);
	await_idle(w);
	if (sync && w->config.fd >= 0 && !writer_error(w))
		set_error(w, sync_fd(w->config.fd));
	atomic_store(&w->awaited, false);
	return writer_error(w);
}

static void end_thread(struct writer *w, bool sync)
{
	atomic_store(&w->awaited, true);
	hand_over(w);
	if (w->untold)
		tell(w, false, false);
	if (!w->running && w->config.fd >= 0 && w->config.filter)
		start_thread(w);
	if (!w->running) {
		if (sync && w->config.fd >= 0)
			set_error(w, sync_fd(w->config.fd));
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	w->end_sync = sync;
	wake(w, true);
	while (w->config.crew && w->running && !w->ended)
		pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (!w->config.crew)
		pthread_join(w->thread, NULL);
}

/* Nobody was there to write it. */
static void lose_list(struct writer *w, const struct piece *piece)
{
	for (; piece; piece = piece->next)
		lose(w, piece, 0);
}

int writer_free(struct writer *w, bool sync)
{
	if (!w)
		return 0;
	end_thread(w, sync);
	if (w->config.crew)
		crew_leave(w->config.crew, &w->member);
	set_error(w, close_fd(w));
	int rc = writer_error(w);
	lose_list(w, w->current);
	lose_list(w, w->first);
	free(w->current);
	free_list(w->first);
	free_list(w->spare);
	if (w->marked_fd >= 0)
		close(w->marked_fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->idle);
	free(w);
	return rc;
}
