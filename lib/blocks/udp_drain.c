/* SPDX-License-Identifier: BSD-2-Clause */
/* UDPDrain: takes payloads out of UDP packets, and puts bytes into them. */
#include <pipetool/outside.h>

#include "base/moment.h"
#include "net/address.h"
#include "packet/checksum.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#define SOURCE_PORT 1234
#define HOPS        64
#define LENGTH_MAX  65535

struct udp_drain {
	char *ip;
	int64_t port;
	struct sockaddr_storage from, to;
	uint16_t id;
};

static int open_drain(struct pt_block *b, struct pt_error *err)
{
	struct udp_drain *u = pt_state(b);
	return address_route("ip", u->ip, (int)u->port, &u->from, &u->to, err);
}

/* ---- packets to payloads: why not, where there is none ---- */

static const char *take_out(const struct pt_msg *m, struct pt_msg **payload)
{
	struct packet_view v;
	packet_dissect(m, &v);
	if (!packet_has(&v, PACKET_UDP))
		return "not-udp";
	*payload = pt_msg_slice(m, v.offset[PACKET_UDP] + UDP_SIZE, v.payload_length);
	return "memory";
}

/* ---- payloads to packets ---- */

/* The sum of the addresses is given. The payload stands behind the header already. */
static void write_udp(const struct udp_drain *u, uint8_t *at, size_t length, uint64_t addresses)
{
	struct udphdr udp = {.source = htons(SOURCE_PORT),
	                     .dest = htons((uint16_t)u->port),
	                     .len = htons((uint16_t)length)};
	memcpy(at, &udp, sizeof udp);
	udp.check = (uint16_t)~sum_fold(addresses + sum_number(IPPROTO_UDP) +
	                                sum_number((uint32_t)length) + sum_bytes(at, length));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(at, &udp, sizeof udp);
}

static void write_ip4(struct udp_drain *u, uint8_t *at, size_t length)
{
	const struct sockaddr_in *from = (const struct sockaddr_in *)&u->from,
				 *to = (const struct sockaddr_in *)&u->to;
	struct iphdr ip = {.version = 4,
	                   .ihl = sizeof ip / 4,
	                   .tot_len = htons((uint16_t)(sizeof ip + length)),
	                   .id = htons(++u->id),
	                   .ttl = HOPS,
	                   .protocol = IPPROTO_UDP,
	                   .saddr = from->sin_addr.s_addr,
	                   .daddr = to->sin_addr.s_addr};
	ip.check = (uint16_t)~sum_fold(sum_bytes(&ip, sizeof ip));
	memcpy(at, &ip, sizeof ip);
	write_udp(u, at + sizeof ip, length,
	          sum_bytes(&ip.saddr, sizeof ip.saddr) + sum_bytes(&ip.daddr, sizeof ip.daddr));
}

static void write_ip6(const struct udp_drain *u, uint8_t *at, size_t length)
{
	const struct sockaddr_in6 *from = (const struct sockaddr_in6 *)&u->from,
				  *to = (const struct sockaddr_in6 *)&u->to;
	struct ip6_hdr ip = {.ip6_src = from->sin6_addr, .ip6_dst = to->sin6_addr};
	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons((uint16_t)length);
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = HOPS;
	memcpy(at, &ip, sizeof ip);
	write_udp(u, at + sizeof ip, length,
	          sum_bytes(&ip.ip6_src, sizeof ip.ip6_src) +
	                  sum_bytes(&ip.ip6_dst, sizeof ip.ip6_dst));
}

static struct pt_msg *wrap(struct pt_block *b, struct udp_drain *u, const struct pt_msg *m)
{
	uint8_t packet[sizeof(struct ip6_hdr) + LENGTH_MAX];
	bool ip6 = u->to.ss_family == AF_INET6;
	size_t header = ip6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	size_t length = UDP_SIZE + m->length;
	memcpy(packet + header + UDP_SIZE, m->bytes, m->length);
	if (ip6)
		write_ip6(u, packet, length);
	else
		write_ip4(u, packet, length);
	return pt_msg_packet(pt_pool(b), packet, header + length, header + length, PACKET_LINK_RAW,
	                     m->time_ns ? m->time_ns : moment_now());
}

static const char *put_in(struct pt_block *b, const struct pt_msg *m, struct pt_msg **packet)
{
	struct udp_drain *u = pt_state(b);
	size_t header = u->to.ss_family == AF_INET6 ? 0 : sizeof(struct iphdr);
	size_t most = LENGTH_MAX - UDP_SIZE - header;
	if (m->length <= most) {
		*packet = wrap(b, u, m);
		return "memory";
	}
	pt_report(b, -EMSGSIZE, "%u bytes are too long for a datagram, which takes %zu", m->length,
	          most);
	return "too-long";
}

static struct pt_msg *act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct pt_msg *made = NULL;
	const char *why = canal == PT_LOW ? take_out(m, &made) : put_in(b, m, &made);
	if (made)
		pt_msg_unref(m);
	else
		pt_drop(b, m, why);
	return made;
}

static const struct pt_param params[] = {
	{"ip", "The host that packets are made for, by name or address.",
         PT_STRING(struct udp_drain, ip), "\"127.0.0.1\""},
	{"port", "The UDP port that they are made for.", PT_INT(struct udp_drain, port), "1234",
         .max = 65535},
	{NULL},
};

static const struct pt_type udp_drain = {
	.api = PT_API,
	.name = "UDPDrain",
	.summary = "Takes payloads out of UDP packets, and puts messages into UDP packets",
	.help = "Of a packet on the low entry, the UDP payload goes out on the high exit; what is "
		"not UDP, over IPv4 or IPv6, is dropped. A message on the high entry goes out on "
		"the low exit as an IP packet (link type RAW) to ip:port from port 1234, with the "
		"address that this host would send it from. Nothing is sent by the block itself: "
		"see Inject3Sink and UDPClientPipe.",
	.picture = "     +-------------+\n"
		   "  >>-|--[payload]--|->>\n"
		   "     |      X      |\n"
		   "   >-|----[UDP]----|->\n"
		   "     +-------------+\n",
	.examples =
		(const char *const[]){
			"u = UDPDrain(); RdpcapSource('in.pcap') > u; u >> ConsoleSink()",
			"u = UDPDrain('127.0.0.1', 5353); CLIHighFeeder() >> u; u > ConsoleSink()",
			NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_CROSSWISE,
	.params = params,
	.size = sizeof(struct udp_drain),
	.open = open_drain,
	.act = act,
};

PT_TYPES(udp_drain, &udp_drain);
