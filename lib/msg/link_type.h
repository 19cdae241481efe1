/* SPDX-License-Identifier: BSD-2-Clause */
/* Link types by their numbers in files (LINKTYPE_): what is known of them but their headers, which
   are packet/link_type.c's. */
#ifndef MSG_LINK_TYPE_H
#define MSG_LINK_TYPE_H

#include <stdint.h>

/* "EN10MB": libpcap's names without DLT_. */
const char *link_type_name(uint16_t);              /* NULL: no name */
int link_type_parse(const char *name, uint16_t *); /* 0 or -EINVAL; takes numbers too */

/* libpcap's own DLT_ numbers, some of which are others. */
int link_type_dlt(uint16_t);
uint16_t link_type_of_dlt(int dlt);

/* The longest packet that others read of it (libpcap, pcap-common.c: max_snaplen_for_dlt;
   Wireshark, pcap-common.c: wtap_max_snaplen_for_encap). */
uint32_t link_type_packet_max(uint16_t);
#define LINK_TYPE_PACKET_MAX (256 * 1024) /* but for D-Bus, USB and EBHSCR */

#endif
