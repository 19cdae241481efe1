/* SPDX-License-Identifier: BSD-2-Clause */
/* The way to the packet inside: over links, IP and what it carries, tunnel by tunnel. */
#include "packet/tunnel.h"

#include "msg/origin.h"
#include "packet/step.h"
#include <errno.h>
#include <string.h>

const char *const packet_tunnel_names[PACKET_TUNNELS + 1] = {"vlan",   "mpls",  "pppoe",  "gre",
                                                             "erspan", "vxlan", "geneve", "gtp",
                                                             "tzsp",   "ipip",  "l2tp",   NULL};

enum { PROTO_IPIP = 4, PROTO_IP6 = 41, PROTO_L2TP = 115, PROTO_MPLS = 137 };
enum { PORT_MPLS = 6635 };

struct way {
	struct cursor c;   /* what is there */
	uint32_t wire_end; /* c.end on the wire */
	unsigned kinds, left;
	uint16_t link_type; /* of the link in front, whose header begins at */
	uint32_t link_at;
	struct packet_inner *in;
	bool found;
};

/* What a header says of its end. */
static void narrow(struct way *w, uint32_t at, uint32_t size, uint32_t least)
{
	if (size < least || size >= w->wire_end - at)
		return;
	w->wire_end = at + size;
	if (w->c.end > w->wire_end)
		w->c.end = w->wire_end;
}

/* ---- what was found ---- */

/* A frame is whole; what is bare wants a link, if only that of IP alone. */
static bool put_link(struct way *w, struct packet_inner *in)
{
	uint16_t type = w->c.ether_type;
	bool ip = type == ETHER_TYPE_IP || type == ETHER_TYPE_IP6;

	in->link_size = 0;
	in->link_at = w->link_at;
	in->link_type = w->link_type;
	in->ether_type = type;
	if (type == ETHER_TYPE_FRAME) {
		in->link_type = PACKET_LINK_EN10MB;
		return true;
	}
	if (link_type_at(w->link_type, &in->link_size, &in->type_at))
		return type >= ETHER_TYPE_LEAST || w->link_type == PACKET_LINK_EN10MB;
	if ((w->link_type == PACKET_LINK_IPV4 && type != ETHER_TYPE_IP) ||
	    (w->link_type == PACKET_LINK_IPV6 && type != ETHER_TYPE_IP6) ||
	    !packet_link_is_ip(w->link_type))
		in->link_type = PACKET_LINK_RAW;
	return ip;
}

static bool is_there(const struct cursor *c)
{
	if (left(c) == 0)
		return false;
	if (c->ether_type == ETHER_TYPE_IP || c->ether_type == ETHER_TYPE_IP6)
		return by_version(c) == c->ether_type;
	return c->ether_type != ETHER_TYPE_FRAME || left(c) >= ETH_SIZE;
}

static void number(struct way *w, enum packet_tunnel kind, bool has_id, uint32_t id)
{
	if (!w->found)
		w->in->outermost = kind;
	if (w->in->has_id || !has_id)
		return;
	w->in->has_id = true;
	w->in->id = id;
}

static bool is_wanted(const struct way *w, enum packet_tunnel kind)
{
	return w->kinds >> kind & 1;
}

/* The cursor is behind a tunnel's header. */
static bool take(struct way *w, enum packet_tunnel kind, bool has_id, uint32_t id)
{
	struct packet_inner in = *w->in;

	if (!is_wanted(w, kind) || !is_there(&w->c) || !put_link(w, &in))
		return false;
	*w->in = in;
	w->in->at = w->c.at;
	w->in->length = left(&w->c);
	w->in->wire_length = w->wire_end - w->c.at;
	number(w, kind, has_id, id);
	w->found = true;
	w->left--;
	return true;
}

/* ---- links ---- */

static void enter_link(struct way *w, uint16_t link_type)
{
	w->link_type = link_type;
	w->link_at = w->c.at;
	if (link_type == PACKET_LINK_EN10MB)
		w->c.ether_type = ethernet(&w->c);
	else
		w->c = link_first(w->c, link_type);
}

static bool over_link(struct way *w)
{
	uint16_t before = w->c.ether_type;
	uint32_t at = w->c.at, room = left(&w->c);
	const uint8_t *header = here(&w->c);

	if (before == ETHER_TYPE_FRAME) {
		enter_link(w, PACKET_LINK_EN10MB);
		return w->c.ether_type;
	}
	uint16_t type = link_step(&w->c);
	if (before < ETHER_TYPE_LEAST)
		narrow(w, at, before, 1);
	else if (type && before == ETHER_TYPE_PPPOE)
		narrow(w, at, 6u + be16(header + 4), 6);
	w->c.ether_type = type;
	if (!type)
		return false;
	if (link_is_tag(before))
		take(w, PACKET_TUNNEL_VLAN, true, be16(header) & 0xfffu);
	else if (before == ETHER_TYPE_MPLS || before == ETHER_TYPE_MPLS_MULTICAST)
		take(w, PACKET_TUNNEL_MPLS, room >= 4, be32(header) >> 12);
	else if (before == ETHER_TYPE_PPPOE)
		take(w, PACKET_TUNNEL_PPPOE, true, be16(header + 2));
	return true;
}

/* ---- tunnels over IP ---- */

/* What is in it, as far as IP or another header of packets; not a protocol of the tunnel's own. */
static bool enter(struct way *w, const struct tunnel_head *h)
{
	w->c.at = h->at;
	narrow(w, h->at, h->end - h->at, 0);
	w->c.ether_type = h->ether_type;
	if (h->ether_type == ETHER_TYPE_PPP)
		w->c.ether_type = link_step(&w->c);
	return w->c.ether_type == ETHER_TYPE_IP || w->c.ether_type == ETHER_TYPE_IP6 ||
	       w->c.ether_type == ETHER_TYPE_ARP || link_is_known(w->c.ether_type);
}

static bool over_tunnel(struct way *w, tunnel_head_function *look)
{
	struct tunnel_bytes bytes = {w->c.bytes, w->c.at, w->c.end, w->wire_end > w->c.end};
	struct tunnel_head h = {.link_type = PT_NO_LINK_TYPE};

	if (look(&bytes, &h) != TUNNEL_CARRIES || !is_wanted(w, h.kind) || !enter(w, &h))
		return false;
	bool taken = take(w, h.kind, h.has_id, h.id);
	if (h.link_type == PT_NO_LINK_TYPE || h.link_type == PACKET_LINK_EN10MB)
		return true;
	if (taken)
		w->in->link_type =
			h.link_type; /* the end of the way: nothing of its like has tunnels */
	return false;
}

static bool over_packet(struct way *w, uint16_t ether_type)
{
	w->c.ether_type = ether_type;
	take(w, PACKET_TUNNEL_IPIP, false, 0);
	return is_wanted(w, PACKET_TUNNEL_IPIP);
}

/* Labels are no tunnel's header, but what a link has in front of a packet. */
static bool over_labels(struct way *w)
{
	w->c.ether_type = ETHER_TYPE_MPLS;
	return is_wanted(w, PACKET_TUNNEL_MPLS) && over_link(w);
}

/* Whom it is sent to counts; whom it comes from, unless it goes to a service that everybody
   knows. */
static tunnel_head_function *behind_port(const uint8_t *ports)
{
	static const struct {
		uint16_t port;
		tunnel_head_function *look;
	} known[] = {
		{1701, tunnel_l2tp},   {2152, tunnel_gtp},   {3386, tunnel_gtp_old},
		{4754, tunnel_gre},    {4789, tunnel_vxlan}, {4790, tunnel_vxlan_gpe},
		{6081, tunnel_geneve}, {8472, tunnel_vxlan}, {37008, tunnel_tzsp},
	};
	enum { KNOWN_BELOW = 1024, KNOWN = sizeof known / sizeof known[0] };
	uint16_t from = be16(ports), to = be16(ports + 2);
	tunnel_head_function *look = NULL;

	for (unsigned i = 0; i < KNOWN; i++)
		if (known[i].port == to)
			return known[i].look;
	for (unsigned i = 0; i < KNOWN && to >= KNOWN_BELOW; i++)
		if (known[i].port == from)
			look = known[i].look;
	return look;
}

static bool over_udp(struct way *w)
{
	if (left(&w->c) < UDP_SIZE)
		return false;
	const uint8_t *header = here(&w->c);
	tunnel_head_function *look = behind_port(header);
	narrow(w, w->c.at, be16(header + 4), UDP_SIZE);
	skip(&w->c, UDP_SIZE);
	if (be16(header + 2) == PORT_MPLS)
		return over_labels(w);
	return look && over_tunnel(w, look);
}

static bool over_transport(struct way *w, uint8_t proto)
{
	switch (proto) {
	case PROTO_IPIP: return over_packet(w, ETHER_TYPE_IP);
	case PROTO_IP6: return over_packet(w, ETHER_TYPE_IP6);
	case PROTO_GRE: return over_tunnel(w, tunnel_gre);
	case PROTO_L2TP: return over_tunnel(w, tunnel_l2tp3);
	case PROTO_MPLS: return over_labels(w);
	case PROTO_UDP: return over_udp(w);
	default: return false;
	}
}

/* ---- IP ---- */

/* Over extension headers; false: a fragment, or cut. */
static bool over_extensions(struct cursor *c, uint8_t *proto)
{
	for (unsigned n = 0; proto_is_extension(*proto); n++) {
		uint32_t size = left(c) < 8 ? 8 : extension_size(*proto, here(c));
		if (n == EXTENSIONS_MAX || left(c) < size)
			return false;
		if (*proto == PROTO_FRAGMENT && be16(here(c) + 2) & 0xfff9)
			return false;
		*proto = here(c)[0];
		skip(c, size);
	}
	return true;
}

static bool over_ip(struct way *w)
{
	const uint8_t *header = here(&w->c);
	uint32_t size = left(&w->c) < IP_SIZE ? 0 : (header[0] & 15) * 4u;

	if (size < IP_SIZE || header[0] >> 4 != 4 || be16(header + 6) & 0x3fff)
		return false;
	uint8_t proto = header[9];
	narrow(w, w->c.at, be16(header + 2), size);
	skip(&w->c, size);
	return (proto != PROTO_AH || over_extensions(&w->c, &proto)) && over_transport(w, proto);
}

static bool over_ip6(struct way *w)
{
	const uint8_t *header = here(&w->c);

	if (left(&w->c) < IP6_SIZE || header[0] >> 4 != 6)
		return false;
	uint8_t proto = header[6];
	narrow(w, w->c.at, IP6_SIZE + be16(header + 4), IP6_SIZE + 1);
	skip(&w->c, IP6_SIZE);
	return over_extensions(&w->c, &proto) && over_transport(w, proto);
}

static bool step(struct way *w)
{
	switch (w->c.ether_type) {
	case 0: return false;
	case ETHER_TYPE_IP: return over_ip(w);
	case ETHER_TYPE_IP6: return over_ip6(w);
	default: return over_link(w);
	}
}

bool packet_unwrap(const struct pt_msg *m, unsigned kinds, unsigned depth, struct packet_inner *in)
{
	enum { HEADERS_MAX = 64 };
	struct packet_view view = {0};
	struct way w = {.c = {.bytes = m->bytes, .view = &view, .end = m->length},
	                .wire_end = m->wire_length,
	                .kinds = kinds,
	                .left = depth,
	                .in = in};

	*in = (struct packet_inner){0};
	if (!pt_msg_is_packet(m))
		return false;
	enter_link(&w, m->link_type);
	for (unsigned n = 0; n < HEADERS_MAX && w.left && step(&w); n++)
		continue;
	return w.found;
}

/* ---- making it ---- */

static void move_link(uint8_t *bytes, const struct packet_inner *in)
{
	uint8_t *to = bytes + in->at - in->link_size;
	memmove(to, bytes + in->link_at, in->link_size);
	to[in->type_at] = (uint8_t)(in->ether_type >> 8);
	to[in->type_at + 1] = (uint8_t)in->ether_type;
}

int packet_unwrap_message(struct pt_msg **m, const struct packet_inner *in)
{
	if (in->link_size) {
		uint8_t *bytes = pt_msg_edit(m);
		if (!bytes)
			return -ENOMEM;
		move_link(bytes, in);
	} else if (pt_msg_own(m)) {
		return -ENOMEM;
	}
	(*m)->bytes += in->at - in->link_size;
	(*m)->length = in->length + in->link_size;
	(*m)->wire_length = in->wire_length + in->link_size;
	(*m)->link_type = in->link_type;
	return 0;
}

bool packet_tunnel_id(const struct pt_msg *m, uint32_t *id)
{
	struct packet_inner in;
	if (m->origin && m->origin->tunnelled) {
		*id = m->origin->tunnel;
		return true;
	}
	if (!packet_unwrap(m, UINT32_MAX, PACKET_TUNNEL_DEPTH, &in))
		return false;
	*id = in.id;
	return in.has_id;
}
