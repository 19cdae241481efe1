/* SPDX-License-Identifier: BSD-2-Clause */
/* Lends folders to the daemon: see base/lent.h. */
#ifndef CTL_LEND_H
#define CTL_LEND_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/types.h>

struct lend {
	struct lend_folder {
		char *path;
		bool writes; /* files may be made and removed in it, too */
		int socket;  /* ours; the other end is handed over */
	} * folders;
	unsigned count;
	pid_t pid; /* of the process that opens what is asked for; 0: there is none yet */
};

/* Adds a folder; *theirs is the socket to be handed over, which is the caller's. Each folder
   once. */
int lend_add(struct lend *, const char *path, bool writes, int *theirs, struct pt_error *);

/* Serves them from now on, in a process of its own: neither Ctrl-C nor Ctrl-Z is for it, and it
   ends when nobody has the other ends any more. */
int lend_begin(struct lend *, struct pt_error *);
void lend_end(struct lend *); /* waits for its end, a while */

#endif
