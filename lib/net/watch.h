/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells when an interface or an address has come, or is other than it was. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <uv.h>

/*
 * Belongs to the thread of its loop, and does not keep the loop alive. Hears of the network
 * namespace in which it was made. What comes in one burst is told once; what was missed because too
 * much happened at once is told, too.
 */
struct net_watch;

typedef void net_watch_told(void *arg);

/* NULL: the kernel has no such socket for us, and nothing will be told. */
struct net_watch *net_watch_new(uv_loop_t *, net_watch_told *, void *arg);
void net_watch_free(struct net_watch *); /* the loop must run once more; NULL does nothing */

#endif
