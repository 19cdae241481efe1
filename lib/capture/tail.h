/* SPDX-License-Identifier: BSD-2-Clause */
/* Hears of files that grow, and of new ones by their names. */
#ifndef CAPTURE_TAIL_H
#define CAPTURE_TAIL_H

#include <pipetool/error.h>
#include <stdbool.h>

/* An inotify of one's own. */
struct tail {
	int fd;
	int file;     /* the watch of the file that is read; -1 */
	bool renamed; /* names are to be looked at anew: set at first, and cleared by its owner */
};

int tail_begin(struct tail *, struct pt_error *);
void tail_end(struct tail *); /* zeroed or ended does nothing */

/* The folders in which files of that name, or of a glob, may come; to be said before they are
   looked for, and again when `renamed` was set. Only in `folders`: see base/path.h. 0, or the errno
   of the first that cannot be watched, negative. */
int tail_names(struct tail *, const char *const *folders, const char *pattern);
int tail_file(struct tail *, int fd); /* in place of the one before; -1: none */
void tail_hear(struct tail *);        /* what has come since */

#endif
