/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that ptctl opens for the daemon, so that they are read and written with the user's
   rights. */
#ifndef CTL_HAND_OVER_H
#define CTL_HAND_OVER_H

#include "ctl/lend.h"
#include "ctl/pipe.h"

struct hand_over {
	int before; /* descriptors of --fd, which come first */
	struct handed_file {
		char *path; /* a file that was made for this and is empty yet; or NULL */
	} * files;
	unsigned count;
	struct lend lend;
	int numbers[FRAME_FDS_MAX]; /* of each folder's descriptor */
	char **made;                /* folders that were made for this */
	unsigned made_count;
};

/* Opens the files that the blocks of the parsed text read or write, as their types' tables say, and
   puts {"fd": n, "path": …} in place of the paths, or {"fd": n, "text": …} of functions that read
   one; the descriptors are added to ctl->fds, for the next call that takes them. Where names come
   later (fields, rotate, follow), or many may be meant (a glob), the folder is lent (base/lent.h):
   {"fd": n, "path": …, "folder": …}. An interface of another network namespace becomes the socket
   that is opened there (hand_over_socket.h). What cannot be opened is told with its place in the
   text: all of it. The caller calls hand_over_end in every case. */
int hand_over(struct hand_over *, struct pipe_text *, struct ctl *, struct pt_error *);

/* Closes ptctl's own copies. Unless they were `used`, files that were made are removed again. */
void hand_over_end(struct hand_over *, struct ctl *, bool used);

#endif
