/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnels over IP and over UDP. */
#include "packet/tunnel.h"
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

static void carried(struct walk *w, uint32_t end, const struct tunnel_head *h)
{
	switch (h->ether_type) {
	case ETHER_TYPE_FRAME: frame(w, h->at, end); break;
	case ETHER_TYPE_PPP: walk_ppp(w, h->at, end); break;
	case ETHER_TYPE_IP: walk_ip(w, h->at, end); break;
	case ETHER_TYPE_IP6: walk_ip6(w, h->at, end); break;
	default: walk_ether_type(w, h->at, end, h->ether_type);
	}
}

typedef void other_function(struct walk *, uint32_t at, uint32_t end, uint8_t type);

/* What is no packet is an application's, or `other` knows. */
static void tunnel_or(struct walk *w, uint32_t at, uint32_t end, tunnel_head_function *look,
                      other_function *other)
{
	const struct tunnel_bytes bytes = {w->bytes, at, end, walk_is_cut(w, end)};
	struct tunnel_head h = {.at = at, .end = end};
	enum tunnel_found found = look(&bytes, &h);

	end = h.end < end ? h.end : end;
	switch (found) {
	case TUNNEL_CARRIES: carried(w, end, &h); break;
	case TUNNEL_CUT: walk_broken(w, at, end); break;
	case TUNNEL_OPAQUE: walk_opaque(w, h.at, end); break;
	case TUNNEL_OTHER:
		if (other)
			other(w, h.at, end, w->bytes[at + 1]);
		else
			walk_payload(w, h.at, end);
	}
}

static void tunnel(struct walk *w, uint32_t at, uint32_t end, tunnel_head_function *look)
{
	tunnel_or(w, at, end, look, NULL);
}

void walk_gre(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { SUM = 0x80, ROUTES = 0x40 };
	int64_t before = w->delta;
	bool sum = walk_left(at, end) >= 8 && (w->bytes[at] & (SUM | ROUTES)) == SUM;

	(void)net;
	tunnel(w, at, end, tunnel_gre);
	if (sum)
		walk_amend(w, at + 4, at, end, w->delta - before);
}

void walk_l2tp3(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	tunnel(w, at, end, tunnel_l2tp3);
}

static void l2tp(struct walk *w, uint32_t at, uint32_t end)
{
	tunnel(w, at, end, tunnel_l2tp);
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
	tunnel(w, at, end, tunnel_vxlan);
}

static void vxlan_gpe(struct walk *w, uint32_t at, uint32_t end)
{
	tunnel(w, at, end, tunnel_vxlan_gpe);
}

static void geneve(struct walk *w, uint32_t at, uint32_t end)
{
	tunnel(w, at, end, tunnel_geneve);
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

/* What is no packet: a word about tunnels. */
static void gtp_control(struct walk *w, uint32_t at, uint32_t end, uint8_t type)
{
	enum { ERROR = 26, KNOWN = 31, END = 254 };

	if (type == ERROR)
		gtp_error(w, at, end);
	else if (type <= 2 || type == KNOWN || type == END) /* echoes, what is known */
		walk_payload(w, at, end);
	else
		walk_opaque(w, at, end);
}

static void gtp(struct walk *w, uint32_t at, uint32_t end)
{
	tunnel_or(w, at, end, tunnel_gtp, gtp_control);
}

static void gtp_old(struct walk *w, uint32_t at, uint32_t end)
{
	tunnel(w, at, end, tunnel_gtp_old);
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

	if (port < tunnels[0].port || port > tunnels[high - 1].port)
		return NULL;
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
