/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet on the way from its first byte to what its innermost layer carries. */
#ifndef PACKET_CURSOR_H
#define PACKET_CURSOR_H

#include "packet/inside.h"

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

/* A hardware address so far from here. */
static inline void mac(struct cursor *c, uint32_t ahead)
{
	struct packet_view *v = c->view;

	if (left(c) >= ahead + 6 && v->mac_count < PACKET_MACS && c->at + ahead <= UINT16_MAX)
		v->mac[v->mac_count++] = (uint16_t)(c->at + ahead);
}

/* Over an Ethernet header, to the EtherType of what follows; 0 if it is cut. */
static inline uint16_t ethernet(struct cursor *c)
{
	if (left(c) < ETH_SIZE)
		return 0;
	if (!packet_has(c->view, PACKET_ETH))
		found(c, PACKET_ETH);
	mac(c, 0);
	mac(c, 6);
	skip(c, ETH_SIZE);
	return be16(here(c) - 2);
}

/*
 * From the packet's first byte over the header of its link layer; `ether_type` says then what
 * follows. A link type that nobody knows leaves the cursor where it is, and 0.
 */
struct cursor link_first(struct cursor, uint16_t link_type);

/*
 * Goes on over all that can lie between a link's header and the network layer: tags, labels, LLC,
 * PPPoE's sessions, frames in frames. Where nobody knows what follows, `ether_type` stays that of
 * the last header, and is 0 behind IEEE 802.3's length.
 */
struct cursor link_rest(struct cursor);

/* The next of these headers alone: the EtherType of what follows it; 0: nobody knows. */
uint16_t link_step(struct cursor *);
bool link_is_known(uint16_t ether_type);
bool link_is_tag(uint16_t ether_type); /* of a VLAN */

#endif
