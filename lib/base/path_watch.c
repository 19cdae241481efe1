/* SPDX-License-Identifier: BSD-2-Clause */
/* Where files may come, and whether one grows: told by an inotify. */
#include "base/path.h"

#include "base/buf.h"
#include "base/lent.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define NAMES (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static bool is_there(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static int watch(int inotify, const char *const *folders, const char *folder)
{
	if (!path_is_within(folder, folders) || inotify_add_watch(inotify, folder, NAMES) >= 0)
		return 0;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int watch_all(int inotify, const char *const *folders, const char *pattern)
{
	glob_t found = {0};
	int code = 0;
	if (is_there(pattern))
		return watch(inotify, folders, pattern);
	glob(pattern, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int rc = watch(inotify, folders, found.gl_pathv[i]);
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

int path_watch(const char *const *folders, int inotify, const char *pattern)
{
	int code = 0;
	if (lent_folder(folders))
		return lent_ask(folders, LENT_FOLLOW, 0, pattern, &inotify, 1);
	if (!strchr(pattern, '/'))
		return watch(inotify, folders, ".");
	for (const char *slash = strchr(pattern, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (!matters(pattern, slash))
			continue;
		size_t length = slash == pattern ? 1 : (size_t)(slash - pattern);
		char *folder = must_printf("%.*s", (int)length, pattern);
		int rc = watch_all(inotify, folders, folder);
		code = code ? code : rc;
		free(folder);
	}
	return code;
}

int path_watch_file(const char *const *folders, int inotify, int fd)
{
	char path[32];
	if (lent_folder(folders))
		return lent_ask(folders, LENT_FOLLOW_FILE, 0, lent_folder(folders),
		                (const int[]){inotify, fd}, 2);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int watch = inotify_add_watch(inotify, path, IN_MODIFY);
	return watch < 0 ? -errno : watch;
}
