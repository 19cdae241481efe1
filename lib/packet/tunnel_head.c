/* SPDX-License-Identifier: BSD-2-Clause */
/* The headers of tunnels, one function each. */
#include "packet/checksum.h"
#include "packet/step.h"
#include "packet/tunnel.h"

static uint32_t room(const struct tunnel_bytes *b)
{
	return b->at < b->end ? b->end - b->at : 0;
}

static const uint8_t *head(const struct tunnel_bytes *b)
{
	return b->bytes + b->at;
}

static enum tunnel_found carries(const struct tunnel_bytes *b, struct tunnel_head *h,
                                 enum packet_tunnel kind, uint32_t size, uint16_t ether_type)
{
	h->kind = kind;
	h->at = b->at + size;
	h->end = UINT32_MAX;
	h->ether_type = ether_type;
	h->link_type = PT_NO_LINK_TYPE;
	return room(b) < size ? TUNNEL_CUT : TUNNEL_CARRIES;
}

static enum tunnel_found numbered(struct tunnel_head *h, enum tunnel_found found, uint32_t id)
{
	h->has_id = true;
	h->id = id;
	return found;
}

/* By the first four bits; nothing else than a packet of IP can be meant. */
static uint16_t version_at(const struct tunnel_bytes *b, uint32_t ahead)
{
	return ahead < room(b) && head(b)[ahead] >> 4 == 6 ? ETHER_TYPE_IP6 : ETHER_TYPE_IP;
}

/* ---- guesses ---- */

/* For want of a header that says whether a packet is there, or an Ethernet frame of one. */
static bool is_ip(const struct tunnel_bytes *b)
{
	const uint8_t *header = head(b);
	uint32_t left = room(b);

	if (left >= IP6_SIZE && header[0] >> 4 == 6)
		return be16(header + 4) + (uint32_t)IP6_SIZE <= left || b->cut;
	if (left < IP_SIZE || header[0] >> 4 != 4)
		return false;
	uint32_t size = (header[0] & 15) * 4u;
	return size >= IP_SIZE && (size > left || sum_is_zero(sum_bytes(header, size)));
}

static bool is_frame(const struct tunnel_bytes *b)
{
	uint32_t left = room(b);
	if (left < ETH_SIZE)
		return false;
	uint8_t version = left > ETH_SIZE ? head(b)[ETH_SIZE] >> 4 : 0;
	switch (be16(head(b) + ETH_SIZE - 2)) {
	case ETHER_TYPE_IP: return version == 4 || left == ETH_SIZE;
	case ETHER_TYPE_IP6: return version == 6 || left == ETH_SIZE;
	case ETHER_TYPE_ARP:
	case ETHER_TYPE_PPPOE:
	case 0x8100:
	case 0x88a8: return true;
	default: return false;
	}
}

/* ---- GRE ---- */

static enum tunnel_found erspan3(const struct tunnel_bytes *b, struct tunnel_head *h, uint32_t size)
{
	enum { SIZE = 12, MORE = 8, IS_IP = 2 };
	const uint8_t *header = head(b) + size;
	if (room(b) < size + SIZE)
		return TUNNEL_CUT;
	uint32_t whole = size + SIZE + (header[11] & 1u) * MORE;
	uint16_t type = (header[10] >> 2 & 31) == IS_IP ? version_at(b, whole) : ETHER_TYPE_FRAME;
	return numbered(h, carries(b, h, PACKET_TUNNEL_ERSPAN, whole, type),
	                be16(header + 2) & 1023u);
}

/* The second kind is numbered, and has a header; the first has none. */
static enum tunnel_found erspan(const struct tunnel_bytes *b, struct tunnel_head *h, uint32_t size,
                                bool second)
{
	h->has_id = false;
	if (!second)
		return carries(b, h, PACKET_TUNNEL_ERSPAN, size, ETHER_TYPE_FRAME);
	if (room(b) < size + 8)
		return TUNNEL_CUT;
	return numbered(h, carries(b, h, PACKET_TUNNEL_ERSPAN, size + 8, ETHER_TYPE_FRAME),
	                be16(head(b) + size + 2) & 1023u);
}

static enum tunnel_found wccp(const struct tunnel_bytes *b, struct tunnel_head *h, uint32_t size)
{
	uint32_t more = room(b) >= size + 4 && head(b)[size] >> 4 != 4 ? 4 : 0;
	return carries(b, h, PACKET_TUNNEL_GRE, size + more, version_at(b, size + more));
}

static enum tunnel_found gre_carries(const struct tunnel_bytes *b, struct tunnel_head *h,
                                     uint32_t size, bool second)
{
	uint16_t type = be16(head(b) + 2);

	switch (type) {
	case 0x0000: /* who keeps a tunnel alive sends nothing */
		carries(b, h, PACKET_TUNNEL_GRE, size, version_at(b, size));
		return room(b) > size ? TUNNEL_CARRIES : TUNNEL_OTHER;
	case 0x88be: return erspan(b, h, size, second);
	case 0x22eb: return erspan3(b, h, size);
	case 0x883e: return wccp(b, h, size);
	default: carries(b, h, PACKET_TUNNEL_GRE, size, type);
	}
	bool radio = type >= 0x9000 && type < 0xa000; /* of some vendors' networks */
	return radio ? TUNNEL_OPAQUE : TUNNEL_CARRIES;
}

enum tunnel_found tunnel_gre(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { SUM = 0x80, ROUTES = 0x40, KEY = 0x20, NUMBER = 0x10, ANSWER = 0x80 };

	if (room(b) < 4)
		return TUNNEL_CUT;
	uint8_t flags = head(b)[0], version = head(b)[1] & 7;
	uint32_t sum = flags & (SUM | ROUTES) ? 4 : 0, key = flags & KEY ? 4 : 0;
	uint32_t size = 4 + sum + key + (flags & NUMBER ? 4 : 0) +
	                (version == 1 && head(b)[1] & ANSWER ? 4 : 0);
	h->at = b->at + 4;
	if (flags & ROUTES || version > 1)
		return TUNNEL_OPAQUE; /* routes are lists of addresses, or of anything */
	if (room(b) < size)
		return TUNNEL_CUT;
	h->has_id = key;
	if (key)
		h->id = version ? be16(head(b) + 4 + sum + 2) : be32(head(b) + 4 + sum);
	return gre_carries(b, h, size, flags & NUMBER);
}

/* ---- L2TP ---- */

/* Version 3's header is as long as both ends agreed: where a frame or a packet is, only that
   tells.*/
static enum tunnel_found l2tp3_carries(const struct tunnel_bytes *b, struct tunnel_head *h,
                                       uint32_t size)
{
	enum { AHEAD_MAX = 12 };
	struct tunnel_bytes inside = *b;

	for (uint32_t ahead = size; ahead <= size + AHEAD_MAX; ahead += 4) {
		inside.at = b->at + ahead;
		if (is_frame(&inside))
			return carries(b, h, PACKET_TUNNEL_L2TP, ahead, ETHER_TYPE_FRAME);
	}
	for (uint32_t ahead = size; ahead <= size + AHEAD_MAX; ahead += 4) {
		inside.at = b->at + ahead;
		if (is_ip(&inside))
			return carries(b, h, PACKET_TUNNEL_L2TP, ahead, version_at(b, ahead));
	}
	h->at = b->at + size;
	return TUNNEL_OPAQUE;
}

enum tunnel_found tunnel_l2tp3(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	if (room(b) < 4)
		return TUNNEL_CUT;
	uint32_t session = be32(head(b));
	h->at = b->at + 4;
	if (!session)
		return TUNNEL_OPAQUE; /* who controls tells of routers */
	return numbered(h, l2tp3_carries(b, h, 4), session);
}

static enum tunnel_found l2tp2(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { LENGTH = 0x40, NUMBERS = 0x08, OFFSET = 0x02 };
	uint8_t flags = head(b)[0];
	uint32_t before = 2 + (flags & LENGTH ? 2 : 0);
	uint32_t size = before + 4 + (flags & NUMBERS ? 4 : 0);

	if (room(b) < size + 2)
		return TUNNEL_CUT;
	uint32_t session = be16(head(b) + before + 2);
	if (flags & OFFSET)
		size += 2u + be16(head(b) + size);
	return numbered(h, carries(b, h, PACKET_TUNNEL_L2TP, size, ETHER_TYPE_PPP), session);
}

enum tunnel_found tunnel_l2tp(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { CONTROL = 0x80 };

	if (room(b) < 8)
		return TUNNEL_CUT;
	bool control = head(b)[0] & CONTROL;
	uint8_t version = head(b)[1] & 15;
	h->at = b->at;
	if (version == 3 && !control)
		return numbered(h, l2tp3_carries(b, h, 8), be32(head(b) + 4));
	if (version != 2)
		return TUNNEL_OPAQUE;
	return control ? TUNNEL_OTHER : l2tp2(b, h);
}

/* ---- VXLAN, Geneve ---- */

enum tunnel_found tunnel_vxlan(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { HAS_ID = 0x08 };
	if (room(b) < 8)
		return TUNNEL_CUT;
	h->at = b->at;
	if (!(head(b)[0] & HAS_ID))
		return TUNNEL_OPAQUE;
	return numbered(h, carries(b, h, PACKET_TUNNEL_VXLAN, 8, ETHER_TYPE_FRAME),
	                be24(head(b) + 4));
}

enum tunnel_found tunnel_vxlan_gpe(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { HAS_PROTOCOL = 0x04, FRAME = 3 };
	static const uint16_t types[] = {0,      ETHER_TYPE_IP,  ETHER_TYPE_IP6, ETHER_TYPE_FRAME,
	                                 0x894f, ETHER_TYPE_MPLS};
	if (room(b) < 8)
		return TUNNEL_CUT;
	uint8_t next = head(b)[0] & HAS_PROTOCOL ? head(b)[3] : FRAME;
	h->at = b->at + 8;
	if (!next || next >= sizeof types / sizeof types[0])
		return TUNNEL_OPAQUE;
	return numbered(h, carries(b, h, PACKET_TUNNEL_VXLAN, 8, types[next]), be24(head(b) + 4));
}

enum tunnel_found tunnel_geneve(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	if (room(b) < 8)
		return TUNNEL_CUT;
	uint32_t size = 8 + (head(b)[0] & 63) * 4u;
	h->at = b->at;
	if (head(b)[0] >> 6)
		return TUNNEL_OPAQUE;
	return numbered(h, carries(b, h, PACKET_TUNNEL_GENEVE, size, be16(head(b) + 2)),
	                be24(head(b) + 4));
}

/* ---- GTP ---- */

static enum tunnel_found gtp_carries(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	bool ip = is_ip(b);

	if (!ip && room(b) >= 2 && be16(head(b)) == 0xff03)
		return carries(b, h, PACKET_TUNNEL_GTP, 0, ETHER_TYPE_PPP);
	if (!ip && is_frame(b))
		return carries(b, h, PACKET_TUNNEL_GTP, 0, ETHER_TYPE_FRAME);
	return carries(b, h, PACKET_TUNNEL_GTP, 0, version_at(b, 0));
}

static enum tunnel_found gtp_extensions(struct tunnel_bytes b, struct tunnel_head *h, uint8_t next)
{
	while (next) {
		uint32_t size = room(&b) ? head(&b)[0] * 4u : 4;
		if (!size || room(&b) < size)
			return TUNNEL_CUT;
		next = head(&b)[size - 1];
		b.at += size;
	}
	return gtp_carries(&b, h);
}

enum tunnel_found tunnel_gtp(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { EXTENDED = 4, OPTIONAL = 7, PACKET = 255 };
	struct tunnel_bytes inside = *b;

	if (room(b) < 8)
		return TUNNEL_CUT;
	uint8_t flags = head(b)[0], type = head(b)[1];
	uint32_t size = flags & OPTIONAL ? 12 : 8, stop = b->at + 8 + be16(head(b) + 2);
	h->at = b->at;
	h->end = stop;
	if (flags >> 5 != 1 || !(flags & 0x10))
		return TUNNEL_OPAQUE;
	inside.end = stop < b->end ? stop : b->end;
	inside.cut &= stop > b->end;
	if (room(&inside) < size)
		return TUNNEL_CUT;
	h->at = inside.at += size;
	if (type != PACKET)
		return TUNNEL_OTHER;
	uint8_t next = flags & EXTENDED ? head(b)[11] : 0;
	enum tunnel_found found = numbered(h, gtp_extensions(inside, h, next), be32(head(b) + 4));
	h->end = stop;
	return found;
}

/* GSM 09.60; other messages, and those of GTP', are not looked into */
enum tunnel_found tunnel_gtp_old(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { SIZE = 20, PACKET = 255 };
	if (room(b) < SIZE)
		return TUNNEL_CUT;
	h->at = b->at;
	if (head(b)[0] >> 4 != 1 || head(b)[1] != PACKET)
		return TUNNEL_OPAQUE;
	h->has_id = false; /* subscribers have numbers, tunnels have not */
	return carries(b, h, PACKET_TUNNEL_GTP, SIZE, version_at(b, SIZE));
}

/* ---- TZSP ---- */

/* What it carries is told by a number of its own; tagged fields, of which the first byte 1 is the
   last, stand in front. */
enum tunnel_found tunnel_tzsp(const struct tunnel_bytes *b, struct tunnel_head *h)
{
	enum { ETHERNET = 1, KEEPALIVE = 4, PADDING = 0, END = 1 };
	static const struct {
		uint16_t number, link_type;
	} links[] = {{1, PACKET_LINK_EN10MB}, {18, 105}, {119, 119}, {127, 163}};
	uint32_t at = 4, left = room(b);

	if (left < 4)
		return TUNNEL_CUT;
	h->at = b->at;
	if (head(b)[1] == KEEPALIVE)
		return TUNNEL_OTHER;
	while (at + 1 < left && head(b)[at] != END)
		at += head(b)[at] == PADDING ? 1 : 2u + head(b)[at + 1];
	if (at >= left)
		return TUNNEL_CUT;
	carries(b, h, PACKET_TUNNEL_TZSP, at + 1, ETHER_TYPE_FRAME);
	for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++)
		if (links[i].number == be16(head(b) + 2))
			h->link_type = links[i].link_type;
	bool known = head(b)[0] == 1 && head(b)[1] <= 1 && h->link_type != PT_NO_LINK_TYPE;
	return known ? TUNNEL_CARRIES : TUNNEL_OPAQUE;
}
