/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocking writes with a deadline, and a close that resets nothing. */
#include "net/linger.h"

#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS    5000
#define WHOLE_MS   60000
#define CONFIRM_MS 2000
#define LOOK_MS    10
#define DISCARD    (1024 * 1024)

static ssize_t write_some(int fd, const uint8_t *bytes, size_t length)
{
	ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == ENOTSOCK)
		n = write(fd, bytes, length);
	return n < 0 ? -errno : n;
}

static int write_all(int fd, const uint8_t *bytes, size_t length, size_t *written,
                     struct pt_error *err)
{
	long until_ms = clock_ms() + WHOLE_MS;
	for (*written = 0; *written < length;) {
		struct pollfd room = {fd, POLLOUT, 0};
		size_t left = length - *written;
		ssize_t n = write_some(fd, bytes + *written, left);
		if (n >= 0) {
			*written += (size_t)n;
		} else if (n == -EAGAIN &&
		           (clock_ms() > until_ms || poll(&room, 1, IDLE_MS) == 0)) {
			return pt_fail(
				err, -ETIMEDOUT, NULL,
				"%zu bytes could not be written: the other side does not read",
				left);
		} else if (n != -EAGAIN && n != -EINTR) {
			return pt_fail(err, (int)n, NULL, "%zu bytes could not be written: %s",
			               left, error_words((int)n));
		}
	}
	return 0;
}

/* What the peer still sends, thrown away; false: there is nothing. */
static bool discard(int fd)
{
	bool any = false;
	while (recv(fd, NULL, DISCARD, MSG_DONTWAIT | MSG_TRUNC) > 0)
		any = true;
	return any;
}

static bool is_unconfirmed(int fd)
{
	int left;
	return ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0;
}

static void confirm(int fd)
{
	int protocol = 0;
	socklen_t length = sizeof protocol;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) || protocol != IPPROTO_TCP)
		return;
	shutdown(fd, SHUT_WR);
	bool sends = discard(fd);
	for (long until_ms = clock_ms() + CONFIRM_MS;
	     sends && is_unconfirmed(fd) && clock_ms() < until_ms;) {
		poll(NULL, 0, LOOK_MS);
		discard(fd);
	}
}

int linger(int fd, const uint8_t *bytes, size_t length, size_t *written, struct pt_error *err)
{
	int rc = write_all(fd, bytes, length, written, err);
	if (rc == 0)
		confirm(fd);
	return rc;
}
