/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of rotated files. */
#include "capture/rotate.h"

#include "base/buf.h"
#include "base/path.h"
#include "capture/pack.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIGITS     5
#define DIGITS_MAX 18

/* Where a path's last name begins, and where the number goes in it. */
static const char *split(const char *path, const char **ending)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	pack_by_name(name, ending);
	for (const char *s = *ending - 1; s > name; s--)
		if (*s == '.') {
			*ending = s;
			break;
		}
	return name;
}

char *rotate_name(const char *path, uint64_t number)
{
	const char *ending;
	split(path, &ending);
	return must_printf("%.*s.%0*llu%s", (int)(ending - path), path, DIGITS,
	                   (unsigned long long)number, ending);
}

/* The number in `entry`, if it is `stem`.NUMBER`ending`; else 0. */
static uint64_t number_of(const char *entry, const char *stem, size_t stem_length,
                          const char *ending)
{
	if (strncmp(entry, stem, stem_length) != 0 || entry[stem_length] != '.')
		return 0;
	const char *digits = entry + stem_length + 1;
	size_t count = strspn(digits, "0123456789");
	if (count < DIGITS || count > DIGITS_MAX || strcmp(digits + count, ending) != 0)
		return 0;
	return strtoull(digits, NULL, 10);
}

/* Calls `each` for every number there is. */
static void go_through(const char *const *folders, const char *path,
                       void (*each)(void *arg, uint64_t number), void *arg)
{
	const char *ending, *name = split(path, &ending);
	char *folder = name == path ? must_strdup(".") : must_strdup(path);
	if (name != path)
		folder[name - path] = 0;
	DIR *dir = path_list(folders, folder);
	free(folder);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		uint64_t n = number_of(e->d_name, name, (size_t)(ending - name), ending);
		if (n)
			each(arg, n);
	}
	if (dir)
		closedir(dir);
}

static void take_highest(void *arg, uint64_t number)
{
	uint64_t *highest = arg;
	if (number > *highest)
		*highest = number;
}

uint64_t rotate_highest(const char *const *folders, const char *path)
{
	uint64_t highest = 0;
	go_through(folders, path, take_highest, &highest);
	return highest;
}

uint64_t rotate_next(const char *const *folders, const char *path)
{
	struct stat st;
	uint64_t highest = rotate_highest(folders, path);
	char *name = rotate_name(path, highest);
	bool unused =
		highest && !path_stat(folders, name, &st) && S_ISREG(st.st_mode) && !st.st_size;
	free(name);
	return unused ? highest : highest + 1;
}

struct deletion {
	const char *const *folders;
	const char *path;
	uint64_t first, last;
};

static void delete_one(void *arg, uint64_t number)
{
	const struct deletion *d = arg;
	if (number < d->first || number > d->last)
		return;
	char *name = rotate_name(d->path, number);
	path_unlink(d->folders, name);
	free(name);
}

void rotate_delete(const char *const *folders, const char *path, uint64_t last)
{
	struct deletion d = {folders, path, 0, last};
	go_through(folders, path, delete_one, &d);
}

void rotate_delete_after(const char *const *folders, const char *path, uint64_t last)
{
	struct deletion d = {folders, path, last + 1, UINT64_MAX};
	go_through(folders, path, delete_one, &d);
}
