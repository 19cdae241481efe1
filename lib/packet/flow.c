/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow of a packet: what identifies it, its hash, and its text. */
#include "packet/flow.h"

#include "base/recent.h"
#include "base/sip.h"
#include "packet/inside.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

enum { VERSION, PROTO, PORTS, ADDRESSES = 6, PARTS = 1024 };

/* Which datagram a fragment is of. */
struct part {
	uint8_t addresses[32]; /* source and destination */
	uint8_t id[4];
	uint8_t proto, version;
};

/* What the first fragment has shown. */
struct shown {
	uint8_t ports[4];
	uint8_t proto;
};

struct packet_parts {
	struct recent seen; /* struct part to struct shown */
};

struct packet_parts *packet_parts_new(void)
{
	struct packet_parts *p = calloc(1, sizeof *p);
	if (p)
		recent_init(&p->seen, sizeof(struct part), sizeof(struct shown), PARTS);
	return p;
}

void packet_parts_free(struct packet_parts *p)
{
	if (p)
		recent_free(&p->seen);
	free(p);
}

/* ---- ports ---- */

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
	       proto == PROTO_UDPLITE || proto == PROTO_DCCP;
}

/* Where the transport layer begins; NULL: its ports are not there. */
static const uint8_t *ports_at(const struct pt_msg *m, const struct packet_view *v)
{
	if (v->fragment || !has_ports(v->ip_proto))
		return NULL;
	if (packet_has(v, PACKET_TCP))
		return m->bytes + v->offset[PACKET_TCP];
	if (packet_has(v, PACKET_UDP))
		return m->bytes + v->offset[PACKET_UDP];
	return v->payload_length < 4 ? NULL : m->bytes + v->offset[PACKET_PAYLOAD];
}

/* The number of the datagram in IPv6's header for fragments, which dissecting has gone over. */
static const uint8_t *id6_of(const uint8_t *ip6)
{
	uint8_t proto = ip6[6];
	const uint8_t *at = ip6 + IP6_SIZE;
	while (proto != PROTO_FRAGMENT) {
		uint32_t size = extension_size(proto, at);
		proto = at[0];
		at += size;
	}
	return at + 4;
}

static void part_of(const uint8_t *ip, uint8_t version, uint8_t proto, struct part *part)
{
	*part = (struct part){.version = version};
	if (version == 4) {
		part->proto = proto;
		memcpy(part->addresses, ip + 12, 8);
		memcpy(part->id, ip + 4, 2);
	} else {
		memcpy(part->addresses, ip + 8, 32);
		memcpy(part->id, id6_of(ip), 4);
	}
}

static void remember(struct packet_parts *p, uint64_t hash, const struct part *part,
                     const struct shown *shown)
{
	struct shown *known = recent_at(&p->seen, hash, part, NULL);
	if (known)
		*known = *shown;
}

static void ask_parts(struct packet_parts *p, const struct packet_view *v, const uint8_t *ip,
                      uint8_t version, struct shown *shown)
{
	struct part part;
	part_of(ip, version, v->ip_proto, &part);
	uint64_t hash = recent_hash(&p->seen, &part);
	if (!v->fragment) {
		remember(p, hash, &part, shown);
		return;
	}
	const struct shown *known = recent_find(&p->seen, hash, &part);
	if (known)
		*shown = *known;
}

static struct shown shown_by(struct packet_parts *p, const struct pt_msg *m,
                             const struct packet_view *v, const uint8_t *ip, uint8_t version)
{
	const uint8_t *ports = ports_at(m, v);
	struct shown shown = {.proto = v->ip_proto};
	if (ports)
		memcpy(shown.ports, ports, sizeof shown.ports);
	if (v->part && p)
		ask_parts(p, v, ip, version, &shown);
	return shown;
}

/* ---- the flow ---- */

ALWAYS_INLINE int order_of(const uint8_t *a, const uint8_t *b, size_t size)
{
	if (size == 4)
		return (be32(a) > be32(b)) - (be32(a) < be32(b));
	return memcmp(a, b, size);
}

/* From an IP header's addresses and the ports, both as they stand there. */
ALWAYS_INLINE void put_ends(struct packet_flow *f, const uint8_t *addresses, size_t size,
                            const uint8_t *ports)
{
	int order = order_of(addresses, addresses + size, size);
	size_t first = order > 0 || (!order && memcmp(ports, ports + 2, 2) > 0);
	memcpy(f->bytes + PORTS, ports + 2 * first, 2);
	memcpy(f->bytes + PORTS + 2, ports + 2 * !first, 2);
	memcpy(f->bytes + ADDRESSES, addresses + size * first, size);
	memcpy(f->bytes + ADDRESSES + size, addresses + size * !first, size);
}

void packet_flow_of(struct packet_parts *p, const struct pt_msg *m, const struct packet_view *v,
                    struct packet_flow *f)
{
	memset(f, 0, sizeof *f);
	bool six = packet_has(v, PACKET_IP6);
	if (!pt_msg_is_packet(m) || (!six && !packet_has(v, PACKET_IP)))
		return;
	const uint8_t *ip = m->bytes + v->offset[six ? PACKET_IP6 : PACKET_IP];
	f->bytes[VERSION] = six ? 6 : 4;
	struct shown shown = shown_by(p, m, v, ip, f->bytes[VERSION]);
	f->bytes[PROTO] = shown.proto;
	if (six)
		put_ends(f, ip + 8, 16, shown.ports);
	else
		put_ends(f, ip + 12, 4, shown.ports);
}

/* Of most packets: with ports, behind an IPv4 header without options, whole, in Ethernet. */
static bool usual_flow(const struct pt_msg *m, struct packet_flow *f)
{
	if (m->link_type != PACKET_LINK_EN10MB || m->length < ETH_SIZE + IP_SIZE + 4)
		return false;
	const uint8_t *ip = m->bytes + ETH_SIZE, *ports = ip + IP_SIZE;
	if (be16(ip - 2) != ETHER_TYPE_IP || ip[0] != 0x45 || be16(ip + 2) < IP_SIZE + 4 ||
	    be16(ip + 6) & 0x3fff || !has_ports(ip[9]))
		return false;
	*f = (struct packet_flow){{4, ip[9]}};
	put_ends(f, ip + 12, 4, ports);
	return true;
}

void packet_flow(struct packet_parts *p, const struct pt_msg *m, struct packet_flow *f)
{
	struct packet_view view;
	if (usual_flow(m, f))
		return;
	packet_dissect(m, &view);
	packet_flow_of(p, m, &view, f);
}

uint64_t packet_flow_hash(const struct packet_flow *f)
{
	static const uint64_t key[2];
	return sip_hash(key, f->bytes, packet_flow_size(f));
}

/* ---- as text ---- */

static size_t put_proto(uint8_t proto, char *out, size_t room)
{
	const char *name = packet_proto_name(proto);
	size_t length = (size_t)(name ? snprintf(out, room, "%s", name)
	                              : snprintf(out, room, "proto%u", proto));
	for (size_t i = 0; i < length; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	return length;
}

static size_t put_end(const struct packet_flow *f, unsigned end, char *out, size_t room)
{
	bool six = f->bytes[VERSION] == 6;
	char address[INET6_ADDRSTRLEN];
	inet_ntop(six ? AF_INET6 : AF_INET, f->bytes + ADDRESSES + end * (six ? 16 : 4), address,
	          sizeof address);
	if (!has_ports(f->bytes[PROTO]))
		return (size_t)snprintf(out, room, "-%s", address);
	return (size_t)snprintf(out, room, "-%s.%u", address, be16(f->bytes + PORTS + 2 * end));
}

size_t packet_flow_text(const struct packet_flow *f, char *out)
{
	if (!f->bytes[VERSION])
		return (size_t)snprintf(out, PACKET_FLOW_TEXT, "none");
	size_t length = put_proto(f->bytes[PROTO], out, PACKET_FLOW_TEXT);
	length += put_end(f, 0, out + length, PACKET_FLOW_TEXT - length);
	return length + put_end(f, 1, out + length, PACKET_FLOW_TEXT - length);
}
