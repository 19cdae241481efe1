/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder of files in the pipe language, each of which is an engine's: NAME.pipe. */
#ifndef DAEMON_PIPE_FOLDER_H
#define DAEMON_PIPE_FOLDER_H

#include "daemon/pipe_file.h"
#include <stdbool.h>
#include <stddef.h>

struct pt_engine_limits;

/* A file, and its name without folder and suffix. Whether it is good. */
typedef bool pipe_folder_take(void *arg, const char *path, const char *name);

/* Calls `each` for every file in the order of the alphabet, and tells how many were not good; names
   that no engine can have are logged, and so is a folder that is not there, unless it is the usual
   one. Returns 0, or that not all was looked at. */
int pipe_folder_each(const char *folder, pipe_folder_take *each, void *arg, size_t *bad);

/* Reads and understands such a file; `text` is to be freed. `out`: see pipe_file_understand. */
int pipe_folder_read(const char *path, const char *out, char **text, struct lang_program *,
                     struct pipe_fault *);

/* Whether an engine could be made of each file, of which none is started: returns how many files
   are bad, which were logged. */
size_t pipe_folder_check(const char *folder, const char *out, const struct pt_engine_limits *);

#endif
