/* SPDX-License-Identifier: BSD-2-Clause */
/* The network interfaces of this machine (of the network namespace that the process is in). */
#ifndef CAPTURE_INTERFACE_H
#define CAPTURE_INTERFACE_H

#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <stdbool.h>

/* Its number; -ENODEV with words and the nearest name, under the path "iface". */
int interface_index(const char *name, struct pt_error *);

/* The first that is up, the loopback one only if there is no other. Yours to free; NULL: none. */
char *interface_default(void);

bool interface_exists(const char *name);
/* Whether there is such an interface and it is down. */
bool interface_is_down(const char *name);

/* The link type of frames on it, by its hardware type, which a packet socket's address has, too;
   PT_NO_LINK_TYPE: unknown, and captured as cooked. */
uint16_t interface_link_type(const char *name);
uint16_t interface_hardware_link_type(unsigned hardware_type);

const char *interface_link_words(uint16_t link_type); /* its name, or "unknown" */

/* Its MTU, or 0. */
unsigned interface_mtu(const char *name);

/* "'eth0' may not be …: the daemon needs CAP_NET_RAW": -EPERM. */
int interface_not_permitted(const char *name, const char *what, struct pt_error *);

#endif
