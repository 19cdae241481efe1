/* SPDX-License-Identifier: BSD-2-Clause */
/* An inotify on each folder of the way, and who on it is waited for. */
#include "daemon/pull_watch.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOES  (IN_DELETE_SELF | IN_MOVE_SELF)
#define NAMES (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB)
#define FILES (NAMES | IN_MODIFY | IN_CLOSE_WRITE)

enum { LINKS_MAX = 40 };

struct name {
	int watch;
	char *name; /* that matters there; NULL: all do */
};

struct pull_watch {
	int fd, error;
	struct name *names;
	size_t count;
};

static void watch(struct pull_watch *w, const char *folder, uint32_t mask, const char *name)
{
	int id = inotify_add_watch(w->fd, folder, mask | IN_MASK_ADD | IN_ONLYDIR);
	if (id < 0) {
		w->error = errno == ENOENT || errno == ENOTDIR ? w->error : errno;
		return;
	}
	w->names = must_realloc(w->names, w->count + 1, sizeof *w->names);
	w->names[w->count++] = (struct name){id, name ? must_strdup(name) : NULL};
}

/* ---- the way ---- */

/* Of a link in `folder`, with the rest of the way behind it: to be freed. */
static char *lead(const char *folder, const char *link, const char *rest)
{
	char target[4096];
	ssize_t length = readlink(link, target, sizeof target - 1);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	return *target == '/' ? must_printf("%s%s", target, rest)
	                      : must_printf("%s/%s%s", folder, target, rest);
}

/* Up to the first link, whose way on is returned, to be freed; NULL: there is none, or it ends. */
static char *follow(struct pull_watch *w, const char *path)
{
	char *next = NULL;
	for (const char *slash = path; !next && *slash;) {
		const char *end = slash + 1 + strcspn(slash + 1, "/");
		char *part = must_printf("%.*s", (int)(end - path), path);
		char *folder = must_printf("%.*s", slash == path ? 1 : (int)(slash - path), path);
		char *name = must_printf("%.*s", (int)(end - slash - 1), slash + 1);
		struct stat st;
		bool there = !lstat(part, &st), link = there && S_ISLNK(st.st_mode);
		if (*name && (!there || link))
			watch(w, folder, NAMES, name);
		if (link)
			next = lead(folder, part, end);
		else if (there)
			watch(w, part, GOES, "");
		slash = there ? end : "";
		free(part);
		free(folder);
		free(name);
	}
	return next;
}

struct pull_watch *pull_watch_new(const char *folder)
{
	struct pull_watch *w = must_calloc(1, sizeof *w);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->error = w->fd < 0 ? errno : 0;
	char *path = w->fd < 0 ? NULL : must_strdup(folder);
	for (int links = 0; path && links < LINKS_MAX; links++) {
		char *next = follow(w, path);
		free(path);
		path = next;
	}
	free(path);
	if (w->fd >= 0)
		watch(w, folder, FILES | GOES, NULL);
	if (w->error)
		log_warning(
			"fleet: %s is looked at when the daemon starts or reloads, and not when "
			"it changes: inotify: %s",
			folder, error_words(w->error));
	return w;
}

void pull_watch_free(struct pull_watch *w)
{
	for (size_t i = 0; w && i < w->count; i++)
		free(w->names[i].name);
	if (w && w->fd >= 0)
		close(w->fd);
	if (w)
		free(w->names);
	free(w);
}

int pull_watch_fd(const struct pull_watch *w)
{
	return w->fd;
}

/* ---- what is told ---- */

static bool matters(const struct pull_watch *w, const struct inotify_event *event)
{
	bool any = event->mask & (GOES | IN_Q_OVERFLOW);
	for (size_t i = 0; i < w->count && !any; i++) {
		const struct name *n = &w->names[i];
		any = n->watch == event->wd &&
		      (!n->name || (event->len && !strcmp(n->name, event->name)));
	}
	return any;
}

bool pull_watch_told(struct pull_watch *w)
{
	char room[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;
	ssize_t got;
	while (w->fd >= 0 && (got = read(w->fd, room, sizeof room)) > 0)
		for (const char *at = room; at < room + got;) {
			const struct inotify_event *event = (const struct inotify_event *)at;
			any |= matters(w, event);
			at += sizeof *event + event->len;
		}
	return any;
}
