/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share: numbers in network order, IPv6's extension headers,
   routes. */
#ifndef PACKET_INSIDE_H
#define PACKET_INSIDE_H

#include "packet/packet.h"

enum {
	ETHER_TYPE_LEAST = 0x0600, /* below, it is IEEE 802.3's length */
	ETHER_TYPE_IP = 0x0800,
	ETHER_TYPE_ARP = 0x0806,
	ETHER_TYPE_IP6 = 0x86dd,
	ETHER_TYPE_PPPOE = 0x8864,
	ETHER_TYPE_PPP = 0x880b,
	ETHER_TYPE_FRAME = 0x6558, /* an Ethernet frame */

	ETH_SIZE = 14,
	ARP_SIZE = 28, /* of Ethernet and IPv4 */
	IP_SIZE = 20,
	IP6_SIZE = 40,
	TCP_SIZE = 20,
	UDP_SIZE = 8,
	ICMP_SIZE = 8,

	PROTO_ICMP = 1,
	PROTO_IGMP = 2,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_GRE = 47,
	PROTO_ICMP6 = 58,
	PROTO_NONE = 59,
	PROTO_OSPF = 89,
	PROTO_PIM = 103,
	PROTO_VRRP = 112,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,

	PROTO_HOP_BY_HOP = 0,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ESP = 50,
	PROTO_AH = 51,
	PROTO_DESTINATION = 60,
	PROTO_MOBILITY = 135,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,

	EXTENSIONS_MAX = 64, /* more in one packet are not followed */
};

static inline uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static inline bool proto_is_extension(uint8_t proto)
{
	switch (proto) {
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_DESTINATION:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6: return true;
	default: return false;
	}
}

/* Bytes of an extension header, of which 8 must be there to look at. */
static inline uint32_t extension_size(uint8_t proto, const uint8_t *header)
{
	switch (proto) {
	case PROTO_FRAGMENT: return 8;
	case PROTO_AH: return (header[1] + 2u) * 4;
	default: return (header[1] + 1u) * 8;
	}
}

/* Where what is behind the link begins. */
static inline uint32_t network_at(const struct packet_view *v)
{
	static const enum packet_layer layers[] = {PACKET_IP, PACKET_IP6, PACKET_ARP};

	for (unsigned i = 0; i < 3; i++)
		if (packet_has(v, layers[i]))
			return v->offset[layers[i]];
	return v->offset[PACKET_PAYLOAD];
}

/*
 * The addresses that IPv6's routing header and home address option, or IPv4's options for source
 * routes and recorded ones, hold. `final` is the offset of the packet's last destination where that
 * is not the header's, `home` that of its source: those of the pseudo-header then; else 0.
 */
struct route {
	uint32_t first; /* offset of the first address */
	uint32_t count, size;
	uint32_t final, home;
	uint32_t next; /* where to look for another: begin with 0 */
	uint8_t proto; /* and for what */
};

/* Quickly: whether to look at all. */
static inline bool route_possible(const uint8_t *bytes, const struct packet_view *v)
{
	if (packet_has(v, PACKET_IP))
		return bytes[v->offset[PACKET_IP]] != 0x45;
	return packet_has(v, PACKET_IP6) && proto_is_extension(bytes[v->offset[PACKET_IP6] + 6]);
}

bool route_next(const uint8_t *bytes, const struct packet_view *, struct route *);

/* "TCP"; NULL: it has none here. */
const char *packet_proto_name(uint8_t proto);

/* Whether ICMP messages of this type have an identifier and a sequence number. */
bool icmp_is_query(enum packet_layer, uint8_t type);

/* What lies in a link where no packet was found: link_type.c's table. */
enum link_other {
	OTHER_OPAQUE,
	OTHER_HARMLESS, /* nothing that has addresses of IP */
	OTHER_LLC,
	OTHER_PPP,
	OTHER_WIRELESS,
	OTHER_SCTP
};
enum link_other link_other(uint16_t link_type);

/* Whether a link's header has an EtherType at a fixed place: how long it is, and where. */
bool link_type_at(uint16_t link_type, uint8_t *size, uint8_t *type_at);

/* AES-128 over whole blocks, each by itself (ECB), by libcrypto, which is loaded at the first
   use. */
struct cipher;
int cipher_new(const uint8_t key[16], struct cipher **, struct pt_error *);
void cipher_free(struct cipher *); /* NULL does nothing */
void cipher_encrypt(struct cipher *, const uint8_t *in, uint8_t *out, size_t blocks);

#endif
