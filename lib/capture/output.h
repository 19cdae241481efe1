/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that a capture is written to: opened without harm to what is there. */
#ifndef CAPTURE_OUTPUT_H
#define CAPTURE_OUTPUT_H

#include "capture/capture.h"

#include <sys/types.h>

struct output {
	int fd;
	bool created;  /* it was not there before */
	bool filled;   /* there is something in it, or was */
	bool headed;   /* to be appended to, and not empty */
	bool cut;      /* when output_begin comes, behind … */
	off_t end;     /* … its last whole packet */
	bool raise;    /* then, too: the snapshot length in its header, which is too small */
	int link_type; /* that its header says; -1 */
	enum capture_format format; /* of what is there, or of the configuration */
};

/* Opens config->path and looks at what is there: nothing is changed, but that a file that was not
   there is made (mode 0640 under the umask). */
int output_open(const struct capture_writer_config *, struct output *, struct pt_error *);

/* The same of config->fd, which is given: closed on failure. */
int output_take(const struct capture_writer_config *, struct output *, struct pt_error *);

/* The same of a file that an earlier process has begun (config->begun). */
int output_go_on(const struct capture_writer_config *, struct output *, struct pt_error *);

/* The same of one of which config->note tells. -EMEDIUMTYPE with words: it is shorter. */
int output_noted(const struct capture_writer_config *, struct output *, struct pt_error *);

/* The same of what is at config->path, or is config->fd, where an engine comes back: it is gone on
   with behind its last whole packet, or begun if it is empty or not there. -EMEDIUMTYPE with words:
   it is another kind of file, and stays as it is. */
int output_find(const struct capture_writer_config *, struct output *, struct pt_error *);

/* Whether nobody is writing the file. */
bool output_is_free(const struct capture_writer_config *, const char *path);

/* Now what was there goes, or what is torn of it. The descriptor or a negative errno. */
int output_begin(const struct output *);

/* The next one of a rotation: a new file in place of the one that bears the name; a link there is
   refused. The descriptor or a negative code. */
int output_replace(const struct capture_writer_config *, const char *path);

/* The file that was written before, or the next ring's, to go on at its end. The same. */
int output_again(const struct capture_writer_config *, const char *path);

/* "cannot write 'x': …" and how to mend it. Returns the code. */
int output_failed(const struct capture_writer_config *, const char *path, int code,
                  struct pt_error *);

#endif
