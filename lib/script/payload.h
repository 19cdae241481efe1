/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing what a packet carries. */
#ifndef SCRIPT_PAYLOAD_H
#define SCRIPT_PAYLOAD_H

#include "packet/packet.h"

/* Puts view->payload_length other bytes in the payload's place and adjusts the checksum of the
   transport layer by the difference (RFC 1624), as packet_rewrite does for fields: one that is wrong
   stays as wrong, and UDP's 0 (none) stays 0. A fragment that is not the first has none. */
void payload_write(uint8_t *bytes, const struct packet_view *, const void *payload);

#endif
