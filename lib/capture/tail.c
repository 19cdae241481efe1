/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches of folders and of a file. */
#include "capture/tail.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/path.h"
#include <errno.h>
#include <glob.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

int tail_begin(struct tail *f, struct pt_error *err)
{
	*f = (struct tail){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .file = -1};
	f->renamed = true;
	if (f->fd >= 0)
		return 0;
	int code = -errno;
	f->fd = 0;
	pt_fail(err, code, "follow", "files cannot be followed: %s", error_words(code));
	pt_hint(err, "see fs.inotify.max_user_instances (sysctl)");
	return code;
}

void tail_end(struct tail *f)
{
	if (f->fd > 0)
		close(f->fd);
	*f = (struct tail){0};
}

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static int watch(const struct tail *f, const char *const *folders, const char *folder)
{
	if (!path_is_within(folder, folders) || inotify_add_watch(f->fd, folder, NAMES) >= 0)
		return 0;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int watch_all(const struct tail *f, const char *const *folders, const char *pattern)
{
	glob_t found = {0};
	int code = 0;
	if (is_there(pattern))
		return watch(f, folders, pattern);
	glob(pattern, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int rc = watch(f, folders, found.gl_pathv[i]);
		code = code ? code : rc;
	}
	globfree(&found);
	return code;
}

/* Where the next part of the name is the last, has a wildcard, or is not there. */
static bool matters(const char *path, const char *slash)
{
	size_t length = strcspn(slash + 1, "/");
	if (!slash[1 + length] || memchr(slash + 1, '*', length) ||
	    memchr(slash + 1, '?', length) || memchr(slash + 1, '[', length))
		return true;
	char *next = must_printf("%.*s", (int)(slash + 1 + length - path), path);
	bool there = is_there(next);
	free(next);
	return !there;
}

int tail_names(struct tail *f, const char *const *folders, const char *pattern)
{
	int code = 0;
	if (!strchr(pattern, '/'))
		return watch(f, folders, ".");
	for (const char *slash = strchr(pattern, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (!matters(pattern, slash))
			continue;
		size_t length = slash == pattern ? 1 : (size_t)(slash - pattern);
		char *folder = must_printf("%.*s", (int)length, pattern);
		int rc = watch_all(f, folders, folder);
		code = code ? code : rc;
		free(folder);
	}
	return code;
}

int tail_file(struct tail *f, int fd)
{
	char path[32];
	if (f->file >= 0)
		inotify_rm_watch(f->fd, f->file);
	f->file = -1;
	if (fd < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	f->file = inotify_add_watch(f->fd, path, IN_MODIFY);
	return f->file < 0 ? -errno : 0;
}

void tail_hear(struct tail *f)
{
	alignas(struct inotify_event) char room[4096];
	for (ssize_t n; (n = read(f->fd, room, sizeof room)) > 0;)
		for (char *at = room; at < room + n;) {
			const struct inotify_event *e = (const void *)at;
			f->renamed |= e->wd != f->file && !(e->mask & IN_IGNORED);
			at += sizeof *e + e->len;
		}
}
