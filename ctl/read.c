/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that ptctl itself reads. */
#include "ctl/read.h"

#include "base/error.h"
#include "base/io.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_standard(const char *path)
{
	return !strcmp(path, "-");
}

const char *read_name(const char *path)
{
	return is_standard(path) ? "standard input" : path;
}

int read_file(const char *path, size_t most, int code, struct buf *text, struct pt_error *err)
{
	int fd = is_standard(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_read(fd, most, text);
	if (fd > STDIN_FILENO)
		close(fd);
	if (rc == -EFBIG)
		return pt_fail(err, code, NULL, "'%s' has more than %zu bytes", read_name(path),
		               most);
	return rc ? pt_fail(err, code, NULL, "cannot read '%s': %s", read_name(path),
	                    error_words(rc))
	          : 0;
}
