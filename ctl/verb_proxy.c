/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl proxy: standard input and output as the daemon's socket. */
#include "ctl/ctl.h"
#include "ctl/verb.h"
#include "rpc/dial.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (64 * 1024)

static int proxy(struct ctl *);

const struct verb verb_proxy = {
	.name = "proxy",
	.summary = "pass standard input and output to and from the control socket",
	.help = "What `ptctl -H HOST` runs on the other side, by ssh. It ends when either side "
		"does.\n"
		"\n"
		"  ssh host ptctl proxy",
	.run = proxy,
};

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);
		struct pollfd wait = {fd, POLLOUT, 0};
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && poll(&wait, 1, -1) >= 0)))
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Passes on what is there; 0 at the end of `from`. */
static int pass(int from, int to)
{
	static char piece[PIECE];
	ssize_t n = read(from, piece, sizeof piece);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	return write_all(to, piece, (size_t)n) ? 0 : 1;
}

static int proxy(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	char *usual = ctl->socket ? NULL : pt_client_default_path();
	int fd = dial(usual ? usual : ctl->socket, &err);
	free(usual);
	if (fd < 0)
		return ctl_refused(ctl, &err);
	struct pollfd ends[2] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};
	while (poll(ends, 2, -1) >= 0 || errno == EINTR) {
		if (ends[0].revents && !pass(STDIN_FILENO, fd)) {
			shutdown(fd, SHUT_WR); /* the answers to what was asked still come */
			ends[0].fd = -1;
		}
		if (ends[1].revents && !pass(fd, STDOUT_FILENO))
			break;
	}
	close(fd);
	return EXIT_DONE;
}
