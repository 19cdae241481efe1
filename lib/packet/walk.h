/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk through all layers of a packet, down into tunnels and what errors quote, that replaces
   each address on its way. */
#ifndef PACKET_WALK_H
#define PACKET_WALK_H

#include "packet/inside.h"
#include "packet/pseudonym.h"

/*
 * Each walk_… takes a layer that lies from `at` up to `end`, which is never behind the last
 * captured byte; where the capture cut it, what is there of its addresses is replaced.
 *
 * Checksums: `delta` adds up what all changes so far mean to a sum of 16-bit words that begin at
 * even offsets of the packet. A layer that has a checksum looks at how much it grew while all that
 * the checksum covers was walked. What a checksum becomes is a change too, for those further out.
 */
struct walk {
	struct pseudonyms *pseudonyms;
	const struct packet_anonymizer_options *options;
	struct fragments *fragments;
	uint8_t *bytes;
	uint32_t length; /* captured */
	uint32_t kept;   /* of which this is left, where payloads are cut */
	int64_t delta;
	uint32_t quoted;                /* where what an error quotes ends, which may be anywhere */
	const struct packet_view *link; /* of the innermost one, which begins at */
	uint32_t link_at;
	unsigned depth;        /* of layers that may hold layers */
	const uint8_t *nearby; /* IPv6 addresses that solicited-node groups may be of: */
	unsigned nearby_count; /* what they were */
	bool whole;            /* the innermost datagram ends where it says */
	bool changed, opaque;
	bool ended; /* an application's bytes have begun */
};

/* What a transport layer has to know of the network layer: the addresses of its pseudo-header. */
struct walk_net {
	int64_t from, to;          /* their changes, as words at even offsets */
	uint32_t from_sum, to_sum; /* what they were */
	uint32_t length;           /* of the transport's part of the datagram */
	uint8_t version, proto;
};

enum { WALK_DEPTH_MAX = 24 };

static inline uint32_t walk_left(uint32_t at, uint32_t end)
{
	return at < end ? end - at : 0;
}

static inline bool walk_is_cut(const struct walk *w, uint32_t end)
{
	return (end == w->length && !w->whole) || end == w->quoted;
}

/* Places of addresses. Return what it means to a sum in which they begin at an even offset. */
int64_t walk_put(struct walk *, uint32_t at, const uint8_t *with, uint32_t size);
int64_t walk_address(struct walk *, uint32_t at, uint32_t end);     /* IPv4 */
void walk_address_turned(struct walk *, uint32_t at, uint32_t end); /* IPv4, each bit turned */
int64_t walk_address6(struct walk *, uint32_t at, uint32_t end);    /* IPv6 */
void walk_addresses(struct walk *, uint32_t at, uint32_t end, unsigned size); /* a list */
void walk_mac(struct walk *, uint32_t at, uint32_t end); /* if these are to be replaced */
/* The first `bits` of an address of 4 or 16 bytes count; more where what follows is not empty. It
   may be shorter, up to the end. */
void walk_prefix(struct walk *, uint32_t at, uint32_t end, unsigned size, unsigned bits);

/* The checksum at `at`, over what begins at `start`, makes up for a change. If it is past the end,
   nothing. */
void walk_amend(struct walk *, uint32_t at, uint32_t start, uint32_t end, int64_t delta);
/* The same of one with a pseudo-header: `inner` is what changed of what it covers. One that holds
   only the pseudo-header's sum, as a sending host leaves it to its hardware, stays like that. */
void walk_amend_transport(struct walk *, uint32_t at, uint32_t start, uint32_t end,
                          const struct walk_net *, int64_t inner);

/* The ends of the ways: what nobody looks into; what cannot be looked into, and may hold
   addresses. */
void walk_payload(struct walk *, uint32_t at, uint32_t end);
void walk_padding(struct walk *, uint32_t at,
                  uint32_t end); /* behind the end that a header tells */
void walk_opaque(struct walk *, uint32_t at, uint32_t end);
/* A header that is not as it must be: opaque, unless the capture ends within. */
void walk_broken(struct walk *, uint32_t at, uint32_t end);

/* walk_link.c */
void walk_link(struct walk *, uint32_t at, uint32_t end, uint16_t link_type);
void walk_ether_type(struct walk *, uint32_t at, uint32_t end, uint16_t ether_type);
void walk_ppp(struct walk *, uint32_t at, uint32_t end);
void walk_mpls(struct walk *, uint32_t at, uint32_t end);
/* A group's hardware address follows the group's: `before` is what this was. */
void walk_link_group(struct walk *, const uint8_t before[16], const uint8_t after[16]);
void walk_link_group_alone(struct walk *); /* the group's was not captured */

/* walk_wireless.c */
/* IEEE 802.11's management and control; data that is encrypted, or none. */
void walk_wireless(struct walk *, uint32_t at, uint32_t end);
/* Several frames may have been joined to one: where the first ends, which begins at `at`; `end` if
   it is alone. Then the others, behind `at`, which begin at multiples of 4 from `frame`. */
uint32_t walk_joined_first(const struct walk *, uint32_t at, uint32_t end,
                           const struct packet_view *);
void walk_joined_others(struct walk *, uint32_t at, uint32_t end, uint32_t frame);

/* walk_ip.c */
/* Those that have another header behind them, and are no layer of their own. */
static inline bool walk_is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DESTINATION;
}
void walk_ip(struct walk *, uint32_t at, uint32_t end);
void walk_ip6(struct walk *, uint32_t at, uint32_t end);
void walk_version(struct walk *, uint32_t at, uint32_t end); /* one of both, as it says */

/* walk_router.c */
void walk_vrrp(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_sctp(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_mobility(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* walk_routing.c */
void walk_ospf(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_pim(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_hip(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* walk_transport.c */
void walk_transport(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* walk_control.c */
void walk_icmp(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_igmp(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* walk_neighbour.c */
void walk_icmp6(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* walk_quote.c: what an error says about a packet: it, and objects behind it (RFC 4884). `size`: of
   the first, as the error says; 0: it does not. */
void walk_quote(struct walk *, uint32_t at, uint32_t end, uint32_t size);
void walk_objects(struct walk *, uint32_t at, uint32_t end);

/* walk_tunnel.c */
void walk_gre(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_l2tp3(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
void walk_ether_ip(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);
/* What UDP carries between these ports, if that may hold addresses; false: it is an
   application's. */
bool walk_udp(struct walk *, uint32_t at, uint32_t end, const uint8_t *ports);

/* walk_fragment.c: a datagram is what its first fragment has shown; `seen` remembers that. */
struct fragment {
	uint8_t addresses[32]; /* as they were */
	uint32_t id, offset;
	uint8_t proto;
	bool cut; /* not all of it is there */
};
struct fragments *fragments_new(void);
void fragments_free(struct fragments *);
void walk_fragment(struct walk *, uint32_t at, uint32_t end, const struct walk_net *,
                   const struct fragment *);

#endif
