/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams to many: multicast groups and broadcast, and by which interface. */
#ifndef NET_GROUP_H
#define NET_GROUP_H

#include <pipetool/error.h>
#include <stdint.h>
#include <sys/socket.h>

struct group_way {
	const char *interface; /* NULL: the kernel's choice */
	int64_t ttl;           /* 0: the kernel's */
};

/* As address_connect and address_bind of a datagram socket, and these block, too. A group is
   joined, and one socket of several that are bound to it. Where a peer is many it is not connected,
   so that each of them can answer: *peer is where to send, of *peer_length, which else is 0. */
int group_connect(const char *host, int port, const struct group_way *, int *fd,
                  struct sockaddr_storage *peer, socklen_t *peer_length, struct pt_error *);
int group_bind(const char *host, int port, const struct group_way *, int *fd, struct pt_error *);

/* [any thread] The number of the interface that a socket is to have now: that of its way, or that
   which the kernel chooses for the group `to` (NULL: that the socket is bound to). 0: it is all the
   same, or there is none. */
unsigned group_interface(const struct group_way *, int fd, const struct sockaddr_storage *to);

#endif
