/* SPDX-License-Identifier: BSD-2-Clause */
/* A pcapng or pcap stream that is read while it is made: by Wireshark, through a tap, by a program.
   */
#ifndef CAPTURE_FEED_H
#define CAPTURE_FEED_H

#include "base/buf.h"
#include "capture/mapping.h"
#include <pipetool/msg.h>

#define FEED_PLAIN 147 /* LINKTYPE_USER0: of messages that are not packets */

/* One section; interfaces as mapping.h has them, described when their first packet comes; those
   that are unknown have the stream's name. Only writes to buffers. */
struct feed {
	char *name;
	uint16_t plain;
	bool is_pcap;  /* of one link type, in nanoseconds */
	int link_type; /* then: its packets', from the first on; -1 */
	struct mapping map;
	struct feed_count {
		uint64_t packets, lost, lost_told;
	} * counts; /* of the interfaces, by their numbers */
	uint32_t count;
};

/* `plain` is the link type of what is not a packet. */
void feed_init(struct feed *, const char *name, uint16_t plain);
void feed_fini(struct feed *); /* one that is all zero is fine */

void feed_header(struct feed *, struct buf *); /* what the stream begins with */
/* The message, as a packet of its time, or else of now. False: it is of another link type than the
   pcap. */
bool feed_packet(struct feed *, struct buf *, const struct pt_msg *);
/* The same behind `lost` others that were left out, which its block tells (epb_dropcount). */
bool feed_packet_after(struct feed *, struct buf *, const struct pt_msg *, uint64_t lost);
/* One that is left out of the stream. */
void feed_lose(struct feed *, const struct pt_msg *);
/* How many were left out, if there are new ones: as the statistics of their interfaces. */
void feed_tell_lost(struct feed *, struct buf *);

#endif
