/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnels over IP and over UDP. */
#include "packet/walk.h"

/* Of headers of a fixed size: where what they carry begins; false, and all told, if they are
   cut. */
static bool over(struct walk *w, uint32_t at, uint32_t end, uint32_t size)
{
	if (walk_left(at, end) >= size)
		return true;
	walk_broken(w, at, end);
	return false;
}

static void frame(struct walk *w, uint32_t at, uint32_t end)
{
	walk_link(w, at, end, PACKET_LINK_EN10MB);
}

/* ---- GRE: RFC 2784, 2890, 2637; ERSPAN ---- */

static void erspan3(struct walk *w, uint32_t at, uint32_t end)
{
	enum { SIZE = 12, MORE = 8, IS_IP = 2 };
	if (!over(w, at, end, SIZE))
		return;
	uint32_t size = SIZE + (w->bytes[at + 11] & 1u) * MORE;
	if (!over(w, at, end, size))
		return;
	if ((w->bytes[at + 10] >> 2 & 31) == IS_IP)
		walk_version(w, at + size, end);
	else
		frame(w, at + size, end);
}

static void wccp(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t header = walk_left(at, end) >= 4 && w->bytes[at] >> 4 != 4 ? 4 : 0;
	walk_version(w, at + header, end);
}

static void gre_carries(struct walk *w, uint32_t at, uint32_t end, uint16_t type, bool numbered)
{
	switch (type) {
	case 0x0000: /* who keeps a tunnel alive sends nothing */
		if (at < end)
			walk_version(w, at, end);
		break;
	case 0x88be: /* the second kind is numbered, and has a header; the first has none */
		if (over(w, at, end, numbered ? 8 : 0))
			frame(w, at + (numbered ? 8 : 0), end);
		break;
	case 0x22eb: erspan3(w, at, end); break;
	case 0x883e: wccp(w, at, end); break;
	default:
		if (type >= 0x9000 && type < 0xa000) /* of some vendors' radio networks */
			walk_opaque(w, at, end);
		else
			walk_ether_type(w, at, end, type);
	}
}

void walk_gre(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { SUM = 0x80, ROUTES = 0x40, KEY = 0x20, NUMBER = 0x10, ANSWER = 0x80 };
	int64_t before = w->delta;

	(void)net;
	if (!over(w, at, end, 4))
		return;
	uint8_t flags = w->bytes[at], version = w->bytes[at + 1] & 7;
	uint32_t size = 4 + (flags & (SUM | ROUTES) ? 4 : 0) + (flags & KEY ? 4 : 0) +
	                (flags & NUMBER ? 4 : 0) +
	                (version == 1 && w->bytes[at + 1] & ANSWER ? 4 : 0);
	if (flags & ROUTES || version > 1) {
		walk_opaque(w, at + 4, end); /* routes are lists of addresses, or of anything */
		return;
	}
	if (!over(w, at, end, size))
		return;
	gre_carries(w, at + size, end, be16(w->bytes + at + 2), flags & NUMBER);
	if (flags & SUM)
		walk_amend(w, at + 4, at, end, w->delta - before);
}

/* ---- L2TP: RFC 2661, 3931 ---- */

/* Version 3's header is as long as both ends agreed: where a frame or a packet is, only that
   tells.*/
static void l2tp3_carries(struct walk *w, uint32_t at, uint32_t end)
{
	enum { AHEAD_MAX = 12 };

	for (uint32_t place = at; place <= at + AHEAD_MAX && walk_left(place, end) >= 14;
	     place += 4)
		if (walk_is_frame(w, place, end)) {
			frame(w, place, end);
			return;
		}
	for (uint32_t place = at; place <= at + AHEAD_MAX; place += 4)
		if (walk_is_ip(w, place, end)) {
			walk_version(w, place, end);
			return;
		}
	walk_opaque(w, at, end);
}

void walk_l2tp3(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	if (!over(w, at, end, 4))
		return;
	if (be32(w->bytes + at))
		l2tp3_carries(w, at + 4, end);
	else
		walk_opaque(w, at + 4, end); /* who controls tells of routers */
}

static void l2tp(struct walk *w, uint32_t at, uint32_t end)
{
	enum { CONTROL = 0x80, LENGTH = 0x40, NUMBERS = 0x08, OFFSET = 0x02 };
	if (!over(w, at, end, 8))
		return;
	uint8_t flags = w->bytes[at], version = w->bytes[at + 1] & 15;
	uint32_t size = 6 + (flags & LENGTH ? 2 : 0) + (flags & NUMBERS ? 4 : 0);

	if (version == 3 && !(flags & CONTROL)) {
		l2tp3_carries(w, at + 8, end);
	} else if (version != 2) {
		walk_opaque(w, at, end);
	} else if (flags & CONTROL) {
		walk_payload(w, at, end);
	} else if (over(w, at, end, size + 2)) {
		if (flags & OFFSET)
			size += 2u + be16(w->bytes + at + size);
		if (over(w, at, end, size))
			walk_ppp(w, at + size, end);
	}
}

void walk_ether_ip(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	if (over(w, at, end, 2))
		frame(w, at + 2, end);
}

/* ---- over UDP ---- */

static void vxlan(struct walk *w, uint32_t at, uint32_t end)
{
	enum { HAS_ID = 0x08 };
	if (!over(w, at, end, 8))
		return;
	if (w->bytes[at] & HAS_ID)
		frame(w, at + 8, end);
	else
		walk_opaque(w, at, end);
}

static void vxlan_gpe(struct walk *w, uint32_t at, uint32_t end)
{
	enum { HAS_PROTOCOL = 0x04 };
	static const uint16_t types[] = {0, ETHER_TYPE_IP, ETHER_TYPE_IP6, 0x6558, 0x894f, 0x8847};
	if (!over(w, at, end, 8))
		return;
	uint8_t next = w->bytes[at] & HAS_PROTOCOL ? w->bytes[at + 3] : 3;
	if (next && next < sizeof types / sizeof types[0])
		walk_ether_type(w, at + 8, end, types[next]);
	else
		walk_opaque(w, at, end);
}

static void geneve(struct walk *w, uint32_t at, uint32_t end)
{
	if (!over(w, at, end, 8))
		return;
	uint32_t size = 8 + (w->bytes[at] & 63) * 4u;
	if (w->bytes[at] >> 6)
		walk_opaque(w, at, end);
	else if (over(w, at, end, size))
		walk_ether_type(w, at + size, end, be16(w->bytes + at + 2));
}

/* 3GPP TS 29.281: of an end that is not there, its address. */
static void gtp_error(struct walk *w, uint32_t at, uint32_t end)
{
	enum { TUNNEL = 16, ADDRESS = 133, RECOVERY = 14 };

	while (at < end) {
		uint8_t type = w->bytes[at];
		uint32_t size = type == TUNNEL           ? 5
		                : type == RECOVERY       ? 2
		                : walk_left(at, end) < 3 ? 1
		                                         : 3u + be16(w->bytes + at + 1);
		uint32_t stop = size < end - at ? at + size : end;
		if (type == ADDRESS && size == 3 + 4)
			walk_address(w, at + 3, stop);
		else if (type == ADDRESS)
			walk_address6(w, at + 3, stop);
		else if (type != TUNNEL && type != RECOVERY)
			walk_opaque(w, end, end);
		at += size;
	}
}

static void gtp_carries(struct walk *w, uint32_t at, uint32_t end)
{
	bool ip = walk_is_ip(w, at, end);

	if (!ip && walk_left(at, end) >= 2 && be16(w->bytes + at) == 0xff03)
		walk_ppp(w, at, end);
	else if (!ip && walk_is_frame(w, at, end))
		frame(w, at, end);
	else
		walk_version(w, at, end);
}

static void gtp_extensions(struct walk *w, uint32_t at, uint32_t end, uint8_t next)
{
	while (next) {
		uint32_t size = walk_left(at, end) ? w->bytes[at] * 4u : 4;
		if (!size || walk_left(at, end) < size) {
			walk_broken(w, at, end);
			return;
		}
		next = w->bytes[at + size - 1];
		at += size;
	}
	gtp_carries(w, at, end);
}

static void gtp(struct walk *w, uint32_t at, uint32_t end)
{
	enum { EXTENDED = 4, OPTIONAL = 7, ERROR = 26, END = 254, PACKET = 255 };
	if (!over(w, at, end, 8))
		return;
	uint8_t flags = w->bytes[at], type = w->bytes[at + 1];
	uint32_t size = flags & OPTIONAL ? 12 : 8, stop = at + 8 + be16(w->bytes + at + 2);

	end = stop < end ? stop : end;
	if (flags >> 5 != 1 || !(flags & 0x10)) {
		walk_opaque(w, at, end);
		return;
	}
	if (!over(w, at, end, size))
		return;
	if (type == PACKET)
		gtp_extensions(w, at + size, end, flags & EXTENDED ? w->bytes[at + 11] : 0);
	else if (type == ERROR)
		gtp_error(w, at + size, end);
	else if (type <= 2 || type == 31 || type == END) /* echoes, what is known */
		walk_payload(w, at + size, end);
	else
		walk_opaque(w, at + size, end);
}

/* GSM 09.60; other messages, and those of GTP', are not looked into */
static void gtp_old(struct walk *w, uint32_t at, uint32_t end)
{
	enum { SIZE = 20, PACKET = 255 };
	if (!over(w, at, end, SIZE))
		return;
	if (w->bytes[at] >> 4 == 1 && w->bytes[at + 1] == PACKET)
		walk_version(w, at + SIZE, end);
	else
		walk_opaque(w, at, end);
}

/* RFC 4380: before the packet an authentication, and where the client was seen, with turned
   bits. */
static void teredo(struct walk *w, uint32_t at, uint32_t end)
{
	enum { ORIGIN = 0, AUTHENTICATION = 1 };

	if (walk_left(at, end) >= 4 && be16(w->bytes + at) == AUTHENTICATION) {
		uint32_t size = 13u + w->bytes[at + 2] + w->bytes[at + 3];
		if (!over(w, at, end, size))
			return;
		at += size;
	}
	if (walk_left(at, end) >= 4 && be16(w->bytes + at) == ORIGIN) {
		walk_address_turned(w, at + 4, end);
		if (!over(w, at, end, 8))
			return;
		at += 8;
	}
	if (at < end)
		walk_ip6(w, at, end);
}

static void lisp(struct walk *w, uint32_t at, uint32_t end)
{
	if (over(w, at, end, 8))
		walk_version(w, at + 8, end);
}

static void gre(struct walk *w, uint32_t at, uint32_t end)
{
	walk_gre(w, at, end, NULL);
}

/* Generic UDP encapsulation, of Linux: a header, or none. */
static void gue(struct walk *w, uint32_t at, uint32_t end)
{
	enum { CONTROL = 0x20, BARE = 1 };
	if (!over(w, at, end, 4))
		return;
	uint8_t first = w->bytes[at];
	uint32_t size = 4 + (first & 31) * 4u;
	struct walk_net net = {.proto = w->bytes[at + 1], .version = 4};

	if (first >> 6 == BARE)
		walk_version(w, at, end);
	else if (first >> 6 || first & CONTROL || size > 4)
		walk_opaque(w, at, end);
	else
		walk_transport(w, at + size, end, &net);
}

static void sniffed(struct walk *w, uint32_t at, uint32_t end)
{
	enum { TZSP = 128, KEEPALIVE = 4 };
	if (walk_left(at, end) >= 2 && w->bytes[at + 1] == KEEPALIVE)
		return;
	walk_link(w, at, end, TZSP);
}

static void sctp(struct walk *w, uint32_t at, uint32_t end)
{
	const struct walk_net net = {.length = walk_left(at, end)};
	walk_sctp(w, at, end, &net);
}

/* Ports whose owner puts packets, or addresses, in what is sent to them: by number. The second kind
   is opaque: routers' and mobile networks' protocols, and reports of flows. */
static const struct tunnel {
	uint16_t port;
	void (*walk)(struct walk *, uint32_t at, uint32_t end);
} tunnels[] = {
	{269, walk_opaque},                                              /* MANET */
	{434, walk_opaque},                                              /* Mobile IP */
	{520, walk_opaque},                                              /* RIP */
	{521, walk_opaque},                                              /* RIPng */
	{646, walk_opaque},                                              /* LDP */
	{654, walk_opaque},                                              /* AODV */
	{698, walk_opaque},                                              /* OLSR */
	{1701, l2tp},         {1985, walk_opaque},                       /* HSRP */
	{2029, walk_opaque},                                             /* HSRP for IPv6 */
	{2048, walk_opaque},                                             /* WCCP */
	{2055, walk_opaque},                                             /* NetFlow */
	{2123, walk_opaque},                                             /* GTP's control */
	{2152, gtp},          {2268, walk_opaque},                       /* AMT */
	{3222, walk_opaque},                                             /* GLBP */
	{3386, gtp_old},      {3503, walk_opaque},                       /* MPLS ping, LSP ping */
	{3544, teredo},       {4341, lisp},         {4342, walk_opaque}, /* LISP's control */
	{4739, walk_opaque},                                             /* IPFIX */
	{4754, gre},          {4789, vxlan},        {4790, vxlan_gpe},
	{5246, walk_opaque},                                             /* CAPWAP */
	{5247, walk_opaque},  {5678, walk_opaque},                       /* MikroTik's neighbours */
	{6080, gue},          {6081, geneve},       {6343, walk_opaque}, /* sFlow */
	{6635, walk_mpls},    {6696, walk_opaque},                       /* Babel */
	{8472, vxlan},                                                   /* of Linux */
	{8805, walk_opaque},                                             /* PFCP */
	{9899, sctp},         {9995, walk_opaque},                       /* NetFlow */
	{9996, walk_opaque},  {12222, walk_opaque},                      /* LWAPP */
	{12223, walk_opaque}, {37008, sniffed},                          /* TZSP */
};

static const struct tunnel *tunnel_at(uint16_t port)
{
	size_t low = 0, high = sizeof tunnels / sizeof tunnels[0];

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (tunnels[middle].port == port)
			return &tunnels[middle];
		if (tunnels[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Teredo's clients talk to each other from any port to any. */
static bool is_teredo(const struct walk *w, uint32_t at, uint32_t end)
{
	enum { PREFIX = 0x20010000 };
	const uint8_t *header = w->bytes + at;

	return header[0] >> 4 == 6 && walk_left(at, end) >= IP6_SIZE &&
	       be16(header + 4) + (uint32_t)IP6_SIZE <= end - at &&
	       (be32(header + 8) == PREFIX || be32(header + 24) == PREFIX);
}

/* Whom it is sent to counts; whom it comes from, unless it goes to a service that everybody
   knows. */
bool walk_udp(struct walk *w, uint32_t at, uint32_t end, const uint8_t *ports)
{
	enum { KNOWN_BELOW = 1024 };
	uint16_t from = be16(ports), to = be16(ports + 2);
	const struct tunnel *tunnel = tunnel_at(to);

	if (!tunnel && (to >= KNOWN_BELOW || from == to))
		tunnel = tunnel_at(from);
	if (tunnel)
		tunnel->walk(w, at, end);
	else if (is_teredo(w, at, end))
		walk_ip6(w, at, end);
	else
		return false;
	return true;
}
