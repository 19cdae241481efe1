/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces of other network namespaces, which ptctl opens with the user's rights. */
#ifndef CTL_HAND_OVER_SOCKET_H
#define CTL_HAND_OVER_SOCKET_H

#include <jansson.h>
#include <pipetool/block.h>
#include <pipetool/error.h>

/* Where a type has iface, netns and socket, and a block of it names the first two: a packet socket
   that is bound there, and lets nothing through yet. -EPERM: the user may not, and perhaps the
   daemon may; -ENOENT: there is nothing to open; neither with words. Another negative code: it is
   refused. */
int hand_over_socket(const struct pt_param *rows, const json_t *params, struct pt_error *);

#endif
