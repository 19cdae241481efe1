/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet sockets: made for an interface, or handed over by somebody who has opened one. */
#ifndef CAPTURE_LIVE_SOCKET_H
#define CAPTURE_LIVE_SOCKET_H

#include "capture/live_config.h"
#include <pipetool/error.h>

/* One that captures nothing yet, and what its frames are; or a duplicate of what was handed over,
   which does. *fd is -1 where there is none. */
int live_socket_new(const struct live_config *, const char *iface, int *fd, uint16_t *link_type,
                    struct pt_error *);
/* Begins to capture on the interface, which must be up. */
int live_socket_bind(const struct live_config *, const char *iface, int fd, struct pt_error *);
int live_socket_fanout(int fd, const struct live_config *, struct pt_error *);
int live_socket_set_promisc(int fd, bool promisc);

/* All interfaces: their packets are cooked. */
bool live_socket_is_any(const char *iface);

#endif
