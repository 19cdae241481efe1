/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves lines over descriptors that do not block. */
#include "rpc/wire.h"

#include "base/clock.h"
#include "base/fds.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)1 << 30)
#define READ_SIZE      (64 * 1024)

int64_t wire_deadline(double timeout_s)
{
	if (timeout_s < 0 || timeout_s > 1e9)
		return WIRE_FOREVER;
	return (int64_t)clock_ns() + (timeout_s > 0 ? (int64_t)(timeout_s * 1e9) : 0);
}

/* As poll wants it, rounded up so that the time is out afterwards. */
static int left_ms(int64_t deadline)
{
	if (deadline == WIRE_FOREVER)
		return -1;
	int64_t left = (deadline - (int64_t)clock_ns() + 999999) / 1000000;
	return left < 0 ? 0 : left > 1000000000 ? 1000000000 : (int)left;
}

void wire_init(struct wire *w, int in, int out)
{
	int domain = 0;
	socklen_t size = sizeof domain;
	*w = (struct wire){.in = in, .out = out};
	frame_init(&w->frame, LINE_MAX_BYTES, NULL);
	fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
	fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
	w->is_socket = !getsockopt(out, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	w->is_local = w->is_socket && domain == AF_UNIX;
}

void wire_fini(struct wire *w)
{
	close(w->in);
	if (w->out != w->in)
		close(w->out);
	frame_fini(&w->frame);
}

/* write(2) on a pipe, without the signal that a closed one brings. */
static ssize_t write_some(struct wire *w, const char *bytes, size_t length)
{
	sigset_t pipe_signal, before, pending;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	ssize_t n = write(w->out, bytes, length);
	int error = errno;
	if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe_signal, NULL, &(struct timespec){0}) < 0 &&
		       errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return n;
}

/* Reads what is there. 0 also if nothing was; -EPIPE at the end. */
static int read_some(struct wire *w)
{
	ssize_t n = read(w->in, frame_room(&w->frame, READ_SIZE), READ_SIZE);
	if (n > 0)
		frame_filled(&w->frame, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	w->ended = true;
	w->unread = n < 0 && errno == ECONNRESET && w->is_local;
	return n < 0 && errno != ECONNRESET ? -errno : -EPIPE;
}

/* Waits until the peer takes or gives something. */
static int wait_for(struct wire *w, bool to_send, int64_t deadline)
{
	struct pollfd fds[2] = {{w->ended ? -1 : w->in, POLLIN, 0},
	                        {to_send ? w->out : -1, POLLOUT, 0}};
	int ready = poll(fds, 2, left_ms(deadline));
	if (ready < 0)
		return -errno;
	if (!ready)
		return -ETIMEDOUT;
	return fds[0].revents ? read_some(w) : 0;
}

int wire_send(struct wire *w, const char *bytes, size_t length, const int *fds, int fd_count,
              int64_t deadline)
{
	while (length) {
		ssize_t n = w->is_socket ? fds_send(w->out, bytes, length, fds, fd_count)
		                         : write_some(w, bytes, length);
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
			fd_count = 0;
			continue;
		}
		if (n < 0 && errno == ECONNRESET)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int code = wait_for(w, true, deadline);
		if (code && code != -EINTR)
			return code;
	}
	return 0;
}

int wire_receive(struct wire *w, int64_t deadline, bool interruptible, const char **line,
                 size_t *length)
{
	for (;;) {
		switch (frame_next(&w->frame, w->ended, line, length)) {
		case FRAME_LINE: return 0;
		case FRAME_TOO_LONG:
		case FRAME_CROWDED: return -EMSGSIZE;
		case FRAME_NONE: break;
		}
		if (w->ended)
			return -EPIPE;
		int code = wait_for(w, false, deadline);
		if (code == -EINTR && interruptible)
			return code;
		if (code && code != -EINTR && code != -EPIPE)
			return code;
	}
}
