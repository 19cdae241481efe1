/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and numbers of hosts and ports; sockets that may have to wait. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <pipetool/outside.h>
#include <stdbool.h>
#include <sys/socket.h>

/* These block, for names and connections: not on an engine's thread. Sockets come back
   non-blocking and close-on-exec; faults tell of "addr" or "port". */

/* Connects to the first address that answers, within eight seconds in all, names
   included. An empty host means this one; port 0 is refused. */
int address_connect(int socket_type, const char *host, int port, int *fd, struct pt_error *);

/* Binds; a stream socket also listens. An empty host means every address, of IPv4 and IPv6. A port
   that is taken is told with who holds it, where that can be known. */
int address_bind(int socket_type, const char *host, int port, int *fd, struct pt_error *);

/* The address, of a datagram to that host, that the kernel would choose to send it from, and the
   host's own. Nothing is sent. Faults tell of the parameter `param`. */
int address_route(const char *param, const char *host, int port, struct sockaddr_storage *from,
                  struct sockaddr_storage *to, struct pt_error *);

/* For a TCP connection: sends at once, and notices a peer that is gone. In about how many seconds,
   at rest; 0: it is never asked. */
void address_tune(int fd);
void address_keepalive(int fd, double after_s);

/* "192.0.2.1:80" or "[2001:db8::1]:80". An IPv4 address mapped into IPv6 is shown as IPv4. */
#define ADDRESS_TEXT 80
void address_print(const struct sockaddr_storage *, char out[ADDRESS_TEXT]);
bool address_of(int fd, bool peer, char out[ADDRESS_TEXT]); /* false: it has none */

/* pt_carry_fd and pt_carried_fd of a socket. The key: what it is for ("tcp-listen"), the host as it
   was typed, and the port. To a successor a socket that was bound goes by the port that it has, and
   by 0, too: who asks for any port gets the one that there is. */
void address_carry(struct pt_carry *, const char *what, const char *host, int port, int fd);
void address_carry_bound(struct pt_carry *, const char *what, const char *host, int port, int fd);
bool address_carried(struct pt_block *, const char *what, const char *host, int port, int *fd);

#endif
