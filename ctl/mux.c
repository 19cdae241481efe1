/* SPDX-License-Identifier: BSD-2-Clause */
/* A poll loop over channels; each has a buffer for what comes, and a window for what goes. */
#include "ctl/mux.h"

#include "base/buf.h"
#include "base/error.h"
#include "rpc/call.h"
#include "rpc/frame.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WINDOW = 256 * 1024,
	PIECE = 16 * 1024,
	PIPE_PIECE = 4096, /* a pipe that poll calls writable takes so much without waiting */
	OUT_MAX = 1024 * 1024,
	NOISE_MAX = 64 * 1024,
	HEAD = 12,
};

enum kind {
	OPEN = 'o',    /* a connection, please */
	OPENED = 'O',  /* it stands */
	REFUSED = 'R', /* the errno (32 bits), and the fault as JSON */
	CARRY = 'f', /* a descriptor that goes with the next bytes of connection (the payload, 32 bits) */
	DATA = 'd',
	CREDIT = 'c', /* so many bytes (32 bits) are written */
	END = 'e',    /* no more data; a connection is half closed */
	CLOSE = 'x',  /* it is gone, once what came before is written */
};

enum mode { CONNECTION, TO_DAEMON, FROM_DAEMON, BOTH_WAYS };

struct channel {
	TAILQ_ENTRY(channel) entry;
	uint32_t id;
	enum mode mode;
	int fd;
	bool is_socket;
	bool reads;        /* from fd, for the other side */
	bool ends, closes; /* once `in` is written: half, or altogether */
	struct buf in;     /* to be written to fd */
	uint32_t credit;   /* so much the other side takes */
	struct pollfd *seen;
	int pass[FRAME_FDS_MAX]; /* go with the byte of `in` at pass_at */
	int pass_count;
	size_t pass_at;
};

struct opening {
	TAILQ_ENTRY(opening) entry;
	uint32_t id; /* 0: not yet asked for */
	int fd;      /* our end */
	bool done;
	int code;
	struct pt_error *err;
};

struct mux {
	int in, out, wake;
	int (*dial)(void *arg, struct pt_error *);
	void *arg;
	bool greeted, broken;
	struct buf received, sending;
	TAILQ_HEAD(, channel) channels;
	unsigned count;
	uint32_t last_id;
	pthread_mutex_t mutex; /* for what follows */
	pthread_cond_t settled;
	TAILQ_HEAD(, opening) openings;
	unsigned carrying; /* descriptors that the daemon writes to */
	bool ending, ended;
};

/* ---- frames ---- */

static void send_frame(struct mux *m, enum kind kind, enum mode mode, uint32_t id,
                       const void *bytes, size_t length)
{
	const uint32_t numbers[] = {htole32(id), htole32((uint32_t)length)};
	const char words[] = {(char)kind, (char)mode, 0, 0};
	buf_add(&m->sending, words, sizeof words);
	buf_add(&m->sending, numbers, sizeof numbers);
	if (length)
		buf_add(&m->sending, bytes, length);
}

static void send_number(struct mux *m, enum kind kind, enum mode mode, uint32_t id, uint32_t number)
{
	number = htole32(number);
	send_frame(m, kind, mode, id, &number, sizeof number);
}

/* ---- channels ---- */

static void count_carried(struct mux *m, const struct channel *c, int by)
{
	if (m->dial || (c->mode != FROM_DAEMON && c->mode != BOTH_WAYS))
		return;
	pthread_mutex_lock(&m->mutex);
	m->carrying += (unsigned)by;
	pthread_cond_broadcast(&m->settled);
	pthread_mutex_unlock(&m->mutex);
}

static struct channel *channel_new(struct mux *m, uint32_t id, enum mode mode, int fd)
{
	struct channel *c = must_calloc(1, sizeof *c);
	int type;
	socklen_t size = sizeof type;
	*c = (struct channel){.id = id, .mode = mode, .fd = fd, .credit = WINDOW};
	c->is_socket = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	c->reads = mode == CONNECTION || mode == BOTH_WAYS ||
	           mode == (m->dial ? FROM_DAEMON : TO_DAEMON);
	TAILQ_INSERT_TAIL(&m->channels, c, entry);
	m->count++;
	count_carried(m, c, 1);
	return c;
}

static void channel_free(struct mux *m, struct channel *c)
{
	TAILQ_REMOVE(&m->channels, c, entry);
	m->count--;
	for (int i = 0; i < c->pass_count; i++)
		close(c->pass[i]);
	close(c->fd);
	count_carried(m, c, -1);
	buf_free(&c->in);
	free(c);
}

static struct channel *channel_of(struct mux *m, uint32_t id)
{
	struct channel *c;
	TAILQ_FOREACH (c, &m->channels, entry)
		if (c->id == id)
			return c;
	return NULL;
}

/* Its descriptor is of no more use here. */
static void channel_gone(struct mux *m, struct channel *c)
{
	send_frame(m, CLOSE, 0, c->id, NULL, 0);
	channel_free(m, c);
}

/* ---- from descriptors ---- */

static void carry(struct mux *m, struct channel *c, int fd)
{
	int type, access = fcntl(fd, F_GETFL) & O_ACCMODE;
	socklen_t size = sizeof type;
	enum mode mode = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) ? BOTH_WAYS
	                 : access == O_RDONLY                               ? TO_DAEMON
	                                                                    : FROM_DAEMON;
	uint32_t id = ++m->last_id;
	send_number(m, CARRY, mode, id, c->id);
	channel_new(m, id, mode, fd);
}

static void take_descriptors(struct mux *m, struct channel *c, struct msghdr *message)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			carry(m, c, fd);
		}
	}
}

static ssize_t receive(struct mux *m, struct channel *c, char *bytes, size_t size)
{
	union {
		char bytes[CMSG_SPACE(FRAME_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec vector = {bytes, size};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof control.bytes};
	if (!c->is_socket)
		return read(c->fd, bytes, size);
	ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0 && c->mode == CONNECTION && !m->dial)
		take_descriptors(m, c, &message);
	return n;
}

/* False: the channel is gone. */
static bool read_channel(struct mux *m, struct channel *c)
{
	char bytes[PIECE];
	size_t size = c->credit < sizeof bytes ? c->credit : sizeof bytes;
	ssize_t n = receive(m, c, bytes, size);
	if (n > 0) {
		c->credit -= (uint32_t)n;
		send_frame(m, DATA, 0, c->id, bytes, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	c->reads = false;
	if (n < 0 || c->seen->revents & POLLHUP ||
	    (c->mode != CONNECTION && c->mode != BOTH_WAYS)) {
		channel_gone(m, c);
		return false;
	}
	send_frame(m, END, 0, c->id, NULL, 0);
	return true;
}

/* ---- to descriptors ---- */

static ssize_t send_with_descriptors(struct channel *c)
{
	union {
		char bytes[CMSG_SPACE(FRAME_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	size_t size = (size_t)c->pass_count * sizeof *c->pass;
	struct iovec vector = {c->in.data, c->in.length};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = CMSG_SPACE(size)};
	memset(&control, 0, sizeof control);
	struct cmsghdr *h = CMSG_FIRSTHDR(&message);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(h), c->pass, size);
	ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return n;
	for (int i = 0; i < c->pass_count; i++)
		close(c->pass[i]);
	c->pass_count = 0;
	return n;
}

static ssize_t write_some(struct channel *c)
{
	size_t length = c->in.length;
	if (c->pass_count && !c->pass_at)
		return send_with_descriptors(c);
	if (c->pass_count && length > c->pass_at)
		length = c->pass_at;
	if (c->is_socket)
		return send(c->fd, c->in.data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	return write(c->fd, c->in.data, length < PIPE_PIECE ? length : PIPE_PIECE);
}

/* What is left to be done once all is written. False: the channel is gone. */
static bool channel_settle(struct mux *m, struct channel *c)
{
	if (c->in.length)
		return true;
	if (c->closes) {
		channel_free(m, c);
		return false;
	}
	if (c->ends) {
		c->ends = false;
		shutdown(c->fd, SHUT_WR);
	}
	return true;
}

static void channel_end(struct mux *m, struct channel *c, bool altogether)
{
	c->closes = altogether;
	c->ends = !altogether;
	c->reads &= !altogether;
	channel_settle(m, c);
}

static bool write_channel(struct mux *m, struct channel *c)
{
	ssize_t n = write_some(c);
	if (n > 0) {
		buf_consume(&c->in, (size_t)n);
		c->pass_at -= (size_t)n < c->pass_at ? (size_t)n : c->pass_at;
		send_number(m, CREDIT, 0, c->id, (uint32_t)n);
		return channel_settle(m, c);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		channel_gone(m, c);
		return false;
	}
	return true;
}

/* ---- frames that come ---- */

static void dial_for(struct mux *m, uint32_t id)
{
	struct pt_error err = PT_ERROR_INIT;
	int fd = m->dial(m->arg, &err);
	if (fd >= 0) {
		channel_new(m, id, CONNECTION, fd);
		send_frame(m, OPENED, 0, id, NULL, 0);
		return;
	}
	json_t *json = rpc_error_to_json(&err);
	char *text = json_dumps(json, JSON_COMPACT);
	struct buf payload = BUF_INIT;
	const uint32_t code = htole32((uint32_t)-fd);
	buf_add(&payload, &code, sizeof code);
	buf_adds(&payload, text);
	send_frame(m, REFUSED, 0, id, payload.data, payload.length);
	buf_free(&payload);
	free(text);
	json_decref(json);
	pt_error_clear(&err);
}

static void take_fault(struct opening *o, const char *text, size_t length)
{
	json_t *json = json_loadb(text, length, 0, NULL);
	rpc_error_from_json(json, o->err);
	json_decref(json);
	if (o->err && o->err->count)
		o->err->faults[0].code = o->code;
}

/* `text`: of a refusal. */
static void settle_opening(struct mux *m, uint32_t id, int code, const char *text, size_t length)
{
	struct opening *o;
	pthread_mutex_lock(&m->mutex);
	TAILQ_FOREACH (o, &m->openings, entry)
		if (o->id == id)
			break;
	if (o) {
		o->code = code;
		o->done = true;
		if (text)
			take_fault(o, text, length);
		TAILQ_REMOVE(&m->openings, o, entry);
	}
	pthread_cond_broadcast(&m->settled);
	pthread_mutex_unlock(&m->mutex);
}

static void carried(struct mux *m, uint32_t id, enum mode mode, struct channel *connection)
{
	int ends[2];
	bool reads = mode == TO_DAEMON;
	if (!connection || connection->pass_count == FRAME_FDS_MAX ||
	    (mode == BOTH_WAYS ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
	                       : pipe2(ends, O_CLOEXEC))) {
		send_frame(m, CLOSE, 0, id, NULL, 0);
		return;
	}
	connection->pass[connection->pass_count++] = ends[reads ? 0 : 1];
	connection->pass_at = connection->in.length;
	channel_new(m, id, mode, ends[reads ? 1 : 0]);
}

static void take_frame(struct mux *m, const char *head, const char *bytes, size_t length)
{
	uint32_t id, number = 0;
	memcpy(&id, head + 4, sizeof id);
	id = le32toh(id);
	if (length >= sizeof number)
		memcpy(&number, bytes, sizeof number);
	number = le32toh(number);
	struct channel *c = channel_of(m, id);
	switch ((enum kind)head[0]) {
	case OPEN:
		if (m->dial)
			dial_for(m, id);
		break;
	case OPENED: settle_opening(m, id, 0, NULL, 0); break;
	case REFUSED:
		if (c)
			channel_free(m, c);
		if (length > sizeof number)
			settle_opening(m, id, -(int)number, bytes + sizeof number,
			               length - sizeof number);
		break;
	case CARRY:
		if (m->dial && !c)
			carried(m, id, (enum mode)head[1], channel_of(m, number));
		break;
	case DATA:
		if (c)
			buf_add(&c->in, bytes, length);
		break;
	case CREDIT:
		if (c)
			c->credit += number;
		break;
	case END:
	case CLOSE:
		if (c)
			channel_end(m, c, head[0] == CLOSE);
		break;
	}
}

/* What a shell says before the far side does is skipped. */
static bool take_greeting(struct mux *m)
{
	const struct buf *b = &m->received;
	const char *at =
		b->length ? memmem(b->data, b->length, MUX_GREETING, strlen(MUX_GREETING)) : NULL;
	if (at)
		buf_consume(&m->received, (size_t)(at - b->data) + strlen(MUX_GREETING));
	else if (b->length > NOISE_MAX)
		m->broken = true;
	m->greeted = at;
	return at;
}

static void take_frames(struct mux *m)
{
	size_t at = 0;
	if (!m->greeted && !take_greeting(m))
		return;
	const struct buf *b = &m->received;
	while (b->length - at >= HEAD) {
		uint32_t length;
		memcpy(&length, b->data + at + 8, sizeof length);
		length = le32toh(length);
		if (length > OUT_MAX) {
			m->broken = true;
			return;
		}
		if (b->length - at - HEAD < length)
			break;
		take_frame(m, b->data + at, b->data + at + HEAD, length);
		at += HEAD + length;
	}
	buf_consume(&m->received, at);
}

/* ---- the loop ---- */

static void read_in(struct mux *m)
{
	enum { SIZE = 64 * 1024 };
	ssize_t n = read(m->in, buf_reserve(&m->received, SIZE), SIZE);
	if (n > 0) {
		m->received.length += (size_t)n;
		take_frames(m);
	} else if (!n || (errno != EAGAIN && errno != EINTR)) {
		m->broken = true;
	}
}

static void write_out(struct mux *m)
{
	ssize_t n = write(m->out, m->sending.data, m->sending.length);
	if (n > 0)
		buf_consume(&m->sending, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		m->broken = true;
}

/* Connections that were asked for meanwhile; the end, once what is under way is written. */
static void take_wishes(struct mux *m)
{
	struct opening *o;
	eventfd_t count;
	eventfd_read(m->wake, &count);
	pthread_mutex_lock(&m->mutex);
	TAILQ_FOREACH (o, &m->openings, entry) {
		if (o->id)
			continue;
		o->id = ++m->last_id;
		send_frame(m, OPEN, 0, o->id, NULL, 0);
		channel_new(m, o->id, CONNECTION, o->fd);
	}
	pthread_mutex_unlock(&m->mutex);
}

static bool is_ending(struct mux *m)
{
	pthread_mutex_lock(&m->mutex);
	bool ending = m->ending;
	pthread_mutex_unlock(&m->mutex);
	return ending;
}

static short wanted(const struct mux *m, const struct channel *c)
{
	bool reads = c->reads && c->credit && m->sending.length < OUT_MAX;
	return (short)((reads ? POLLIN : 0) | (c->in.length ? POLLOUT : 0));
}

static struct pollfd *watch(struct mux *m, struct pollfd *fds)
{
	fds[0] = (struct pollfd){m->in, POLLIN, 0};
	fds[1] = (struct pollfd){m->out, m->sending.length ? POLLOUT : 0, 0};
	fds[2] = (struct pollfd){m->wake, POLLIN, 0};
	struct pollfd *next = fds + 3;
	struct channel *c;
	TAILQ_FOREACH (c, &m->channels, entry) {
		short events = wanted(m, c);
		/* who may not read now would be told of a hang-up again and again */
		*next = (struct pollfd){events || !c->reads ? c->fd : -1, events, 0};
		c->seen = next++;
	}
	return next;
}

static void serve_channel(struct mux *m, struct channel *c)
{
	short events = c->seen->revents;
	if (events & POLLOUT && c->in.length && !write_channel(m, c))
		return;
	if (c->reads && c->credit && events & (POLLIN | POLLHUP | POLLERR))
		read_channel(m, c);
	else if (events & POLLERR || (events & POLLHUP && !c->in.length))
		channel_gone(m, c); /* nobody reads what would be written */
}

static void turn(struct mux *m)
{
	struct pollfd *fds = must_calloc(m->count + 3, sizeof *fds);
	struct channel *c, *next;
	watch(m, fds);
	if (poll(fds, m->count + 3, -1) > 0) {
		for (c = TAILQ_FIRST(&m->channels); c; c = next) {
			next = TAILQ_NEXT(c, entry);
			if (c->seen)
				serve_channel(m, c);
		}
		if (fds[2].revents)
			take_wishes(m);
		if (fds[0].revents)
			read_in(m);
		else if (fds[1].revents & (POLLERR | POLLHUP))
			m->broken = true;
		if (fds[1].revents & POLLOUT)
			write_out(m);
	}
	free(fds);
}

void mux_run(struct mux *m)
{
	while (!m->broken && !is_ending(m))
		turn(m);
	pthread_mutex_lock(&m->mutex);
	struct opening *o;
	m->ended = true;
	while ((o = TAILQ_FIRST(&m->openings))) {
		TAILQ_REMOVE(&m->openings, o, entry);
		if (!o->id)
			close(o->fd);
		o->code = -EPIPE;
		o->done = true;
	}
	pthread_cond_broadcast(&m->settled);
	pthread_mutex_unlock(&m->mutex);
	while (!TAILQ_EMPTY(&m->channels))
		channel_free(m, TAILQ_FIRST(&m->channels));
}

/* ---- from other threads ---- */

int mux_open(struct mux *m, int *fd, struct pt_error *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return pt_fail(err, -errno, NULL, "no pair of sockets: %s", error_words(errno));
	struct opening o = {.fd = ends[1], .err = err};
	pthread_mutex_lock(&m->mutex);
	if (m->ended) {
		close(ends[1]);
		o = (struct opening){.done = true, .code = -EPIPE};
	} else {
		TAILQ_INSERT_TAIL(&m->openings, &o, entry);
		eventfd_write(m->wake, 1);
	}
	while (!o.done)
		pthread_cond_wait(&m->settled, &m->mutex);
	pthread_mutex_unlock(&m->mutex);
	if (o.code)
		close(ends[0]);
	else
		*fd = ends[0];
	return o.code;
}

bool mux_has_ended(struct mux *m)
{
	pthread_mutex_lock(&m->mutex);
	bool ended = m->ended;
	pthread_mutex_unlock(&m->mutex);
	return ended;
}

void mux_drain(struct mux *m)
{
	pthread_mutex_lock(&m->mutex);
	while (m->carrying && !m->ended)
		pthread_cond_wait(&m->settled, &m->mutex);
	pthread_mutex_unlock(&m->mutex);
}

void mux_end(struct mux *m)
{
	pthread_mutex_lock(&m->mutex);
	m->ending = true;
	eventfd_write(m->wake, 1);
	pthread_mutex_unlock(&m->mutex);
}

/* ---- life ---- */

struct mux *mux_new(int in, int out, int (*dial)(void *arg, struct pt_error *), void *arg)
{
	struct mux *m = must_calloc(1, sizeof *m);
	*m = (struct mux){.in = in, .out = out, .dial = dial, .arg = arg, .greeted = dial};
	m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake < 0) {
		free(m);
		return NULL;
	}
	TAILQ_INIT(&m->channels);
	TAILQ_INIT(&m->openings);
	pthread_mutex_init(&m->mutex, NULL);
	pthread_cond_init(&m->settled, NULL);
	if (dial)
		buf_adds(&m->sending, MUX_GREETING);
	return m;
}

void mux_free(struct mux *m)
{
	close(m->in);
	if (m->out != m->in)
		close(m->out);
	close(m->wake);
	buf_free(&m->received);
	buf_free(&m->sending);
	pthread_mutex_destroy(&m->mutex);
	pthread_cond_destroy(&m->settled);
	free(m);
}
