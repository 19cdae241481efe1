/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds a port. */
#ifndef NET_HOLDER_H
#define NET_HOLDER_H

#define HOLDER_TEXT 64

/* "nginx (pid 123)" for the process that is bound to the port, as /proc tells; left alone if it
   cannot be known: other users' processes are not shown to everybody. Blocks on /proc. */
void holder_find(int socket_type, int port, char out[HOLDER_TEXT]);

#endif
