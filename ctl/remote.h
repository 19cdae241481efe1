/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon on another host, through ssh. */
#ifndef CTL_REMOTE_H
#define CTL_REMOTE_H

#include <pipetool/client.h>

/* Runs `ssh -T HOST ptctl [-s SOCKET] proxy`, or what $PTCTL_SSH names in place of ssh, and talks to
   it; `socket` is a path over there, NULL the usual one. Whoever is asked for a password is asked by
   ssh. The child ends when the client is closed. */
int remote_open(const char *host, const char *socket, struct pt_client **, struct pt_error *);

#endif
