/* SPDX-License-Identifier: BSD-2-Clause */
/* Folders that another process has lent: it opens what lies in them, with its own rights. */
#ifndef BASE_LENT_H
#define BASE_LENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whoever lends a folder hands over one end of a pair of sockets (SOCK_SEQPACKET) and serves the
 * other. A wish is one message: struct lent_wish and the path; with it come a socket for the
 * answer, and what the verb is about. The answer is one int32_t, negative as path.h has it; a
 * descriptor, if there is one, comes with it.
 *
 * In base/path.h such a folder stands in a list of folders, which then has no other.
 */
enum lent_verb {
	LENT_OPEN, /* flags → the descriptor */
	LENT_UNLINK,
	LENT_MAKE,        /* the folders on the way to the path's last name */
	LENT_EXPAND,      /* a pattern → a file with the names, each ends with 0 */
	LENT_FOLLOW,      /* an inotify: path_watch */
	LENT_FOLLOW_FILE, /* an inotify, a file: path_watch_file → the number of the watch */
};

struct lent_wish {
	int32_t verb, flags;
};

enum { LENT_WISH_MAX = 8192, LENT_FDS_MAX = 3 };

/* Those of one owner. */
struct lent;

/* A list for path.h: what lies in `folder` is opened by who holds the other end of `fd`, which is
   the owner's from now on. The list stays until lent_free; who lends the same folder again takes
   the place of who did before. [any thread] */
const char *const *lent_add(struct lent **, int fd, const char *folder);
void lent_free(struct lent *); /* NULL does nothing */

/* The folder of such a list; NULL: it is another list. */
const char *lent_folder(const char *const *folders);

/* By its name alone a path lies in the folder, and `..` leads nowhere else. */
bool lent_has(const char *folder, const char *path);

/* Asks, and waits for 10 s at most. What the answer says; a descriptor is the caller's.
   -EOWNERDEAD: nobody answers, nor will he ever. [worker] */
int lent_ask(const char *const *folders, enum lent_verb, int flags, const char *path,
             const int *fds, int fd_count);

#endif
