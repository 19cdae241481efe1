/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon of one's own, for `ptctl run --private`. */
#include "ctl/private.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/program.h"
#include "ctl/child.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define END_MS 10000

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

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	remove(path);
	return 0;
}

static void remove_folder(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- its life ---- */

static char *subfolder(const struct private_daemon *d, const char *name)
{
	char *path = must_printf("%s/%s", d->folder, name);
	mkdir(path, 0700);
	return path;
}

/* It runs what its user may run: "programs" of its blocks are any. */
static char *configuration(const struct private_daemon *d)
{
	char *path = must_printf("%s/pipetoold.conf", d->folder);
	FILE *file = fopen(path, "we");
	if (file) {
		fputs("[programs]\nallow = *\n", file);
		fclose(file);
	}
	return path;
}

static const struct sockaddr *named(struct sockaddr_un *address, const char *path)
{
	strcpy(address->sun_path, path);
	return (const struct sockaddr *)address;
}

/* The daemon is given what it listens on: a name of its own it would bind anew in private_hide. */
static int listen_for(const struct private_daemon *d, struct pt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(d->socket) >= sizeof address.sun_path)
		errno = ENAMETOOLONG;
	else if (fd >= 0 && !bind(fd, named(&address, d->socket), sizeof address) &&
	         !listen(fd, SOMAXCONN))
		return fd;
	int code = pt_fail(err, -errno, NULL, "cannot listen on '%s': %s", d->socket,
	                   error_words(errno));
	if (fd >= 0)
		close(fd);
	return code;
}

static int start_daemon(struct private_daemon *d, int listener, struct pt_error *err)
{
	struct pt_error faults = PT_ERROR_INIT;
	char *path = find_daemon(), *engines = subfolder(d, "engines.d"),
	     *state = subfolder(d, "state"), *conf = configuration(d);
	const char *const words[] = {path ? path : "pipetoold",
	                             "--engines",
	                             engines,
	                             "--state",
	                             state,
	                             "--config",
	                             conf,
	                             "--log-level",
	                             "error",
	                             NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int code = child_start((char *const *)(uintptr_t)words, null, null, listener, true, &d->pid,
	                       &faults);
	close(null);
	free(path);
	free(engines);
	free(state);
	free(conf);
	if (code == -ENOENT)
		code = pt_fail(err, code, NULL,
		               "cannot find pipetoold, neither beside ptctl nor in PATH");
	else
		error_move(err, &faults);
	pt_error_clear(&faults);
	return code;
}

static int wait_until_ready(struct ctl *ctl, struct pt_error *err)
{
	struct pt_error faults = PT_ERROR_INIT;
	int code = ctl_call_within(ctl, "daemon.info", NULL, ctl->patience_s, NULL, &faults);
	pt_error_clear(&faults);
	if (!code)
		return 0;
	return pt_fail(err, code == -PT_ETIMEOUT ? code : -ECONNREFUSED, NULL,
	               code == -PT_ETIMEOUT ? "pipetoold does not answer"
	                                    : "pipetoold ended at once");
}

int private_begin(struct private_daemon *d, struct ctl *ctl, struct pt_error *err)
{
	*d = (struct private_daemon){0};
	int code = make_folder(d, err), listener = code ? code : listen_for(d, err);
	if (listener < 0)
		return listener;
	code = start_daemon(d, listener, err);
	close(listener);
	ctl->socket = d->socket;
	return code ? code : wait_until_ready(ctl, err);
}

void private_hide(struct private_daemon *d)
{
	if (d->folder)
		remove_folder(d->folder);
	free(d->folder);
	d->folder = NULL;
}

void private_end(struct private_daemon *d, struct ctl *ctl)
{
	if (d->pid) {
		pt_client_close(ctl->client);
		ctl->client = NULL;
		kill(d->pid, SIGTERM);
		program_end(d->pid, END_MS);
	}
	private_hide(d);
	free(d->socket);
	*d = (struct private_daemon){0};
}
