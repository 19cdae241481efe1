/* SPDX-License-Identifier: BSD-2-Clause */
/* Real paths, compared by their parts, and walked by them. */
#include "base/path.h"

#include "base/buf.h"
#include "base/lent.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 64 /* while others move what lies on the way */

/* ---- where a path leads ---- */

static bool is_everywhere(const char *const *folders)
{
	if (!folders)
		return true;
	for (; *folders; folders++)
		if (!strcmp(*folders, "/"))
			return true;
	return false;
}

static bool is_below(const char *real, const char *folder)
{
	char *root = realpath(folder, NULL);
	size_t length = root ? strlen(root) : 0;
	bool below = root && !strncmp(real, root, length) &&
	             (length == 1 || real[length] == '/' || !real[length]);
	free(root);
	return below;
}

static bool is_in(const char *real, const char *const *folders)
{
	for (; *folders; folders++)
		if (is_below(real, *folders))
			return true;
	return false;
}

/* "a/b/" → "a/": where the last name begins. */
static size_t folder_length(const char *path)
{
	size_t length = strlen(path);
	while (length && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	return length;
}

static char *real_folder(const char *path, size_t length)
{
	char *folder = length ? must_printf("%.*s", (int)length, path) : must_strdup(".");
	char *real = realpath(folder, NULL);
	free(folder);
	return real;
}

/* The last name is taken as it is, there or not. NULL and errno: there is no such folder. */
static char *real_of_name(const char *path)
{
	size_t length = folder_length(path);
	const char *name = path + length;
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return realpath(path, NULL);
	char *folder = real_folder(path, length);
	if (!folder)
		return NULL;
	char *real = must_printf("%s/%s", strcmp(folder, "/") ? folder : "", name);
	free(folder);
	return real;
}

static bool is_link(const char *path)
{
	char target[1];
	return readlink(path, target, sizeof target) >= 0;
}

/* What is not there is told apart by the nearest folder that is. */
static bool nearest_is_in(const char *path, const char *const *folders)
{
	char *at = must_strdup(path), *real = NULL;
	for (size_t length = folder_length(at); !real; length = folder_length(at)) {
		real = real_folder(at, length);
		if (!length)
			break;
		at[length] = '\0';
	}
	bool in = real && is_in(real, folders);
	free(real);
	free(at);
	return in;
}

bool path_is_within(const char *path, const char *const *folders)
{
	if (is_everywhere(folders))
		return true;
	if (lent_folder(folders))
		return lent_has(lent_folder(folders), path);
	char *real = realpath(path, NULL);
	if (!real && is_link(path)) /* to nowhere: what would be made through it is elsewhere */
		return false;
	bool within = real ? is_in(real, folders) : nearest_is_in(path, folders);
	free(real);
	return within;
}

/* ---- going there ---- */

/* The folder of a real path, from the root by its names alone. Splits `real`; *name is the last. */
static int walk(char *real, const char **name)
{
	int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *rest = real + 1, *part = strsep(&rest, "/");
	for (; at >= 0 && rest; part = strsep(&rest, "/")) {
		int next = openat(at, part, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		int error = errno;
		close(at);
		errno = error;
		at = next;
	}
	*name = *part ? part : ".";
	return at < 0 ? -errno : at;
}

/* Opens the folder in which the path's last name lies; *real is to be freed, and has the name. */
static int reach(const char *const *folders, const char *path, bool follow, char **real,
                 const char **name)
{
	*real = follow ? realpath(path, NULL) : real_of_name(path);
	if (!*real) {
		int code = -errno;
		return path_is_within(path, folders) ? code : -PT_EPERMITTED;
	}
	if (!is_in(*real, folders))
		return -PT_EPERMITTED;
	int at = walk(*real, name);
	return at == -ENOENT || at == -ENOTDIR ? -ELOOP : at; /* it was there a moment ago */
}

static int open_once(const char *const *folders, const char *path, bool follow, int flags,
                     mode_t mode)
{
	char *real;
	const char *name;
	int at = reach(folders, path, follow, &real, &name), fd = at;
	if (at >= 0) {
		fd = openat(at, name, flags | O_NOFOLLOW, mode);
		if (fd < 0)
			fd = follow && errno == ENOENT ? -ELOOP : -errno;
		close(at);
	}
	free(real);
	return fd;
}

static int open_within(const char *const *folders, const char *path, int flags, mode_t mode)
{
	int making = flags & (O_CREAT | O_EXCL), fd;
	if (flags & O_NOFOLLOW || making == (O_CREAT | O_EXCL))
		return open_once(folders, path, false, flags, mode);
	fd = open_once(folders, path, true, flags & ~O_CREAT, mode);
	return fd == -ENOENT && making ? open_once(folders, path, false, flags, mode) : fd;
}

int path_open(const char *const *folders, const char *path, int flags, mode_t mode)
{
	int fd = -ELOOP;
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	if (lent_folder(folders))
		return lent_ask(folders, LENT_OPEN, flags, path, NULL, 0);
	if (is_everywhere(folders)) {
		fd = open(path, flags, mode);
		return fd < 0 ? -errno : fd;
	}
	for (int n = 0; n < TRIES && fd == -ELOOP; n++)
		fd = open_within(folders, path, flags, mode);
	return fd;
}

int path_stat(const char *const *folders, const char *path, struct stat *st)
{
	if (!lent_folder(folders))
		return stat(path, st) ? -errno : 0;
	int fd = path_open(folders, path, O_PATH, 0), code = fd < 0 ? fd : 0;
	if (!code && fstat(fd, st))
		code = -errno;
	if (fd >= 0)
		close(fd);
	return code;
}

DIR *path_list(const char *const *folders, const char *folder)
{
	if (!lent_folder(folders))
		return opendir(folder);
	int fd = path_open(folders, folder, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

int path_unlink(const char *const *folders, const char *path)
{
	char *real;
	const char *name;
	if (lent_folder(folders))
		return lent_ask(folders, LENT_UNLINK, 0, path, NULL, 0);
	if (is_everywhere(folders))
		return unlink(path) ? -errno : 0;
	int at = reach(folders, path, false, &real, &name), code = at;
	if (at >= 0) {
		code = unlinkat(at, name, 0) ? -errno : 0;
		close(at);
	}
	free(real);
	return code;
}

static int make_folder(const char *const *folders, const char *path, mode_t mode)
{
	char *real;
	const char *name;
	if (is_everywhere(folders))
		return mkdir(path, mode) && errno != EEXIST ? -errno : 0;
	int at = reach(folders, path, false, &real, &name), code = at;
	if (at >= 0) {
		code = mkdirat(at, name, mode) && errno != EEXIST ? -errno : 0;
		close(at);
	}
	free(real);
	return code;
}

int path_make_folders(const char *const *folders, const char *path, mode_t mode)
{
	int code = 0;
	if (lent_folder(folders))
		return lent_ask(folders, LENT_MAKE, 0, path, NULL, 0);
	for (const char *slash = strchr(path + 1, '/'); slash && !code;
	     slash = strchr(slash + 1, '/')) {
		char *folder = must_printf("%.*s", (int)(slash - path), path);
		code = access(folder, F_OK) ? make_folder(folders, folder, mode) : 0;
		free(folder);
	}
	return code;
}

char *path_fixed_folder(const char *name, const char *marks)
{
	size_t length = strcspn(name, marks);
	while (length && name[length - 1] != '/')
		length--;
	return must_printf("%.*s", (int)length, name);
}

/* ---- one's own ---- */

int path_own(const char *path, bool written)
{
	/* clang-format off */
	static const struct {
		const char *path;
		int fd;
	} known[] = {{"/dev/stdin", STDIN_FILENO}, {"/dev/stdout", STDOUT_FILENO},
	             {"/dev/stderr", STDERR_FILENO}, {"/dev/tty", PATH_TERMINAL}};
	/* clang-format on */
	static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
	if (!strcmp(path, "-"))
		return written ? STDOUT_FILENO : STDIN_FILENO;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(path, known[i].path))
			return known[i].fd;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		size_t length = strlen(folders[i]), digits = 0;
		if (strncmp(path, folders[i], length) != 0)
			continue;
		digits = strspn(path + length, "0123456789");
		if (digits && digits < 8 && !path[length + digits])
			return atoi(path + length);
	}
	return -1;
}
