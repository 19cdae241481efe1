/* SPDX-License-Identifier: BSD-2-Clause */
/* Names with wildcards. */
#include "base/path.h"

#include "base/buf.h"
#include "base/lent.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* As many texts as the file has, each ends with 0. */
static char **read_names(int fd)
{
	char **list = must_calloc(1, sizeof *list), *name = NULL;
	size_t count = 0, room = 0;
	FILE *f = fdopen(fd, "r");
	while (f && getdelim(&name, &room, 0, f) > 0) {
		list = must_realloc(list, count + 2, sizeof *list);
		list[count++] = must_strdup(name);
		list[count] = NULL;
	}
	free(name);
	if (f)
		fclose(f);
	else
		close(fd);
	return list;
}

static char **ask_names(const char *const *folders, const char *name)
{
	int fd = lent_ask(folders, LENT_EXPAND, 0, name, NULL, 0);
	return fd >= 0 ? read_names(fd) : must_calloc(1, sizeof(char *));
}

char **path_expand(const char *const *folders, const char *name)
{
	if (lent_folder(folders))
		return ask_names(folders, name);
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
