/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network interfaces of this machine. `space` is any socket of the network namespace that is
 * asked; -1: that which the process is in.
 */
#ifndef CAPTURE_INTERFACE_H
#define CAPTURE_INTERFACE_H

#include <net/if.h>
#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <stdbool.h>

/* Its number; -ENODEV with words and the nearest name, under the path "iface". */
int interface_index(int space, const char *name, struct pt_error *);

/* The first that is up, the loopback one only if there is no other. Yours to free; NULL: none. */
char *interface_default(void);

bool interface_exists(int space, const char *name);
/* That which a packet socket is bound to, as it is called now; false: to none, or it is gone. */
bool interface_bound(int packet_socket, char name[IF_NAMESIZE]);
/* Whether there is such an interface and it is down. */
bool interface_is_down(int space, const char *name);

/* The link type of frames on it, by its hardware type, which a packet socket's address has, too;
   PT_NO_LINK_TYPE: unknown, and captured as cooked. */
uint16_t interface_link_type(int space, const char *name);
uint16_t interface_hardware_link_type(unsigned hardware_type);

/* Whether a packet socket gives each packet of it with a header that is known. */
bool interface_has_frames(const char *name);

const char *interface_link_words(uint16_t link_type); /* its name, or "unknown" */

/* Its MTU, or 0. */
unsigned interface_mtu(int space, const char *name);

/* "'eth0' may not be …: the daemon needs CAP_NET_RAW": -EPERM. */
int interface_not_permitted(const char *name, const char *what, struct pt_error *);
int interface_not_up(const char *name, struct pt_error *); /* "… is down": -ENETDOWN */

#endif
