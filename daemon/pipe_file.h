/* SPDX-License-Identifier: BSD-2-Clause */
/* A file in the pipe language: read, understood, and what is wrong with it in words. */
#ifndef DAEMON_PIPE_FILE_H
#define DAEMON_PIPE_FILE_H

#include "base/buf.h"
#include "lang/lang.h"

/* All that is wrong: in one line, and as it is logged, with the lines and a caret. */
struct pipe_fault {
	struct buf why, words;
};
#define PIPE_FAULT_INIT ((struct pipe_fault){BUF_INIT, BUF_INIT})
void pipe_fault_free(struct pipe_fault *);
void pipe_fault_add(struct pipe_fault *, const char *path, const char *words);

/* What the language asks of the daemon: its types, and no blocks. */
struct lang_env pipe_file_env(void);

/* The text, to be freed. */
int pipe_file_read(const char *path, char **text, struct pipe_fault *);

/* Parses, and checks blocks against their types; a text without a statement is refused. Relative
   paths are taken from the file's folder, but those of files that are written from `out`: the
   folder of what is to run is not for what comes of it. */
int pipe_file_understand(const char *path, const char *out, const char *text, struct lang_program *,
                         struct pipe_fault *);

/* Adds faults that came of the program's operations, with the places in the text they lie at; the
   file is not part of the reason where there is none. */
void pipe_file_locate(const char *path, const struct lang_program *, const struct pt_error *,
                      struct pipe_fault *);

#endif
