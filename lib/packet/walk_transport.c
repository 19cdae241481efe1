/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies behind IP: TCP, UDP, and the way to all others. */
#include "packet/walk.h"

/* Multipath TCP's ADD_ADDR (RFC 8684): kind 30, subtype 3; version 0 says which IP it is of. */
static void multipath(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t size = end - at;

	if (size < 4 || w->bytes[at + 2] >> 4 != 3)
		return;
	if (size == 8 || size == 10 || size == 16 || size == 18)
		walk_address(w, at + 4, end);
	else
		walk_address6(w, at + 4, end);
}

static void tcp_options(struct walk *w, uint32_t at, uint32_t end)
{
	enum { END = 0, NOP = 1, MULTIPATH = 30 };

	while (at < end && w->bytes[at] != END) {
		if (w->bytes[at] == NOP) {
			at++;
			continue;
		}
		uint32_t size = end - at < 2 ? 0 : w->bytes[at + 1];
		if (size < 2 || size > end - at)
			return;
		if (w->bytes[at] == MULTIPATH)
			multipath(w, at, at + size);
		at += size;
	}
}

static bool is_router_port(uint16_t port)
{
	return port == 179 || port == 639 || port == 646; /* BGP, MSDP, LDP */
}

static bool is_router(const uint8_t *ports)
{
	return is_router_port(be16(ports)) || is_router_port(be16(ports + 2));
}

static void tcp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end),
		 size = left < TCP_SIZE ? 0 : w->bytes[at + 12] >> 4 << 2;
	int64_t before = w->delta;

	if (size > TCP_SIZE)
		tcp_options(w, at + TCP_SIZE, size < left ? at + size : end);
	if (left < TCP_SIZE)
		size = left;
	else
		size = size < TCP_SIZE ? TCP_SIZE : size < left ? size : left;
	if (left > size && is_router(w->bytes + at))
		walk_opaque(w, at + size, end);
	else
		walk_payload(w, at + size, end);
	walk_amend_transport(w, at + 16, at, end, net, w->delta - before);
}

/* UDP's, and UDP-Lite's where a part is not covered by the checksum. */
static void udp_data(struct walk *w, uint32_t at, uint32_t end, const uint8_t *ports)
{
	if (at == end || !walk_udp(w, at, end, ports))
		walk_payload(w, at, end);
}

static void udp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end), size = left < UDP_SIZE ? 0 : be16(w->bytes + at + 4);
	int64_t before = w->delta;

	if (left < UDP_SIZE) {
		walk_payload(w, end, end);
		return;
	}
	uint32_t stop = size >= UDP_SIZE && size < left ? at + size : end;
	udp_data(w, at + UDP_SIZE, stop, w->bytes + at);
	if (be16(w->bytes + at + 6)) {
		walk_amend_transport(w, at + 6, at, stop, net, w->delta - before);
		if (!be16(w->bytes + at + 6))
			walk_put(w, at + 6, (const uint8_t[2]){0xff, 0xff}, 2);
	}
	walk_padding(w, stop, end);
}

static void udp_lite(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end), covered = left < UDP_SIZE ? 0 : be16(w->bytes + at + 4);
	int64_t before = w->delta;

	covered = !covered || covered > left ? left : covered < UDP_SIZE ? UDP_SIZE : covered;
	if (left > UDP_SIZE)
		walk_payload(w, at + UDP_SIZE, at + covered);
	walk_amend_transport(w, at + 6, at, end, net, w->delta - before);
	walk_payload(w, at + covered, end);
}

/* A checksum with a pseudo-header, and no addresses: DCCP's covers all of it, or a part. */
static void dccp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end), size = left < 12 ? left : w->bytes[at + 4] * 4u;
	uint32_t coverage = left < 12 ? 0 : w->bytes[at + 5] & 15;
	int64_t before = w->delta;

	size = size < left ? size : left;
	uint32_t covered =
		coverage && size + (coverage - 1) * 4 < left ? size + (coverage - 1) * 4 : left;
	walk_payload(w, at + size, at + covered);
	walk_amend_transport(w, at + 6, at, end, net, w->delta - before);
	walk_payload(w, at + covered, end);
}

static void authentication(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end),
		 size = left < 8 ? 8 : extension_size(PROTO_AH, w->bytes + at);
	struct walk_net next = *net;

	if (left < size) {
		walk_broken(w, end, end);
		return;
	}
	next.proto = w->bytes[at];
	next.length -= size < net->length ? size : net->length;
	walk_transport(w, at + size, end, &next);
}

static void ip_in_ip(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	walk_ip(w, at, end);
}

static void ip6_in_ip(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	walk_ip6(w, at, end);
}

static void mpls(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	walk_mpls(w, at, end);
}

static void ethernet(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	walk_link(w, at, end, PACKET_LINK_EN10MB);
}

static void payload(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	(void)net;
	walk_payload(w, at, end);
}

/* RFC 2004: the addresses that the header in front had, with a checksum. */
static void minimal(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	uint32_t left = walk_left(at, end), size = left >= 2 && w->bytes[at + 1] & 0x80 ? 12 : 8;
	uint32_t stop = left < size ? end : at + size;
	int64_t before = w->delta;
	struct walk_net inner = *net;

	if (left >= 8)
		inner.to_sum = be16(w->bytes + at + 4) + be16(w->bytes + at + 6);
	inner.to = walk_address(w, at + 4, stop);
	if (size == 12) {
		inner.from_sum = left < 12 ? 0 : be16(w->bytes + at + 8) + be16(w->bytes + at + 10);
		inner.from = walk_address(w, at + 8, stop);
	}
	walk_amend(w, at + 2, at, stop, w->delta - before);
	if (left < size) {
		walk_broken(w, end, end);
		return;
	}
	inner.proto = w->bytes[at];
	inner.length -= size;
	walk_transport(w, at + size, end, &inner);
}

typedef void protocol(struct walk *, uint32_t at, uint32_t end, const struct walk_net *);

/* Those that are not here are opaque: they may hold addresses. */
static protocol *const protocols[256] = {
	[PROTO_ICMP] = walk_icmp,
	[2] = walk_igmp,
	[4] = ip_in_ip,
	[PROTO_TCP] = tcp,
	[PROTO_UDP] = udp,
	[PROTO_DCCP] = dccp,
	[41] = ip6_in_ip,
	[47] = walk_gre,
	[PROTO_ESP] = payload, /* encrypted */
	[PROTO_AH] = authentication,
	[55] = minimal,
	[PROTO_ICMP6] = walk_icmp6,
	[59] = payload, /* nothing */
	[94] = ip_in_ip,
	[97] = walk_ether_ip,
	[89] = walk_ospf,
	[103] = walk_pim,
	[112] = walk_vrrp,
	[115] = walk_l2tp3,
	[132] = walk_sctp,
	[PROTO_MOBILITY] = walk_mobility,
	[PROTO_HIP] = walk_hip,
	[PROTO_UDPLITE] = udp_lite,
	[137] = mpls,
	[143] = ethernet, /* of segment routing */
	[253] = payload,  /* experiments and tests */
	[254] = payload,
};

void walk_transport(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	protocol *walk = protocols[net->proto];

	if (!walk || w->depth == WALK_DEPTH_MAX) {
		walk_opaque(w, at, end);
		return;
	}
	w->depth++;
	walk(w, at, end, net);
	w->depth--;
}
