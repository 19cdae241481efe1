/* SPDX-License-Identifier: BSD-2-Clause */
/* The channels of a mux; each has a buffer for what comes, and a window for what goes. */
#include "ctl/mux_inside.h"

#include "base/fds.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WINDOW = 256 * 1024,
	PIECE = 16 * 1024,
	PIPE_PIECE = 4096, /* a pipe that poll calls writable takes so much without waiting */
};

void mux_send(struct mux *m, enum kind kind, enum mode mode, uint32_t id, const void *bytes,
              size_t length)
{
	const struct head head = {(char)kind, (char)mode, "", htole32(id),
	                          htole32((uint32_t)length)};
	buf_add(&m->sending, &head, sizeof head);
	buf_add(&m->sending, bytes, length);
}

static void send_number(struct mux *m, enum kind kind, enum mode mode, uint32_t id, uint32_t number)
{
	number = htole32(number);
	mux_send(m, kind, mode, id, &number, sizeof number);
}

/* ---- channels ---- */

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof type;
	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
}

/* Whether the daemon writes to it. */
static bool is_carried(const struct mux *m, const struct channel *c)
{
	return !m->dial && c->mode & FROM_DAEMON && c->mode != CONNECTION;
}

struct channel *mux_channel_new(struct mux *m, uint32_t id, enum mode mode, int fd)
{
	struct channel *c = must_calloc(1, sizeof *c);
	*c = (struct channel){.id = id, .mode = mode, .fd = fd, .credit = WINDOW};
	c->is_socket = is_socket(fd);
	c->reads = mode & (m->dial ? FROM_DAEMON : TO_DAEMON);
	TAILQ_INSERT_TAIL(&m->channels, c, entry);
	m->count++;
	m->carrying += is_carried(m, c);
	return c;
}

static void close_passed(struct channel *c)
{
	while (c->pass_count)
		close(c->pass[--c->pass_count]);
}

void mux_channel_free(struct mux *m, struct channel *c)
{
	TAILQ_REMOVE(&m->channels, c, entry);
	m->count--;
	close_passed(c);
	close(c->fd);
	m->carrying -= is_carried(m, c);
	buf_free(&c->in);
	free(c);
}

struct channel *mux_channel_of(struct mux *m, uint32_t id)
{
	struct channel *c;
	TAILQ_FOREACH (c, &m->channels, entry)
		if (c->id == id)
			return c;
	return NULL;
}

void mux_channel_gone(struct mux *m, struct channel *c)
{
	mux_send(m, CLOSE, 0, c->id, NULL, 0);
	mux_channel_free(m, c);
}

/* ---- from descriptors ---- */

bool mux_failed(ssize_t n)
{
	return n < 0 && errno != EAGAIN && errno != EINTR;
}

static void carry(struct mux *m, struct channel *c, int fd)
{
	bool reads = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
	enum mode mode = is_socket(fd) ? BOTH_WAYS : reads ? TO_DAEMON : FROM_DAEMON;
	uint32_t id = ++m->last_id;
	send_number(m, CARRY, mode, id, c->id);
	mux_channel_new(m, id, mode, fd);
}

static ssize_t receive(struct mux *m, struct channel *c, char *bytes, size_t size)
{
	int fds[FDS_MAX], count;
	if (!c->is_socket)
		return read(c->fd, bytes, size);
	ssize_t n = fds_receive(c->fd, bytes, size, fds, &count);
	for (int i = 0; i < count; i++)
		if (c->mode == CONNECTION && !m->dial)
			carry(m, c, fds[i]);
		else
			close(fds[i]);
	return n;
}

void mux_channel_read(struct mux *m, struct channel *c)
{
	char bytes[PIECE];
	ssize_t n = receive(m, c, bytes, c->credit < sizeof bytes ? c->credit : sizeof bytes);
	if (n > 0) {
		c->credit -= (uint32_t)n;
		mux_send(m, DATA, 0, c->id, bytes, (size_t)n);
	} else if (n < 0 && !mux_failed(n)) {
		; /* it was not that */
	} else if (n < 0 || c->seen->revents & POLLHUP || ~c->mode & BOTH_WAYS) {
		mux_channel_gone(m, c);
	} else {
		c->reads = false;
		mux_send(m, END, 0, c->id, NULL, 0);
	}
}

/* ---- to descriptors ---- */

static ssize_t write_some(struct channel *c)
{
	bool passes = c->pass_count && !c->pass_at;
	size_t length = c->in.length;
	if (c->pass_count && !passes && length > c->pass_at)
		length = c->pass_at;
	if (!c->is_socket)
		return write(c->fd, c->in.data, length < PIPE_PIECE ? length : PIPE_PIECE);
	ssize_t n = fds_send(c->fd, c->in.data, length, c->pass, passes ? c->pass_count : 0);
	if (n >= 0 && passes)
		close_passed(c);
	return n;
}

/* What is left to be done once all is written. False: the channel is gone. */
static bool channel_settle(struct mux *m, struct channel *c)
{
	if (c->in.length)
		return true;
	if (c->closes) {
		mux_channel_free(m, c);
		return false;
	}
	if (c->ends) {
		c->ends = false;
		shutdown(c->fd, SHUT_WR);
	}
	return true;
}

void mux_channel_end(struct mux *m, struct channel *c, bool altogether)
{
	c->closes = altogether;
	c->ends = !altogether;
	c->reads &= !altogether;
	channel_settle(m, c);
}

bool mux_channel_write(struct mux *m, struct channel *c)
{
	ssize_t n = write_some(c);
	if (n > 0) {
		buf_consume(&c->in, (size_t)n);
		c->pass_at -= (size_t)n < c->pass_at ? (size_t)n : c->pass_at;
		send_number(m, CREDIT, 0, c->id, (uint32_t)n);
		return channel_settle(m, c);
	}
	if (mux_failed(n)) {
		mux_channel_gone(m, c);
		return false;
	}
	return true;
}
