/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that works for this process, and ends with it (see program_end). */
#ifndef CTL_CHILD_H
#define CTL_CHILD_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts argv[0], looked up in $PATH, on these two. It gets SIGTERM when the thread that calls, or
   the whole process, ends, however that happens; Ctrl-C is not for it: `apart` it is in a group of
   its own, else it ignores that. `listener` is a socket that it takes over, as systemd passes one;
   -1: none. */
int child_start(char *const *argv, int in, int out, int listener, bool apart, pid_t *,
                struct pt_error *);

#endif
