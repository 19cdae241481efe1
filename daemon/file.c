/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files and folders. */
#include "daemon/file.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include <dirent.h>
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

static bool is_wanted(const char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);
	return *name != '.' && length > end && !strcmp(name + length - end, suffix);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int file_each(const char *folder, const char *suffix, bool (*each)(void *arg, const char *path),
              void *arg, size_t *bad)
{
	struct dirent **entries;
	size_t wrong = 0;
	char *absolute = realpath(folder, NULL);
	int count = absolute ? scandir(absolute, &entries, NULL, by_name) : -1;
	int code = count < 0 ? -errno : 0;
	if (code && code != -ENOENT)
		log_error("%s: %s", folder, error_words(code));
	wrong += code && code != -ENOENT;
	for (int i = 0; i < count; i++) {
		if (is_wanted(entries[i]->d_name, suffix)) {
			char *path = must_printf("%s/%s", absolute, entries[i]->d_name);
			wrong += !each(arg, path);
			free(path);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(absolute);
	if (bad)
		*bad += wrong;
	return code;
}
