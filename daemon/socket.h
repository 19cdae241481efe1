/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket in the file system. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/types.h>

struct control_socket {
	int fd;     /* listening, non-blocking */
	char *path; /* NULL: systemd's, and not ours to remove */
	dev_t device;
	ino_t inode; /* of the file that we made */
};

/* Where it lies if nobody says: /run/pipetool for root, else below $XDG_RUNTIME_DIR. */
int socket_default_path(char **path, struct pt_error *);

/* Makes the folder if it is missing, replaces what a daemon left behind that is gone, and nothing
   else: neither a live socket nor a file that is none. Mode 0660, group pipetool if there is one. */
int socket_open(const char *path, struct control_socket *, struct pt_error *);

/* The one that systemd listens on for us; -ENOENT: there is none. */
int socket_open_passed(struct control_socket *, struct pt_error *);

/* Closes, and removes the file if it is still ours. */
void socket_close(struct control_socket *);

#endif
