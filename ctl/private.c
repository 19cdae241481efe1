/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon of one's own, for `ptctl run --private`. */
#include "ctl/private.h"

#include "base/buf.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, STEP_MS = 5 };

/* ---- where it is ---- */

static char *own_folder(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
	if (length <= 0)
		return must_strdup(".");
	path[length] = 0;
	char *slash = strrchr(path, '/');
	*slash = 0;
	return must_strdup(path);
}

/* Beside ptctl: installed, and in a build directory. NULL: to be looked for in PATH. */
static char *find_daemon(void)
{
	static const char *const places[] = {"/pipetoold", "/../sbin/pipetoold",
	                                     "/../daemon/pipetoold"};
	char *folder = own_folder(), *found = NULL;
	for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
		found = must_printf("%s%s", folder, places[i]);
		if (access(found, X_OK)) {
			free(found);
			found = NULL;
		}
	}
	free(folder);
	return found;
}

/* ---- its folder ---- */

static int make_folder(struct private_daemon *d, struct pt_error *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	if (!base || stat(base, &st) || access(base, W_OK))
		base = getenv("TMPDIR");
	d->folder = must_printf("%s/ptctl-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(d->folder)) {
		int code = pt_fail(err, -errno, NULL, "cannot make a folder '%s': %s", d->folder,
		                   error_words(errno));
		free(d->folder);
		d->folder = NULL;
		return code;
	}
	d->socket = must_printf("%s/control.sock", d->folder);
	return 0;
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		char *inner = must_printf("%s/%s", path, entry->d_name);
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			; /* not ours */
		else if (entry->d_type == DT_DIR)
			remove_folder(inner);
		else
			unlink(inner);
		free(inner);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

/* ---- its life ---- */

/* It gets SIGTERM when this process ends, however that happens; Ctrl-C is ours to handle. */
static void become_daemon(const struct private_daemon *d, const char *path, pid_t parent)
{
	char *engines = must_printf("%s/engines.d", d->folder);
	char *state = must_printf("%s/state", d->folder);
	int null = open("/dev/null", O_RDWR);
	mkdir(engines, 0700);
	mkdir(state, 0700);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execlp(path ? path : "pipetoold", "pipetoold", "--socket", d->socket, "--engines", engines,
	       "--state", state, "--config", "/dev/null", "--log-level", "error", (char *)NULL);
	_exit(127);
}

static int ended(struct private_daemon *d, struct pt_error *err)
{
	int status;
	if (waitpid(d->pid, &status, WNOHANG) != d->pid)
		return 0;
	d->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return pt_fail(err, -ENOENT, NULL,
		               "cannot find pipetoold, neither beside ptctl nor in PATH");
	return pt_fail(err, -ECONNREFUSED, NULL, "pipetoold ended at once");
}

static int wait_until_ready(struct private_daemon *d, struct ctl *ctl, struct pt_error *err)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
		if (!ctl_open(ctl, &ctl->client, NULL))
			return 0;
		int code = ended(d, err);
		if (code)
			return code;
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
	return pt_fail(err, -PT_ETIMEOUT, NULL, "pipetoold does not answer");
}

int private_begin(struct private_daemon *d, struct ctl *ctl, struct pt_error *err)
{
	*d = (struct private_daemon){0};
	int code = make_folder(d, err);
	if (code)
		return code;
	char *path = find_daemon();
	pid_t parent = getpid();
	d->pid = fork();
	if (!d->pid)
		become_daemon(d, path, parent);
	free(path);
	if (d->pid < 0) {
		d->pid = 0;
		return pt_fail(err, -errno, NULL, "cannot start pipetoold: %s", error_words(errno));
	}
	ctl->socket = d->socket;
	return wait_until_ready(d, ctl, err);
}

void private_hide(struct private_daemon *d)
{
	if (d->folder) { /* under another name first: its daemon binds a socket anew that vanishes */
		char *gone = must_printf("%s.gone", d->folder);
		remove_folder(rename(d->folder, gone) ? d->folder : gone);
		free(gone);
	}
	free(d->folder);
	d->folder = NULL;
}

static void end_daemon(struct private_daemon *d)
{
	kill(d->pid, SIGTERM);
	for (int ms = 0; waitpid(d->pid, NULL, WNOHANG) == 0; ms += STEP_MS) {
		if (ms == PATIENCE_MS)
			kill(d->pid, SIGKILL);
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
}

void private_end(struct private_daemon *d, struct ctl *ctl)
{
	if (d->pid) {
		pt_client_close(ctl->client);
		ctl->client = NULL;
		end_daemon(d);
	}
	private_hide(d);
	free(d->socket);
	*d = (struct private_daemon){0};
}
