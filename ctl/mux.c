/* SPDX-License-Identifier: BSD-2-Clause */
/* A poll loop over channels (mux_channel.c), and who waits for it in another thread. */
#include "ctl/mux.h"

#include "base/error.h"
#include "base/fds.h"
#include "base/io.h"
#include "ctl/mux_inside.h"
#include "rpc/call.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OUT_MAX = 1024 * 1024,
	NOISE_MAX = 64 * 1024,
};

/* ---- frames that come ---- */

static void dial_for(struct mux *m, uint32_t id)
{
	struct pt_error err = PT_ERROR_INIT;
	int fd = m->dial(m->arg, &err);
	if (fd >= 0) {
		mux_channel_new(m, id, CONNECTION, fd);
		mux_send(m, OPENED, 0, id, NULL, 0);
		return;
	}
	json_t *json = rpc_error_to_json(&err);
	char *text = json_dumps(json, JSON_COMPACT);
	char *payload = must_printf("0000%s", text);
	const uint32_t code = htole32((uint32_t)-fd);
	memcpy(payload, &code, sizeof code);
	mux_send(m, REFUSED, 0, id, payload, sizeof code + strlen(text));
	free(payload);
	free(text);
	json_decref(json);
	pt_error_clear(&err);
}

/* Tells who waits for it; `payload` is of a refusal. */
static void settle_opening(struct mux *m, uint32_t id, const char *payload, size_t length)
{
	const uint32_t size = (uint32_t)length;
	if (id != m->opening || id == 0)
		return;
	m->opening = 0;
	m->broken |=
		io_write(m->wishes, &size, sizeof size) || io_write(m->wishes, payload, length);
}

static void carried(struct mux *m, uint32_t id, enum mode mode, struct channel *connection)
{
	int ends[2];
	bool reads = mode == TO_DAEMON;
	if (!connection || connection->pass_count == FRAME_FDS_MAX ||
	    (mode == BOTH_WAYS ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
	                       : pipe2(ends, O_CLOEXEC))) {
		mux_send(m, CLOSE, 0, id, NULL, 0);
		return;
	}
	connection->pass[connection->pass_count++] = ends[reads ? 0 : 1];
	connection->pass_at = connection->in.length;
	mux_channel_new(m, id, mode, ends[reads ? 1 : 0]);
}

static void take_frame(struct mux *m, const struct head *head, const char *bytes, size_t length)
{
	uint32_t id = le32toh(head->id), number = 0;
	memcpy(&number, bytes, length < sizeof number ? length : sizeof number);
	number = le32toh(number);
	struct channel *c = mux_channel_of(m, id);
	switch ((enum kind)head->kind) {
	case OPEN:
		if (m->dial)
			dial_for(m, id);
		break;
	case OPENED: settle_opening(m, id, "", 0); break;
	case REFUSED:
		if (c)
			mux_channel_free(m, c);
		settle_opening(m, id, bytes, length);
		break;
	case CARRY:
		if (m->dial && !c)
			carried(m, id, (enum mode)head->mode, mux_channel_of(m, number));
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
			mux_channel_end(m, c, head->kind == CLOSE);
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
	struct head head;
	while (b->length - at >= sizeof head) {
		memcpy(&head, b->data + at, sizeof head);
		size_t length = le32toh(head.length);
		m->broken |= length > OUT_MAX;
		if (b->length - at - sizeof head < length || m->broken)
			break;
		at += sizeof head;
		take_frame(m, &head, b->data + at, length);
		at += length;
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
	} else if (!n || mux_failed(n)) {
		m->broken = true;
	}
}

static void write_out(struct mux *m)
{
	ssize_t n = write(m->out, m->sending.data, m->sending.length);
	if (n > 0)
		buf_consume(&m->sending, (size_t)n);
	else if (mux_failed(n))
		m->broken = true;
}

/* A byte that comes with a descriptor wishes it to be a connection, another to be told when nothing
   is carried any more; their end is ours. */
static void take_wishes(struct mux *m)
{
	char wish = 0;
	int fds[FDS_MAX], count;
	ssize_t n = fds_receive(m->wishes, &wish, 1, fds, &count);
	if (n > 0 && count) {
		m->opening = ++m->last_id;
		mux_send(m, OPEN, 0, m->opening, NULL, 0);
		mux_channel_new(m, m->opening, CONNECTION, fds[0]);
	} else if (n > 0) {
		m->draining = true;
	} else if (!n || mux_failed(n)) {
		m->broken = true;
	}
}

static void tell_drained(struct mux *m)
{
	if (!m->draining || m->carrying)
		return;
	m->draining = false;
	m->broken |= io_write(m->wishes, "", 1);
}

static short wanted(const struct mux *m, const struct channel *c)
{
	bool reads = c->reads && c->credit && m->sending.length < OUT_MAX;
	return (short)((reads ? POLLIN : 0) | (c->in.length ? POLLOUT : 0));
}

static void watch(struct mux *m, struct pollfd *fds)
{
	fds[0] = (struct pollfd){m->in, POLLIN, 0};
	fds[1] = (struct pollfd){m->out, m->sending.length ? POLLOUT : 0, 0};
	fds[2] = (struct pollfd){m->wishes, POLLIN, 0};
	struct pollfd *next = fds + 3;
	struct channel *c;
	TAILQ_FOREACH (c, &m->channels, entry) {
		short events = wanted(m, c);
		/* who may not read now would be told of a hang-up again and again */
		*next = (struct pollfd){events || !c->reads ? c->fd : -1, events, 0};
		c->seen = next++;
	}
}

static void serve_channel(struct mux *m, struct channel *c)
{
	short events = c->seen->revents;
	if (events & POLLOUT && c->in.length && !mux_channel_write(m, c))
		return;
	if (c->reads && c->credit && events & (POLLIN | POLLHUP | POLLERR))
		mux_channel_read(m, c);
	else if (events & POLLERR || (events & POLLHUP && !c->in.length))
		mux_channel_gone(m, c); /* nobody reads what would be written */
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
	while (!m->broken) {
		turn(m);
		tell_drained(m);
	}
	while (!TAILQ_EMPTY(&m->channels))
		mux_channel_free(m, TAILQ_FIRST(&m->channels));
	if (m->wishes >= 0)
		close(m->wishes); /* who waits is told by that */
	m->wishes = -1;
}

/* ---- from another thread ---- */

/* All of an answer; false: the mux has ended. */
static bool hear(struct mux *m, char *answer, size_t length)
{
	while (length) {
		ssize_t n = recv(m->user, answer, length, 0);
		if (!n || (n < 0 && errno != EINTR))
			return false;
		answer += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* The errno of a refusal, and the fault in JSON. */
static int take_fault(const char *payload, size_t length, struct pt_error *err)
{
	uint32_t number;
	memcpy(&number, payload, sizeof number);
	int code = -(int)le32toh(number);
	json_t *json = json_loadb(payload + sizeof number, length - sizeof number, 0, NULL);
	rpc_error_from_json(json, err);
	json_decref(json);
	if (err && err->count)
		err->faults[0].code = code;
	return code;
}

static int hear_opening(struct mux *m, struct pt_error *err)
{
	uint32_t length;
	struct buf payload = BUF_INIT;
	int code = -EPIPE;
	if (hear(m, (char *)&length, sizeof length) &&
	    hear(m, buf_reserve(&payload, length), length))
		code = length > sizeof length ? take_fault(payload.data, length, err) : 0;
	buf_free(&payload);
	return code;
}

int mux_open(struct mux *m, unsigned patience_s, int *fd, struct pt_error *err)
{
	int ends[2];
	const struct timeval most = {patience_s, 0};
	setsockopt(m->user, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return pt_fail(err, -errno, NULL, "no pair of sockets: %s", error_words(errno));
	bool sent = fds_send(m->user, "", 1, &ends[1], 1) == 1;
	close(ends[1]);
	int code = sent ? hear_opening(m, err) : -EPIPE;
	if (code)
		close(ends[0]);
	else
		*fd = ends[0];
	return code;
}

bool mux_has_ended(struct mux *m)
{
	struct pollfd user = {m->user, 0, 0};
	return poll(&user, 1, 0) > 0;
}

void mux_drain(struct mux *m)
{
	char told;
	if (send(m->user, "", 1, MSG_NOSIGNAL) == 1)
		hear(m, &told, 1);
}

void mux_end(struct mux *m)
{
	shutdown(m->user, SHUT_WR);
}

/* ---- life ---- */

struct mux *mux_new(int in, int out, int (*dial)(void *arg, struct pt_error *), void *arg)
{
	int ends[2] = {-1, -1};
	if (!dial && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return NULL;
	struct mux *m = must_calloc(1, sizeof *m);
	*m = (struct mux){.in = in, .out = out, .user = ends[0], .wishes = ends[1]};
	m->dial = dial;
	m->arg = arg;
	m->greeted = dial;
	TAILQ_INIT(&m->channels);
	if (dial)
		buf_adds(&m->sending, MUX_GREETING);
	return m;
}

void mux_free(struct mux *m)
{
	const int fds[] = {m->in, m->out != m->in ? m->out : -1, m->user, m->wishes};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_free(&m->received);
	buf_free(&m->sending);
	free(m);
}
