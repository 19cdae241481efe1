/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths, the folders that they may lie in, and opening them without a way around. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <dirent.h>
#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * `folders` is a list that ends with NULL: the folders that may be used, everything below them
 * included. NULL itself, or "/" among them, stands for everywhere. Or it is one folder that another
 * process has lent (base/lent.h): then that process does what is to be done, with its own rights.
 */

/* Whether the file, which need not exist yet, lies in one of the folders when every link and `..`
   on the way is followed. Asks the file system, and says what is so now: good for an early word,
   not for safety. */
bool path_is_within(const char *path, const char *const *folders);

/* As open(2), but never of a file outside the folders, also if others swap links and folders
   meanwhile: the way is resolved first, and what that gave is then walked name by name, following
   nothing. Links that lead from inside to inside work; a file is not made through a link.
   O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added: a FIFO or a device never makes anybody wait, and a
   FIFO without a reader cannot be opened for writing (-ENXIO). A hard link is a file like any
   other. The descriptor, -PT_EPERMITTED for what lies outside, -ELOOP where the way does not keep
   still, or another negative errno. [worker] */
int path_open(const char *const *folders, const char *path, int flags, mode_t mode);

/* As stat(2), and opendir(3), of what path_open would open. 0 or a negative code; NULL and
   errno. */
int path_stat(const char *const *folders, const char *path, struct stat *);
DIR *path_list(const char *const *folders, const char *folder);

/* As unlink(2), in the same way. 0 or a negative code. */
int path_unlink(const char *const *folders, const char *path);

/* Makes the folders on the way to the path's last name that are not there. 0 or a negative code. */
int path_make_folders(const char *const *folders, const char *path, mode_t mode);

/* The files that a name means: itself, if there is one of that name or it has no wildcard; else all
   that it matches (glob(7)) in those folders, but no folders, by their names in bytes. Ends with
   NULL; empty if nothing matches. Yours to free by path_list_free. [worker] */
char **path_expand(const char *const *folders, const char *name);
bool path_is_pattern(const char *name); /* it has a wildcard, and there is no file of that name */
void path_list_free(char **);           /* NULL does nothing */

/* The folder in which all lies that a name stands for: of what comes before the first of `marks`.
   With the slash behind it, or "". Yours to free. */
char *path_fixed_folder(const char *name, const char *marks);

/* From now on the inotify tells of what comes in the folders in which files of that name, or of a
   glob, may come; to be said before they are looked for, and again when it has told something. 0,
   or the errno of the first that cannot be watched, negative. path_watch_file: of what is written
   to an open file; the watch. */
int path_watch(const char *const *folders, int inotify, const char *pattern);
int path_watch_file(const char *const *folders, int inotify, int fd);

/* What to say after path_open has returned `code`, which is returned; `param` is the parameter that
   the path came by. */
int path_read_failed(const char *const *folders, const char *param, const char *path, int code,
                     struct pt_error *);
int path_write_failed(const char *const *folders, const char *param, const char *path, int code,
                      struct pt_error *);

/* The descriptor of its own that whoever uses this path means: /dev/stdin, /dev/fd/N,
   /proc/self/fd/N, and "-", which is standard input, or output for what is written; PATH_TERMINAL
   for /dev/tty; -1: it is a file like any other. Said of the daemon it makes no sense. */
#define PATH_TERMINAL (-2)
int path_own(const char *path, bool written);

#endif
