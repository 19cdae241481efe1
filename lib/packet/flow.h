/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows: which packets belong together, whichever of the two ends has sent them. */
#ifndef PACKET_FLOW_H
#define PACKET_FLOW_H

#include "packet/packet.h"

/*
 * A flow is the outer IP header's two addresses, its protocol, and the two ports of TCP, UDP,
 * UDP-Lite, SCTP and DCCP; other protocols have no ports. Tags, labels and the link do not count.
 * The end with the lower address, then port, as bytes in network order, stands first, so both
 * directions are one flow. All packets without IP are one flow, too.
 *
 * As text, as tcpdump writes an end: "tcp-192.0.2.1.443-192.0.2.7.55312", "icmp6-fe80::1-fe80::2",
 * "proto253-192.0.2.1-192.0.2.7", and "none" without IP.
 *
 * The hash is the same in every version and on every machine: SipHash-1-3 (base/sip.h) with a key
 * of zeros over these bytes: version (4 or 6), protocol, the ports of both ends (2 bytes each, 0 if
 * there are none), the addresses of both (4 or 16 bytes each); over a byte of 0 without IP.
 */
enum { PACKET_FLOW_SIZE = 38, PACKET_FLOW_TEXT = 128 };

struct packet_flow {
	uint8_t bytes[PACKET_FLOW_SIZE]; /* those; 0 behind them */
};

static inline size_t packet_flow_size(const struct packet_flow *f)
{
	return f->bytes[0] == 4 ? 14 : f->bytes[0] == 6 ? PACKET_FLOW_SIZE : 1;
}

/*
 * Of fragments the first alone shows ports; it is remembered, of the last thousand that came in
 * parts, so that the later ones are of its flow. One whose first was not seen before has the ports
 * 0. One thread at a time; without memory (NULL) no fragment but the first has ports.
 */
struct packet_parts;
struct packet_parts *packet_parts_new(void); /* NULL: there is no memory */
void packet_parts_free(struct packet_parts *);

/* One that is no packet is without IP. */
void packet_flow(struct packet_parts *, const struct pt_msg *, struct packet_flow *);
/* The same where the view of the message's bytes is there already. */
void packet_flow_of(struct packet_parts *, const struct pt_msg *, const struct packet_view *,
                    struct packet_flow *);
uint64_t packet_flow_hash(const struct packet_flow *);
/* Returns the length; `out` has room for PACKET_FLOW_TEXT. */
size_t packet_flow_text(const struct packet_flow *, char *out);

#endif
