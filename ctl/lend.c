/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that opens files for the daemon, and nothing outside of what was lent. */
#include "ctl/lend.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fds.h"
#include "base/lent.h"
#include "base/path.h"
#include "base/program.h"
#include "ctl/child.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_MODE   0666
#define FOLDER_MODE 0777
#define PATIENCE_MS 5000

int lend_add(struct lend *l, const char *path, bool writes, int *theirs, struct pt_error *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return pt_fail(err, -errno, NULL, "no socket: %s", error_words(errno));
	l->folders = must_realloc(l->folders, l->count + 1, sizeof *l->folders);
	l->folders[l->count++] = (struct lend_folder){must_strdup(path), writes, ends[0]};
	*theirs = ends[1];
	return 0;
}

/* ---- what is asked for ---- */

/* What is read may be a link to anywhere, as for any program of this user; what is written lies in
   the folder itself. */
struct wish {
	enum lent_verb verb;
	int flags, fds[LENT_FDS_MAX], fd_count; /* the first is for the answer */
	const char *path;
	const char *const *within;
	bool writes;
};

static int write_names(const char *pattern)
{
	char **names = path_expand(NULL, pattern);
	struct buf text = BUF_INIT;
	for (char **name = names; *name; name++)
		buf_add(&text, *name, strlen(*name) + 1);
	path_list_free(names);
	int fd = memfd_create("names", MFD_CLOEXEC), code = fd < 0 ? -errno : fd;
	if (fd >= 0 && text.length &&
	    pwrite(fd, text.data, text.length, 0) != (ssize_t)text.length) {
		close(fd);
		code = -ENOSPC;
	}
	buf_free(&text);
	return code;
}

static bool has_gone(const struct wish *w)
{
	return w->within && access(*w->within, F_OK) && errno == ENOENT;
}

static int open_wished(const struct wish *w)
{
	bool reads = w->flags & O_PATH ||
	             ((w->flags & O_ACCMODE) == O_RDONLY && !(w->flags & (O_CREAT | O_TRUNC)));
	if (!reads && !w->writes)
		return -PT_EPERMITTED;
	int fd = path_open(w->within, w->path, w->flags, FILE_MODE);
	return fd == -PT_EPERMITTED && has_gone(w) ? -ENOENT : fd;
}

/* The folder too, if somebody has removed it. */
static int make_folders(const struct wish *w)
{
	char *folder = has_gone(w) ? must_printf("%s/", *w->within) : NULL;
	int code = folder ? path_make_folders(NULL, folder, FOLDER_MODE) : 0;
	free(folder);
	return code ? code : path_make_folders(w->within, w->path, FOLDER_MODE);
}

static int do_wish(const struct wish *w, bool *opened)
{
	bool watches = w->verb == LENT_FOLLOW || w->verb == LENT_FOLLOW_FILE;
	*opened = w->verb == LENT_OPEN || w->verb == LENT_EXPAND;
	if (watches && w->fd_count < (w->verb == LENT_FOLLOW ? 2 : 3))
		return -EINVAL;
	switch (w->verb) {
	case LENT_OPEN: return open_wished(w);
	case LENT_UNLINK: return w->writes ? path_unlink(w->within, w->path) : -PT_EPERMITTED;
	case LENT_MAKE: return w->writes ? make_folders(w) : -PT_EPERMITTED;
	case LENT_EXPAND: return write_names(w->path);
	case LENT_FOLLOW: return path_watch(NULL, w->fds[1], w->path);
	case LENT_FOLLOW_FILE: return path_watch_file(NULL, w->fds[1], w->fds[2]);
	}
	return -EINVAL;
}

static void answer(const struct wish *w, const char *folder)
{
	bool opened = false;
	int code = lent_has(folder, w->path) || !strcmp(folder, w->path) ? do_wish(w, &opened)
	                                                                 : -PT_EPERMITTED;
	int32_t told = code;
	opened &= code >= 0;
	fds_send(w->fds[0], &told, sizeof told, &code, opened);
	if (opened)
		close(code);
}

/* False: nobody will ask any more. */
static bool serve_one(const struct lend_folder *f)
{
	union {
		struct lent_wish head;
		char bytes[LENT_WISH_MAX + 1];
	} room;
	const char *const within[] = {f->path, NULL};
	struct wish w = {.within = f->writes ? within : NULL, .writes = f->writes};
	int fds[FDS_MAX];
	ssize_t n = fds_receive(f->socket, room.bytes, LENT_WISH_MAX, fds, &w.fd_count);
	if (n == 0)
		return false;
	if (n > (ssize_t)sizeof room.head && w.fd_count > 0 && w.fd_count <= LENT_FDS_MAX) {
		room.bytes[n] = 0;
		w.verb = (enum lent_verb)room.head.verb;
		w.flags = room.head.flags;
		w.path = room.bytes + sizeof room.head;
		memcpy(w.fds, fds, (size_t)w.fd_count * sizeof *fds);
		answer(&w, f->path);
	}
	for (int i = 0; i < w.fd_count; i++)
		close(fds[i]);
	return true;
}

static void serve(const struct lend *l)
{
	struct pollfd *polled = must_calloc(l->count, sizeof *polled);
	unsigned left = l->count;
	for (unsigned i = 0; i < l->count; i++)
		polled[i] = (struct pollfd){l->folders[i].socket, POLLIN, 0};
	while (left && (poll(polled, l->count, -1) > 0 || errno == EINTR))
		for (unsigned i = 0; i < l->count; i++)
			if (polled[i].fd >= 0 && polled[i].revents && !serve_one(&l->folders[i])) {
				polled[i].fd = -1;
				left--;
			}
}

/* ---- the process ---- */

/* It holds nothing of ptctl's. */
static void close_others(const struct lend *l)
{
	unsigned from = 0, next;
	do {
		next = UINT_MAX;
		for (unsigned i = 0; i < l->count; i++)
			if ((unsigned)l->folders[i].socket >= from &&
			    (unsigned)l->folders[i].socket < next)
				next = (unsigned)l->folders[i].socket;
		if (next > from)
			close_range(from, next == UINT_MAX ? next : next - 1, 0);
		from = next + 1;
	} while (next != UINT_MAX);
}

static void become(const struct lend *l)
{
	static const int own[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		signal(own[i], SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	setsid();
	close_others(l);
	serve(l);
	_exit(0);
}

int lend_begin(struct lend *l, struct pt_error *err)
{
	if (!l->count)
		return 0;
	pid_t pid = fork();
	if (!pid)
		become(l);
	if (pid < 0)
		return pt_fail(err, -errno, NULL, "no process for the folders: %s",
		               error_words(errno));
	l->pid = pid;
	for (unsigned i = 0; i < l->count; i++) {
		close(l->folders[i].socket);
		l->folders[i].socket = -1;
	}
	return 0;
}

void lend_end(struct lend *l)
{
	if (l->pid)
		program_end(l->pid, PATIENCE_MS);
	for (unsigned i = 0; i < l->count; i++) {
		if (l->folders[i].socket >= 0)
			close(l->folders[i].socket);
		free(l->folders[i].path);
	}
	free(l->folders);
	*l = (struct lend){0};
}
