/* SPDX-License-Identifier: BSD-2-Clause */
/* A number that packets have in common which are the same. */
#ifndef PACKET_DIGEST_H
#define PACKET_DIGEST_H

#include "packet/packet.h"

/* What does not count. */
enum packet_ignore {
	PACKET_IGNORE_ETH = 1,  /* the link's header, without its tags */
	PACKET_IGNORE_VLAN = 2, /* tags */
	PACKET_IGNORE_TTL = 4,  /* IPv6's hop limit; with it the header's checksum */
	PACKET_IGNORE_ID = 8,   /* of IPv4; with it the header's checksum */
};
extern const char *const packet_ignore_names[]; /* by bit; ends with NULL */

/* Of the captured bytes, without what pads a frame behind its packet, and, where no header says how
   long it is, of the length on the wire. Of what is no packet, of all bytes. By SipHash: who does
   not know the key makes no two packets meet. */
uint64_t packet_digest(const struct pt_msg *, const uint64_t key[2], unsigned ignore);

#endif
