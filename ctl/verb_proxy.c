/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl proxy: standard input and output as the daemon's socket. */
#include "ctl/ctl.h"
#include "ctl/verb.h"
#include "rpc/dial.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

/* Passes on all that comes, until the end of `from` or a fault. */
static void pass(int from, int to)
{
	char piece[PIECE];
	ssize_t n = 1;
	while (n) {
		struct pollfd wait = {from, POLLIN, 0};
		n = read(from, piece, sizeof piece);
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && poll(&wait, 1, -1) >= 0)))
			continue;
		if (n < 0 || write_all(to, piece, (size_t)n))
			return;
	}
}

static void *pass_requests(void *arg)
{
	const int *fd = arg;
	pass(STDIN_FILENO, *fd);
	shutdown(*fd, SHUT_WR); /* the answers to what was asked still come */
	return NULL;
}

/* Neither way waits for the other: the daemon does not read from who does not read its answers. */
static int proxy(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	char *usual = ctl->socket ? NULL : pt_client_default_path();
	static int fd; /* the thread may outlive this call */
	pthread_t requests;
	fd = dial(usual ? usual : ctl->socket, &err);
	free(usual);
	if (fd < 0)
		return ctl_refused(ctl, &err);
	if (pthread_create(&requests, NULL, pass_requests, &fd))
		abort();
	pthread_detach(requests); /* at the end it may still wait for its input */
	pass(fd, STDOUT_FILENO);
	return EXIT_DONE;
}
