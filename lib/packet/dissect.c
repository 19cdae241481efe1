/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the layers of a packet. */
#include "packet/checksum.h"
#include "packet/cursor.h"

#include <string.h>

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

/* Without fields that anybody names. */
static void other(struct cursor *c)
{
	const struct checksum_kind *kind = checksum_kind(c->proto, packet_has(c->view, PACKET_IP6));

	if (kind)
		checksum(c, kind->at);
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
	default: other(c);
	}
}

/* Steps over extension headers, to a message or to one of them that is a message itself. */
static struct cursor extensions(struct cursor c)
{
	for (unsigned n = 0; !c.ends && proto_is_extension(c.proto); n++) {
		const uint8_t *header = here(&c);
		bool message = c.proto == PROTO_MOBILITY || c.proto == PROTO_HIP;
		if (message && left(&c) && header[0] == PROTO_NONE)
			break;
		if (n == EXTENSIONS_MAX || left(&c) < 8 ||
		    left(&c) < extension_size(c.proto, header)) {
			c.ends = true;
			break;
		}
		if (c.proto == PROTO_FRAGMENT) {
			c.ends = be16(header + 2) & 0xfff8;
			c.view->fragment = c.ends;
			c.view->part = be16(header + 2) & 0xfff9;
		}
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
	uint16_t part = be16(header + 6) & 0x3fff;
	c->ends = part & 0x1fff;
	c->view->fragment = c->ends;
	c->view->part = part;
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

static inline void network(struct cursor *c)
{
	c->view->ether_type = c->ether_type;
	if (c->ether_type == ETHER_TYPE_ARP)
		arp(c);
	if ((c->ether_type == ETHER_TYPE_IP && ip(c)) ||
	    (c->ether_type == ETHER_TYPE_IP6 && ip6(c)))
		transport(c);
	payload(c);
}

/* What ethernet() does, where nothing is in front. */
static inline uint16_t first_ethernet(struct cursor *c)
{
	if (c->end < ETH_SIZE)
		return 0;
	c->view->present = 1u << PACKET_ETH;
	c->view->mac[1] = 6;
	c->view->mac_count = 2;
	c->at = ETH_SIZE;
	return be16(c->bytes + ETH_SIZE - 2);
}

/* An EtherType, or a link type. */
enum { ANNOUNCED = 0x10000 };

static void dissect(const uint8_t *bytes, size_t length, uint32_t what, struct packet_view *view)
{
	struct cursor c = {.bytes = bytes, .view = view};

	c.end = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
	memset(view, 0, sizeof *view);
	if (what == PACKET_LINK_EN10MB)
		c.ether_type = first_ethernet(&c);
	else if (what & ANNOUNCED)
		c.ether_type = (uint16_t)what;
	else
		c = link_first(c, (uint16_t)what);
	if (c.ether_type && c.ether_type != ETHER_TYPE_IP && c.ether_type != ETHER_TYPE_IP6)
		c = link_rest(c);
	network(&c);
}

void packet_dissect_bytes(const uint8_t *bytes, size_t length, uint16_t link_type,
                          struct packet_view *view)
{
	dissect(bytes, length, link_type, view);
}

void packet_dissect_ether_type(const uint8_t *bytes, size_t length, uint16_t ether_type,
                               struct packet_view *view)
{
	dissect(bytes, length, ANNOUNCED | ether_type, view);
}

void packet_dissect(const struct pt_msg *m, struct packet_view *view)
{
	packet_dissect_bytes(m->bytes, m->length, m->link_type, view);
}
