/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of hosts to addresses, within a time. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <pipetool/error.h>

struct addrinfo;

/* Blocks for `timeout_ms` at most, whatever the name servers do. An empty host stands for every
   address of this machine with AI_PASSIVE in `flags`, else for its loopback ones. Free *found with
   freeaddrinfo. Faults tell of the parameter `param`. */
int resolve(int socket_type, const char *param, const char *host, int port, int flags,
            int timeout_ms, struct addrinfo **found, struct pt_error *);

#endif
