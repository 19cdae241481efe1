/* SPDX-License-Identifier: BSD-2-Clause */
/* The control sockets: of the file system, and of systemd. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <sys/types.h>

struct control_socket {
	int fd;     /* listening, non-blocking */
	char *path; /* NULL: systemd's, and not ours to remove */
	dev_t device;
	ino_t inode;  /* of the file that we made */
	bool viewers; /* whoever comes by it may look, and no more */
};

/* Where it lies if nobody says: /run/pipetool for root, else below $XDG_RUNTIME_DIR. */
int socket_default_path(char **path, struct pt_error *);

/* Makes the folder if it is missing, replaces what a daemon left behind that is gone, and nothing
   else: neither a live socket nor a file that is none. Mode 0660, group pipetool if there is one;
   for viewers 0666. */
int socket_open(const char *path, bool viewers, struct control_socket *, struct pt_error *);

/* The sockets that systemd listens on for us; where there is none, its fd stays -1. The one for
   viewers has the name "readonly" (FileDescriptorName=), the control socket is the first other one.
   What else was passed is added to the named descriptors: see base/named_fd.h. Once, at the
   beginning, after store_new, which has copies of what is its own. */
void socket_take_passed(struct control_socket *control, struct control_socket *viewers);

/* Its name in the file system leads nowhere any more, or elsewhere: nobody can connect by it. */
bool socket_is_lost(const struct control_socket *);

/* Listens anew under the same name, with the same descriptor. Whoever has connected stays
   connected. Systemd's cannot be mended here, which the fault says. */
int socket_renew(struct control_socket *, struct pt_error *);

/* Has inotify tell when something goes from the socket's folder, or the folder itself. */
void socket_watch(const struct control_socket *, int inotify);

/* Closes, and removes the file if it is still ours. */
void socket_close(struct control_socket *);

#endif
