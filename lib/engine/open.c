/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files and programs a block may have. */
#include "base/error.h"
#include "base/path.h"
#include "engine/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int pt_may_run(const struct pt_block *b, const char *param, const char *program,
               struct pt_error *err)
{
	const char *const *allowed = b->engine->limits.programs;
	if (!allowed)
		return 0;
	for (; *allowed; allowed++)
		if (!strcmp(*allowed, program) || !strcmp(*allowed, "*"))
			return 0;
	pt_fail(err, -PT_EPERMITTED, param, "blocks may not run '%s'", program);
	pt_hint(err, "name it under allow in [programs] of pipetoold.conf");
	return -PT_EPERMITTED;
}

static int open_in(const char *const *folders, const char *param, const char *path, int flags,
                   unsigned mode, struct pt_error *err)
{
	int fd = path_open(folders, path, flags, mode);
	if (fd >= 0)
		return fd;
	return (flags & O_ACCMODE) == O_RDONLY ? path_read_failed(folders, param, path, fd, err)
	                                       : path_write_failed(folders, param, path, fd, err);
}

int pt_open(const struct pt_block *b, const char *param, const char *path, int flags, unsigned mode,
            struct pt_error *err)
{
	return open_in(b->engine->limits.folders, param, path, flags, mode, err);
}

/* Regular files are as if they had been opened anew: one may have been read before. */
int pt_open_file(const struct pt_block *b, const char *param, const struct pt_file *file, int flags,
                 unsigned mode, struct pt_error *err)
{
	if (file->fd == PT_FD_GONE) {
		pt_fail(err, -ESTALE, param, "'%s' was handed to an earlier daemon", file->path);
		pt_hint(err, "hand it over again, with replace and --fd");
		return -ESTALE;
	}
	if (file->fd < 0)
		return open_in(pt_folders(b, file), param, file->path, flags, mode, err);
	int has = fcntl(file->fd, F_GETFL), wants = flags & O_ACCMODE;
	if (has >= 0 && (has & O_ACCMODE) != O_RDWR && (has & O_ACCMODE) != wants)
		return pt_fail(err, -EBADF, param, "'%s' was handed over, but not for %s",
		               file->path,
		               wants == O_RDONLY   ? "reading"
		               : wants == O_WRONLY ? "writing"
		                                   : "reading and writing");
	int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return pt_fail(err, -errno, param, "'%s' cannot be used: %s", file->path,
		               error_words(errno));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

const char *const *pt_folders(const struct pt_block *b, const struct pt_file *file)
{
	return file && file->folders ? file->folders : b->engine->limits.folders;
}
