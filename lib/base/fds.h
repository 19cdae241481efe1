/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes over a local socket, and descriptors with the first of them. */
#ifndef BASE_FDS_H
#define BASE_FDS_H

#include <sys/types.h>

enum { FDS_MAX = 253 }; /* in one message: the kernel's limit */

/* As send(2) and recv(2), without waiting and without SIGPIPE. Those that came are the caller's. */
ssize_t fds_send(int socket, const void *bytes, size_t length, const int *fds, int count);
ssize_t fds_receive(int socket, void *bytes, size_t size, int fds[FDS_MAX], int *count);

void fds_raise_limit(void); /* this process may have as many as it can be allowed */

#endif
