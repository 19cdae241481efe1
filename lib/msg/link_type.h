/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of link types: "EN10MB" ↔ 1, by libpcap's names without DLT_; LINKTYPE_ numbers. */
#ifndef MSG_LINK_TYPE_H
#define MSG_LINK_TYPE_H

#include <stdint.h>

const char *link_type_name(uint16_t);              /* NULL: no name */
int link_type_parse(const char *name, uint16_t *); /* 0 or -EINVAL; takes numbers too */

#endif
