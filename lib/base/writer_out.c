/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes go through the filter to the descriptor; what does not arrive is counted. */
#include "base/writer_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define STUCK_ROUND_MS 1000
#define STUCK_ROUNDS   5

void writer_fail(struct writer *w, int error)
{
	int none = 0;
	atomic_compare_exchange_strong(&w->error, &none, error);
}

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

/* So much of a piece has arrived, and the rest will not: told, and cut off to whole messages. */
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

int writer_sync(const struct writer *w)
{
	if (fdatasync(w->config.fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP)
		return 0;
	return -errno;
}

void writer_make_nonblocking(struct writer *w)
{
	struct stat st;
	int fd = w->config.fd, flags = fcntl(fd, F_GETFL);
	bool waits = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	w->flags = waits && flags >= 0 && !(flags & O_NONBLOCK) ? flags : -1;
	if (w->flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int writer_close(struct writer *w)
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

int writer_end_file(struct writer *w, bool sync)
{
	if (w->config.fd < 0)
		return 0;
	int rc = end_filter(w, WRITER_LAST);
	return rc == 0 && sync ? writer_sync(w) : rc;
}

/* ---- one of a crew ---- */

struct writer *writer_of_member(struct crew_member *m)
{
	return (struct writer *)((char *)m - offsetof(struct writer, member));
}

void writer_shut(struct crew_member *m)
{
	struct writer *w = writer_of_member(m);
	int rc = writer_error(w), closed; /* nothing comes behind what is torn */
	rc = rc ? rc : end_filter(w, WRITER_LAST);
	closed = writer_close(w);
	writer_fail(w, rc ? rc : closed);
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

void writer_leave_file(struct writer *w)
{
	if (w->config.crew)
		crew_closed(w->config.crew, &w->member);
	w->shut = false;
}

static int change_file(struct writer *w, const struct piece *piece)
{
	int rc = writer_end_file(w, piece->sync);
	int closed = writer_close(w);
	writer_leave_file(w);
	if (rc == 0)
		rc = closed;
	if (rc)
		return rc;
	int fd = piece->open(piece->arg);
	if (fd < 0)
		return fd;
	w->config.fd = fd;
	writer_make_nonblocking(w);
	return 0;
}

void writer_pause_filter(struct writer *w)
{
	int rc = !atomic_load(&w->error) && w->config.fd >= 0 ? end_filter(w, WRITER_PAUSE) : 0;
	if (rc)
		writer_fail(w, rc);
}

/* What is appended to has its end there, wherever it stands. */
static struct writer_at where(int fd, bool bare)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return (struct writer_at){.length = -1, .fd = -1};
	bool appends = fcntl(fd, F_GETFL) & O_APPEND;
	return (struct writer_at){lseek(fd, 0, appends ? SEEK_END : SEEK_CUR), st.st_dev, st.st_ino,
	                          bare ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0)};
}

static void reach_mark(struct writer *w, const struct piece *piece)
{
	if (piece->pause)
		writer_pause_filter(w);
	bool there = !atomic_load(&w->error) && (!w->shut || !use_file(w));
	const struct writer_at at = where(there ? w->config.fd : -1, piece->bare);
	pthread_mutex_lock(&w->lock);
	w->marks--;
	if (w->marked.fd >= 0)
		close(w->marked.fd);
	w->marked = at;
	pthread_mutex_unlock(&w->lock);
}

void writer_carry_out(struct writer *w, const struct piece *piece)
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
			writer_fail(w, rc);
	}
	atomic_fetch_sub(&w->pending, piece->length);
	if (w->config.crew)
		atomic_fetch_sub(crew_waiting(w->config.crew), piece->size);
}
