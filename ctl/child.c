/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that works for this process, and ends with it. */
#include "ctl/child.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_PASSED = 3 };

/* See sd_listen_fds(3). */
static void pass(int listener)
{
	char pid[24];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	dup2(listener, FIRST_PASSED);
	fcntl(FIRST_PASSED, F_SETFD, 0);
}

/* `started` is closed by exec, or told why there was none. */
static void become(char *const *argv, int in, int out, int listener, bool apart, int started,
                   pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL); /* a thread may have begun it, to which none comes */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	if (apart)
		setpgid(0, 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	started = fcntl(started, F_DUPFD_CLOEXEC, FIRST_PASSED + 1);
	if (listener >= 0)
		pass(listener);
	signal(SIGINT, apart ? SIG_DFL : SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	int error = errno;
	if (write(started, &error, sizeof error) < 0)
		_exit(1);
	_exit(127);
}

int child_start(char *const *argv, int in, int out, int listener, bool apart, pid_t *pid,
                struct pt_error *err)
{
	int started[2], error = 0;
	pid_t parent = getpid();
	if (pipe2(started, O_CLOEXEC))
		return pt_fail(err, -errno, NULL, "cannot run '%s': %s", argv[0],
		               error_words(errno));
	*pid = fork();
	if (!*pid)
		become(argv, in, out, listener, apart, started[1], parent);
	if (*pid < 0)
		error = errno;
	close(started[1]);
	while (*pid > 0 && read(started[0], &error, sizeof error) < 0 && errno == EINTR)
		;
	close(started[0]);
	if (!error)
		return 0;
	if (*pid > 0)
		waitpid(*pid, NULL, 0);
	*pid = 0;
	return pt_fail(err, -error, NULL, "cannot run '%s': %s", argv[0], error_words(error));
}
