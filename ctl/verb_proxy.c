/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl proxy: standard input and output as the daemon's socket. */
#include "base/error.h"
#include "base/io.h"
#include "base/thread.h"
#include "ctl/ctl.h"
#include "ctl/mux.h"
#include "ctl/verb.h"
#include "rpc/dial.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (64 * 1024)

/* Passes on all that comes, until the end of `from`, a fault, or the end of who reads `to`. */
static void pass(int from, int to)
{
	char piece[PIECE];
	ssize_t n = 1;
	while (n) {
		struct pollfd wait[] = {{from, POLLIN, 0}, {to, 0, 0}};
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return;
		if (wait[1].revents & (POLLERR | POLLHUP))
			return;
		if (!wait[0].revents)
			continue;
		n = read(from, piece, sizeof piece);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 || io_write(to, piece, (size_t)n))
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

static int dial_daemon(void *arg, struct pt_error *err)
{
	const struct ctl *ctl = arg;
	char *usual = ctl->socket ? NULL : pt_client_default_path();
	int fd = dial(usual ? usual : ctl->socket, err);
	free(usual);
	return fd;
}

static int proxy_many(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct mux *mux = mux_new(STDIN_FILENO, STDOUT_FILENO, dial_daemon, ctl);
	if (!mux) {
		pt_fail(&err, -errno, NULL, "no way to the daemon: %s", error_words(errno));
		return ctl_refused(ctl, &err);
	}
	mux_run(mux);
	mux_free(mux);
	return EXIT_DONE;
}

/* Neither way waits for the other: the daemon does not read from who does not read its answers. */
int verb_proxy(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	static int fd; /* the thread may outlive this call */
	if (ctl_flag(ctl, "many"))
		return proxy_many(ctl);
	fd = dial_daemon(ctl, &err);
	if (fd < 0)
		return ctl_refused(ctl, &err);
	/* nobody waits for it: at the end it may still wait for its input */
	if (thread_start("what passes on requests", 0, pass_requests, &fd, NULL, &err))
		return ctl_refused(ctl, &err);
	pass(fd, STDOUT_FILENO);
	return EXIT_DONE;
}
