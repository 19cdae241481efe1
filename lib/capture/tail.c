/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches of folders and of a file. */
#include "capture/tail.h"

#include "base/error.h"
#include "base/path.h"
#include <errno.h>
#include <stdalign.h>
#include <sys/inotify.h>
#include <unistd.h>

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

int tail_names(struct tail *f, const char *const *folders, const char *pattern)
{
	return path_watch(folders, f->fd, pattern);
}

int tail_file(struct tail *f, const char *const *folders, int fd)
{
	if (f->file >= 0)
		inotify_rm_watch(f->fd, f->file);
	int watch = fd < 0 ? -1 : path_watch_file(folders, f->fd, fd);
	f->file = watch < 0 ? -1 : watch;
	return fd >= 0 && watch < 0 ? watch : 0;
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
