/* SPDX-License-Identifier: BSD-2-Clause */
/* Names with wildcards. */
#include "base/path.h"

#include "base/buf.h"
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool path_is_pattern(const char *name)
{
	struct stat st;
	return strpbrk(name, "*?[") && lstat(name, &st) < 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char **path_expand(const char *const *folders, const char *name)
{
	glob_t found = {0};
	bool pattern = path_is_pattern(name);
	if (pattern)
		glob(name, GLOB_NOSORT, NULL, &found);
	char **list = must_calloc((pattern ? found.gl_pathc : 1) + 1, sizeof *list);
	size_t count = 0;
	if (!pattern)
		list[0] = must_strdup(name);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (!is_folder(found.gl_pathv[i]) && path_is_within(found.gl_pathv[i], folders))
			list[count++] = must_strdup(found.gl_pathv[i]);
	qsort(list, count, sizeof *list, by_bytes);
	globfree(&found);
	return list;
}

void path_list_free(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}
