/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the layers of a packet. */
#include "packet/packet.h"
#include "packet/inside.h"

#include <string.h>

/*
 * The part of the packet in which the next layer lies, and what that is. It stays in registers on
 * the way from Ethernet to TCP: functions that are not inlined take and return it by value.
 */
struct cursor {
	const uint8_t *bytes;
	struct packet_view *view;
	uint32_t at, end;
	uint16_t ether_type; /* of the next layer; 0: unknown */
	uint8_t proto;       /* likewise, behind IP */
	bool ends;           /* the transport layer cannot be had */
};

static inline uint32_t left(const struct cursor *c)
{
	return c->end - c->at;
}

static inline const uint8_t *here(const struct cursor *c)
{
	return c->bytes + c->at;
}

static inline void found(struct cursor *c, enum packet_layer layer)
{
	c->view->offset[layer] = c->at;
	c->view->present |= 1u << layer;
}

static inline void skip(struct cursor *c, uint32_t size)
{
	c->at += size < left(c) ? size : left(c);
}

/* What a header says about its own end counts where it can be true. */
static inline void limit(struct cursor *c, uint32_t size, uint32_t least)
{
	if (size >= least && size < left(c))
		c->end = c->at + size;
}

static void payload(struct cursor *c)
{
	c->view->offset[PACKET_PAYLOAD] = c->at;
	c->view->payload_length = left(c);
	c->view->present |= (uint32_t)(c->at < c->end) << PACKET_PAYLOAD;
}

static inline void checksum(struct cursor *c, uint32_t offset)
{
	if (left(c) >= offset + 2)
		c->view->checksum = c->at + offset;
}

static inline void tcp(struct cursor *c)
{
	checksum(c, 16);
	if (left(c) < TCP_SIZE)
		return;
	found(c, PACKET_TCP);
	uint32_t size = here(c)[12] >> 4 << 2;
	skip(c, size < TCP_SIZE ? TCP_SIZE : size);
}

static inline void udp(struct cursor *c)
{
	if (left(c) < UDP_SIZE)
		return;
	checksum(c, 6);
	found(c, PACKET_UDP);
	limit(c, be16(here(c) + 4), UDP_SIZE);
	skip(c, UDP_SIZE);
}

static inline void icmp(struct cursor *c, enum packet_layer layer)
{
	checksum(c, 2);
	if (left(c) < ICMP_SIZE)
		return;
	found(c, layer);
	skip(c, ICMP_SIZE);
}

static inline void transport(struct cursor *c)
{
	c->view->ip_proto = c->proto;
	if (c->ends)
		return;
	switch (c->proto) {
	case PROTO_TCP: tcp(c); break;
	case PROTO_UDP: udp(c); break;
	case PROTO_ICMP:
		if (packet_has(c->view, PACKET_IP))
			icmp(c, PACKET_ICMP);
		break;
	case PROTO_ICMP6:
		if (packet_has(c->view, PACKET_IP6))
			icmp(c, PACKET_ICMP6);
		break;
	case PROTO_DCCP:
	case PROTO_UDPLITE: checksum(c, 6); break;
	}
}

/* Steps over extension headers. */
static struct cursor extensions(struct cursor c)
{
	for (unsigned n = 0; !c.ends && proto_is_extension(c.proto); n++) {
		const uint8_t *header = here(&c);
		if (n == EXTENSIONS_MAX || left(&c) < 8 ||
		    left(&c) < extension_size(c.proto, header)) {
			c.ends = true;
			break;
		}
		c.ends = c.proto == PROTO_FRAGMENT && be16(header + 2) & 0xfff8;
		c.view->fragment = c.ends;
		skip(&c, extension_size(c.proto, header));
		c.proto = header[0];
	}
	return c;
}

static inline bool ip(struct cursor *c)
{
	if (left(c) < IP_SIZE)
		return false;
	const uint8_t *header = here(c);
	uint32_t size = (header[0] & 15) * 4;
	if (header[0] >> 4 != 4 || size < IP_SIZE)
		return false;
	found(c, PACKET_IP);
	limit(c, be16(header + 2), size);
	skip(c, size);
	c->proto = header[9];
	c->ends = be16(header + 6) & 0x1fff;
	c->view->fragment = c->ends;
	if (c->proto == PROTO_AH)
		*c = extensions(*c);
	return true;
}

static inline bool ip6(struct cursor *c)
{
	if (left(c) < IP6_SIZE || here(c)[0] >> 4 != 6)
		return false;
	const uint8_t *header = here(c);
	found(c, PACKET_IP6);
	limit(c, IP6_SIZE + be16(header + 4), IP6_SIZE + 1);
	skip(c, IP6_SIZE);
	c->proto = header[6];
	if (proto_is_extension(c->proto))
		*c = extensions(*c);
	return true;
}

static inline void arp(struct cursor *c)
{
	const uint8_t *header = here(c);
	if (left(c) < ARP_SIZE || be16(header + 2) != ETHER_TYPE_IP || header[4] != 6 ||
	    header[5] != 4)
		return;
	found(c, PACKET_ARP);
	skip(c, ARP_SIZE);
	c->end = c->at; /* ARP has no payload: the rest is padding */
}

/*
 * What comes before the network layer: each of these steps over it and returns the EtherType of
 * what follows, be it written there or not; 0 if nobody knows it.
 */

static inline uint16_t ethernet(struct cursor *c)
{
	if (left(c) < 14)
		return 0;
	found(c, PACKET_ETH);
	skip(c, 14);
	return be16(here(c) - 2);
}

static uint16_t cooked(struct cursor *c, uint32_t size, uint32_t type_at, uint32_t hardware_at)
{
	enum { ARPHRD_OF_NETLINK = 824 };
	if (left(c) < size)
		return 0;
	const uint8_t *header = here(c);
	bool netlink = hardware_at && be16(header + hardware_at) == ARPHRD_OF_NETLINK;
	uint16_t ether_type = be16(header + type_at);
	skip(c, size);
	return netlink || ether_type < ETHER_TYPE_LEAST ? 0 : ether_type;
}

static uint16_t version(const struct cursor *c)
{
	switch (left(c) ? here(c)[0] >> 4 : 0) {
	case 4: return ETHER_TYPE_IP;
	case 6: return ETHER_TYPE_IP6;
	default: return 0;
	}
}

/* An address family in the byte order, and by the numbers, of whoever captured. */
static uint16_t loopback(struct cursor *c)
{
	if (left(c) < 4)
		return 0;
	uint32_t family = be32(here(c));
	if (family >> 16)
		family = __builtin_bswap32(family);
	skip(c, 4);
	switch (family) {
	case 2: return ETHER_TYPE_IP;
	case 10:
	case 24:
	case 28:
	case 30: return ETHER_TYPE_IP6;
	default: return 0;
	}
}

static uint16_t ppp(struct cursor *c)
{
	enum { PPP_IP = 0x21, PPP_IP6 = 0x57 };
	uint32_t size = left(c) && here(c)[0] & 1 ? 1 : 2; /* compressed, or not */
	if (left(c) < size)
		return 0;
	uint16_t protocol = size == 1 ? here(c)[0] : be16(here(c));
	if (protocol != PPP_IP && protocol != PPP_IP6)
		return 0;
	skip(c, size);
	return protocol == PPP_IP ? ETHER_TYPE_IP : ETHER_TYPE_IP6;
}

static uint16_t ppp_framed(struct cursor *c)
{
	if (left(c) >= 2 && be16(here(c)) == 0xff03)
		skip(c, 2);
	return ppp(c);
}

static uint16_t pppoe(struct cursor *c)
{
	if (left(c) < 6 || here(c)[0] != 0x11 || here(c)[1] != 0)
		return 0;
	limit(c, 6u + be16(here(c) + 4), 6);
	skip(c, 6);
	return ppp(c);
}

static inline bool is_tag(uint16_t ether_type)
{
	return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100 ||
	       ether_type == 0x9200;
}

static inline uint16_t tags(struct cursor *c, uint16_t ether_type)
{
	while (is_tag(ether_type) && left(c) >= 4) {
		if (!packet_has(c->view, PACKET_VLAN))
			found(c, PACKET_VLAN);
		skip(c, 4);
		ether_type = be16(here(c) - 2);
	}
	return ether_type;
}

static uint16_t other_link(struct cursor *c, uint16_t link_type)
{
	switch (link_type) {
	case PACKET_LINK_RAW:
	case 12: /* DLT_RAW of most systems, and of OpenBSD: found in files all the same */
	case 14: return version(c);
	case PACKET_LINK_IPV4: return ETHER_TYPE_IP;
	case PACKET_LINK_IPV6: return ETHER_TYPE_IP6;
	case PACKET_LINK_NULL:
	case PACKET_LINK_LOOP: return loopback(c);
	case PACKET_LINK_LINUX_SLL: return cooked(c, 16, 14, 2);
	case PACKET_LINK_LINUX_SLL2: return cooked(c, 20, 0, 8);
	case PACKET_LINK_C_HDLC: return cooked(c, 4, 2, 0);
	case PACKET_LINK_PPP:
	case PACKET_LINK_PPP_SERIAL: return ppp_framed(c);
	case PACKET_LINK_PPP_ETHER: return pppoe(c);
	default: return 0;
	}
}

static struct cursor link_layer(struct cursor c, uint16_t link_type)
{
	c.ether_type = other_link(&c, link_type);
	return c;
}

static struct cursor session(struct cursor c)
{
	uint16_t ether_type = pppoe(&c);
	if (ether_type)
		c.ether_type = ether_type;
	return c;
}

void packet_dissect_bytes(const uint8_t *bytes, size_t length, uint16_t link_type,
                          struct packet_view *view)
{
	struct cursor c = {.bytes = bytes, .view = view};

	c.end = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
	memset(view, 0, sizeof *view);
	if (link_type == PACKET_LINK_EN10MB)
		c.ether_type = ethernet(&c);
	else
		c = link_layer(c, link_type);
	c.ether_type = tags(&c, c.ether_type);

	if (c.ether_type < ETHER_TYPE_LEAST) { /* a length, of IEEE 802.3 */
		limit(&c, c.ether_type, 1);
		c.ether_type = 0;
	}
	if (c.ether_type == ETHER_TYPE_PPPOE)
		c = session(c);
	view->ether_type = c.ether_type;
	if (c.ether_type == ETHER_TYPE_ARP)
		arp(&c);
	if ((c.ether_type == ETHER_TYPE_IP && ip(&c)) ||
	    (c.ether_type == ETHER_TYPE_IP6 && ip6(&c)))
		transport(&c);
	payload(&c);
}

void packet_dissect(const struct pt_msg *m, struct packet_view *view)
{
	packet_dissect_bytes(m->bytes, m->length, m->link_type, view);
}
