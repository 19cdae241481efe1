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

/* See path_watch: again when `renamed` was set. */
int tail_names(struct tail *, const char *const *folders, const char *pattern);
/* In place of the one before; -1: none. */
int tail_file(struct tail *, const char *const *folders, int fd);
void tail_hear(struct tail *); /* what has come since */

#endif
