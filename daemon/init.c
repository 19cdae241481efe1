/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that waits for signals, and for children that end. */
#include "daemon/init.h"

#include "base/error.h"
#include "base/log.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Variables by which a service manager means this process: now the child. */
static void pass_variables_on(void)
{
	static const char *const names[] = {"LISTEN_PID", "WATCHDOG_PID"};
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);
		if (value && atoi(value) == 1)
			setenv(names[i], pid, 1);
	}
}

static void reap(pid_t child)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		if (pid == child)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void serve(pid_t child, const sigset_t *signals)
{
	for (;;) {
		int number = sigwaitinfo(signals, NULL);
		if (number > 0 && number != SIGCHLD)
			kill(child, number);
		reap(child);
	}
}

void init_begin(void)
{
	sigset_t signals, before;
	if (getpid() != 1)
		return;
	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, &before);
	pid_t child = fork();
	if (child > 0)
		serve(child, &signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		log_warning("there can be no second process, so orphans are not waited for: %s",
		            error_words(errno));
	else
		pass_variables_on();
}
