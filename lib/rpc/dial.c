/* SPDX-License-Identifier: BSD-2-Clause */
/* Connects to a Unix socket without ever hanging. */
#include "rpc/dial.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "paths.h"
#include <errno.h>
#include <pipetool/client.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_SOCKET PIPETOOL_RUN_DIR "/control.sock"

enum {
	PATIENCE_MS = 2000,
	KNOCK_MS = 10, /* between two tries at a full door */
};

char *pt_client_default_path(void)
{
	const char *told = getenv("PIPETOOL_SOCKET"), *home = getenv("XDG_RUNTIME_DIR");
	if (told && *told)
		return must_strdup(told);
	if (!geteuid() || !eaccess(SYSTEM_SOCKET, R_OK | W_OK) || !home || !*home)
		return must_strdup(SYSTEM_SOCKET);
	return must_printf("%s/pipetool/control.sock", home);
}

/* What is there is another thing. */
static bool is_other(const char *path)
{
	struct stat st;
	return !stat(path, &st) && !S_ISSOCK(st.st_mode);
}

static int refused(const char *path, int code, struct pt_error *err)
{
	switch (-code) {
	case EINVAL:
		pt_fail(err, -ENOENT, NULL, "the socket's path is empty");
		pt_hint(err, "name the daemon's socket with -s, or leave -s out");
		return -ENOENT;
	case ENOENT:
		pt_fail(err, code, NULL, "no daemon listens on %s", path);
		pt_hint(err,
		        "start it with 'systemctl start pipetoold', or name its socket with -s");
		if (strcmp(path, SYSTEM_SOCKET) != 0 && eaccess(SYSTEM_SOCKET, W_OK) &&
		    errno == EACCES)
			pt_hint(err,
			        "the daemon of the system, at %s, is for root and the group "
			        "pipetool; or name a socket with -s",
			        SYSTEM_SOCKET);
		return code;
	case ECONNREFUSED:
		pt_fail(err, code, NULL,
		        is_other(path) ? "%s is no socket" : "no daemon listens on %s any more",
		        path);
		pt_hint(err,
		        "start it with 'systemctl start pipetoold', or name its socket with -s");
		return code;
	case EACCES:
	case EPERM:
		pt_fail(err, code, NULL, "not allowed to connect to %s", path);
		pt_hint(err, "it is for root and the group pipetool: 'adduser USER pipetool', then "
		             "log in again");
		return code;
	case ETIMEDOUT:
		pt_fail(err, -PT_ETIMEOUT, NULL,
		        "the daemon at %s lets nobody in: it is busy or stuck", path);
		return -PT_ETIMEOUT;
	default:
		return pt_fail(err, code, NULL, "cannot connect to %s: %s", path,
		               error_words(code));
	}
}

/* A connection that is under way has come about, or not. */
static int settle(int fd, long until)
{
	struct pollfd poll_fd = {fd, POLLOUT, 0};
	int error = 0, ready;
	socklen_t size = sizeof error;
	do {
		long left = until - clock_ms();
		ready = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return -error;
}

static int knock(int fd, const struct sockaddr_un *address)
{
	long until = clock_ms() + PATIENCE_MS;
	for (;;) {
		if (!connect(fd, (const struct sockaddr *)address, sizeof *address))
			return 0;
		if (errno == EINPROGRESS)
			return settle(fd, until);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_ms() >= until)
			return -ETIMEDOUT;
		if (errno == EAGAIN)
			poll(NULL, 0, KNOCK_MS);
	}
}

int dial(const char *path, struct pt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!*path)
		return refused(path, -EINVAL, err);
	if (strlen(path) >= sizeof address.sun_path)
		return refused(path, -ENAMETOOLONG, err);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refused(path, -errno, err);
	int code = knock(fd, &address);
	if (!code)
		return fd;
	close(fd);
	return refused(path, code, err);
}
