/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files and folders. */
#include "daemon/file.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int file_read(const char *path, size_t most, char **text, struct pt_error *err)
{
	struct buf b = BUF_INIT;
	int code = io_read_file(path, O_NONBLOCK, most, &b);
	if (!code && memchr(b.data, '\0', b.length))
		code = -EILSEQ;
	if (!code)
		*text = buf_steal(&b);
	buf_free(&b);
	if (code)
		pt_fail(err, code, NULL, "%s",
		        code == -EILSEQ ? "a NUL byte in it" : error_words(code));
	return code;
}

int file_each(const char *folder, const char *suffix, bool (*each)(void *arg, const char *path),
              void *arg, size_t *bad)
{
	size_t wrong = 0;
	char *absolute = realpath(folder, NULL);
	char **names = absolute ? io_list(absolute, suffix) : NULL;
	int code = names ? 0 : -errno;
	if (code && code != -ENOENT)
		log_error("%s: %s", folder, error_words(code));
	wrong += code && code != -ENOENT;
	for (char **name = names; name && *name; name++) {
		char *path = must_printf("%s/%s", absolute, *name);
		wrong += !each(arg, path);
		free(path);
	}
	texts_free(names);
	free(absolute);
	if (bad)
		*bad += wrong;
	return code;
}
