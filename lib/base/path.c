/* SPDX-License-Identifier: BSD-2-Clause */
/* Real paths, compared by their parts. */
#include "base/path.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_within(const char *real, const char *folder)
{
	char *root = realpath(folder, NULL);
	size_t length = root ? strlen(root) : 0;
	bool within = root && !strncmp(real, root, length) &&
	              (length == 1 || real[length] == '/' || !real[length]);
	free(root);
	return within;
}

static bool is_link(const char *path)
{
	char target[1];
	return readlink(path, target, sizeof target) >= 0;
}

/* The real path of a file that is not there yet: that of its folder and its own name. NULL: there is
   no such folder. */
static char *real_of_new(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = slash ? must_printf("%.*s/", (int)(slash - path), path) : must_strdup(".");
	char *real = realpath(folder, NULL);
	free(folder);
	char *whole = real ? must_printf("%s/%s", strcmp(real, "/") ? real : "", name) : NULL;
	free(real);
	return whole;
}

bool path_is_within(const char *path, const char *const *folders)
{
	char *real = realpath(path, NULL);
	if (!real && is_link(path)) /* to nowhere: what would be made through it is elsewhere */
		return false;
	if (!real)
		real = real_of_new(path);
	bool within = !real;
	for (; *folders && !within; folders++)
		within = is_within(real, *folders);
	free(real);
	return within;
}
