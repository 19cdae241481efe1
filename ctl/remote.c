/* SPDX-License-Identifier: BSD-2-Clause */
/* ssh as the way to the socket: a child, and a thread that serves its pipe. */
#include "ctl/remote.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread.h"
#include "ctl/child.h"
#include "ctl/mux.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, NOT_FOUND = 127, SSH_FAILED = 255 };

struct remote {
	struct mux *mux;
	pthread_t thread;
	pid_t child;
};

/* As one word for the shell over there. */
static char *quoted(const char *word)
{
	struct buf b = BUF_INIT;
	buf_addc(&b, '\'');
	for (; *word; word++)
		buf_adds(&b, *word == '\'' ? "'\\''" : (const char[]){*word, 0});
	buf_addc(&b, '\'');
	return buf_steal(&b);
}

static char *command_of(const char *socket)
{
	if (!socket)
		return must_strdup("ptctl proxy --many");
	char *path = quoted(socket), *command = must_printf("ptctl -s %s proxy --many", path);
	free(path);
	return command;
}

/* ---- the child ---- */

static int spawn(struct remote *r, const char *host, const char *socket, double timeout_s, int end,
                 struct pt_error *err)
{
	const char *given = getenv("PTCTL_SSH"), *program = given && *given ? given : "ssh";
	char *command = command_of(socket);
	char *patience = must_printf("-oConnectTimeout=%d", timeout_s < 1e6 ? (int)timeout_s : 0);
	char *const arguments[] = {(char *)(uintptr_t)program,
	                           patience,
	                           (char *)(uintptr_t) "-T",
	                           (char *)(uintptr_t) "--",
	                           (char *)(uintptr_t)host,
	                           command,
	                           NULL};
	int rc = child_start(arguments, end, end, -1, false, &r->child, err);
	free(command);
	free(patience);
	return rc;
}

/* ---- the thread ---- */

static void *serve(void *arg)
{
	struct remote *r = arg;
	mux_run(r->mux);
	return NULL;
}

static int begin_serving(struct remote *r, int fd, struct pt_error *err)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r->mux = mux_new(fd, fd, NULL, NULL);
	if (!r->mux) {
		close(fd);
		return pt_fail(err, -errno, NULL, "no way to ssh: %s", error_words(errno));
	}
	int rc = thread_start("what serves ssh", 0, serve, r, &r->thread, err);
	if (rc)
		mux_free(r->mux);
	return rc;
}

static int begin(struct remote *r, const char *host, const char *socket, double timeout_s,
                 struct pt_error *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return pt_fail(err, -errno, NULL, "no pipe to ssh: %s", error_words(errno));
	int rc = spawn(r, host, socket, timeout_s, ends[1], err);
	close(ends[1]);
	if (rc) {
		close(ends[0]);
		return rc;
	}
	rc = begin_serving(r, ends[0], err);
	if (rc)
		program_end(r->child, PATIENCE_MS);
	return rc;
}

/* The status of ssh. */
static int finish(struct remote *r)
{
	mux_end(r->mux);
	pthread_join(r->thread, NULL);
	mux_free(r->mux);
	int status = program_end(r->child, PATIENCE_MS);
	free(r);
	return status;
}

/* ssh has said, on standard error, what it knows. */
static int explain(int status, const char *host, struct pt_error *err)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (code == NOT_FOUND) {
		pt_fail(err, -ECONNREFUSED, NULL, "there is no ptctl on '%s'", host);
		pt_hint(err, "install pipetool there, so that 'ssh %s ptctl list' works", host);
	} else if (code == SSH_FAILED) {
		pt_fail(err, -ECONNREFUSED, NULL, "no connection to '%s' by ssh", host);
	} else if (code) {
		pt_fail(err, -ECONNREFUSED, NULL, "the way to '%s' has ended", host);
		pt_hint(err, "see what 'ssh %s ptctl list' says", host);
	} else {
		pt_fail(err, -ECONNREFUSED, NULL, "what answers on '%s' is not this ptctl's proxy",
		        host);
		pt_hint(err, "is pipetool there older than here?");
	}
	return -ECONNREFUSED;
}

/* ---- connections ---- */

int remote_open(struct remote **remote, const char *host, const char *socket, double timeout_s,
                double login_s, struct pt_client **client, struct pt_error *err)
{
	struct remote *r = *remote;
	double until_s = clock_s() + login_s;
	int fd, rc;
	if (!r) {
		r = must_calloc(1, sizeof *r);
		rc = begin(r, host, socket, timeout_s, err);
		if (rc) {
			free(r);
			return rc;
		}
		*remote = r;
	}
	struct pt_error faults = PT_ERROR_INIT;
	rc = mux_open(r->mux, (unsigned)ceil(login_s), &fd, &faults);
	if (!rc)
		return pt_client_open_fds(fd, fd, client);
	if (faults.count) {
		error_introduce(&faults, 0, host); /* found over there */
	} else {
		bool late = login_s > 0 && clock_s() >= until_s;
		*remote = NULL;
		if (late)
			kill(r->child, SIGTERM);
		rc = explain(finish(r), host, late ? NULL : &faults);
		if (late)
			rc = pt_fail(&faults, -PT_ETIMEOUT, NULL,
			             "'%s' does not answer within %g s", host, login_s);
	}
	error_move(err, &faults);
	return rc;
}

bool remote_is_lost(struct remote *r)
{
	return r && mux_has_ended(r->mux);
}

void remote_end(struct remote *r)
{
	if (!r)
		return;
	mux_drain(r->mux);
	finish(r);
}
