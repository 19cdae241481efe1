/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon on another host, through ssh. */
#ifndef CTL_REMOTE_H
#define CTL_REMOTE_H

#include <pipetool/client.h>
#include <stdbool.h>

/*
 * One `ssh -T HOST ptctl [-s SOCKET] proxy --many`, or what $PTCTL_SSH names in place of ssh, for
 * all connections of this ptctl: whoever logs in with a password types it once, and ssh asks for
 * it. ssh ends with ptctl, however that ends; then the proxy, too, and its connections with it.
 */
struct remote;

/* A connection to the daemon over there; the first begins the login. `socket` is a path over there,
   NULL the usual one. Waits as long as the login takes, or for `login_s`, if that is not 0; a host
   that does not answer is given up by ssh after `timeout_s`. */
int remote_open(struct remote **, const char *host, const char *socket, double timeout_s,
                double login_s, struct pt_client **, struct pt_error *);
bool remote_is_lost(struct remote *); /* ssh, or the proxy, has ended; NULL: no */

/* Waits until what was carried back here is written, then for the end of ssh. NULL does nothing. */
void remote_end(struct remote *);

#endif
