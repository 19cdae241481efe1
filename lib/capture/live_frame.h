/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame as a packet socket's ring has it, made into the packet that was on the wire. */
#ifndef CAPTURE_LIVE_FRAME_H
#define CAPTURE_LIVE_FRAME_H

#include "capture/live_filter.h"
#include <linux/if_packet.h>

/* Bytes that the ring must have free before each frame, beside what it has anyway. */
#define LIVE_FRAME_RESERVE 8

struct live_frame {
	uint8_t *bytes;
	uint32_t length, wire_length;
	uint16_t link_type;
	const struct sockaddr_ll *from;
	/* The kernel takes the outer VLAN tag out of the bytes. */
	bool tagged;
	uint16_t tpid, tci;
	uint8_t *mark; /* of the frame's header, 0 at first: the tag has been put back */
};

struct live_view {
	uint16_t link_type; /* a frame's own where it is bound to no interface */
	enum live_direction direction;
	uint32_t snaplen;
	bool filters;              /* what the kernel lets through, or does not know how to */
	struct live_filter filter; /* where it does */
};

/* Puts back what the kernel took, makes it cooked, and cuts it; in place, in such a way that it may
   be done again by another process, whenever this one ends. False: it is left out. */
bool live_frame_see(struct live_frame *, const struct live_view *);

#endif
