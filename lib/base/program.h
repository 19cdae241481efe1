/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that are run to show something: viewers and terminals. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/types.h>

/* Whether the last part of the program's path begins so: "/opt/bin/wireshark-4" is a
   "wireshark". */
bool program_is(const char *program, const char *name);

/* Whether there is a display: $DISPLAY or $WAYLAND_DISPLAY. */
bool program_has_display(void);

/* Whether it is in $PATH, to be run. */
bool program_is_there(const char *program);

/* Where a program keeps sockets: $RUNTIME_DIRECTORY, if it is one, or $XDG_RUNTIME_DIR; NULL:
   there is none. */
const char *program_run_folder(void);

/* What is typed to make a viewer read pcapng from its standard input, live: Wireshark with
   -Slki -, tshark with -l -i -, any other program without options of ours; then `args` (ends with
   NULL; may be NULL). To be freed by texts_free. */
char **program_viewer(const char *program, const char *const *args);

struct program_ends {
	int in;        /* becomes its standard input */
	int out;       /* becomes its standard output */
	int more;      /* becomes its descriptor 3; -1: none */
	int err;       /* becomes its standard error; 0: that is the daemon's */
	bool detached; /* in a session of its own: Ctrl-C is not for it */
	int also;      /* beside `more`: becomes its descriptor 4; 0: none */
};

/* Starts argv[0], looked up in $PATH, with the signals as a shell would have them, and no other
   descriptors than these and its standard error. What is not there or cannot be run is a fault
   under `path`. */
int program_start(char *const *argv, const struct program_ends *, const char *path, pid_t *,
                  struct pt_error *);

/* The words of a command as a shell splits them: quotes and backslashes mean what they do there,
   and nothing is expanded. NULL with words in `err`, under `path`. To be freed by texts_free. */
char **program_words(const char *command, const char *path, struct pt_error *err);

/* Waits in the background, so that the ended process does not stay in the table; where no thread is
   left for it, until the next program starts or is reaped. */
void program_reap(pid_t);

/* Waits so long for its end, then again after SIGTERM, then kills it. Returns its status. */
int program_end(pid_t, int patience_ms);

/* How it ended, from waitpid, in words: "ended with status 2", "was killed by signal 9"; NULL for
   0. To be freed. */
char *program_fate(int status);

#endif
