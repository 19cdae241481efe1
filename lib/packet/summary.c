/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet in one line, for people. */
#include "packet/packet.h"

#include "msg/link_type.h"
#include "packet/inside.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
	char *out;
	size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->length + 1 >= l->room)
		return;
	va_start(ap, fmt);
	int length = vsnprintf(l->out + l->length, l->room - l->length, fmt, ap);
	va_end(ap);
	if (length > 0)
		l->length += (size_t)length;
	if (l->length >= l->room)
		l->length = l->room - 1;
}

struct named {
	unsigned number;
	const char *name;
};

static const struct named protos[] = {
	{1, "ICMP"},   {2, "IGMP"},   {4, "IPIP"},       {6, "TCP"},       {17, "UDP"},
	{33, "DCCP"},  {41, "IP6"},   {47, "GRE"},       {50, "ESP"},      {51, "AH"},
	{58, "ICMP6"}, {59, "none"},  {89, "OSPF"},      {103, "PIM"},     {112, "VRRP"},
	{115, "L2TP"}, {132, "SCTP"}, {135, "Mobility"}, {136, "UDPLite"}, {139, "HIP"},
	{0, NULL},
};

static const struct named ether_types[] = {
	{0x0800, "IP"},   {0x0806, "ARP"},   {0x86dd, "IP6"},    {0x8100, "VLAN"},
	{0x8847, "MPLS"}, {0x8863, "PPPoE"}, {0x8864, "PPPoE"},  {0x888e, "EAPOL"},
	{0x88a8, "VLAN"}, {0x88cc, "LLDP"},  {0x88e5, "MACsec"}, {0x88f7, "PTP"},
	{0, NULL},
};

static const struct named icmp_types[] = {
	{0, "echo-reply"},           {3, "unreachable"},
	{4, "source-quench"},        {5, "redirect"},
	{8, "echo-request"},         {9, "router-advertisement"},
	{10, "router-solicitation"}, {11, "time-exceeded"},
	{12, "parameter-problem"},   {13, "timestamp-request"},
	{14, "timestamp-reply"},     {0, NULL},
};

static const struct named icmp6_types[] = {
	{1, "unreachable"},
	{2, "packet-too-big"},
	{3, "time-exceeded"},
	{4, "parameter-problem"},
	{128, "echo-request"},
	{129, "echo-reply"},
	{130, "mld-query"},
	{131, "mld-report"},
	{132, "mld-done"},
	{133, "router-solicitation"},
	{134, "router-advertisement"},
	{135, "neighbour-solicitation"},
	{136, "neighbour-advertisement"},
	{137, "redirect"},
	{143, "mld2-report"},
	{0, NULL},
};

static const char *name_of(const struct named *names, unsigned number)
{
	for (; names->name; names++)
		if (names->number == number)
			return names->name;
	return NULL;
}

static void say_mac(struct line *l, const uint8_t *mac)
{
	say(l, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void say_address(struct line *l, const uint8_t *address, bool six, int port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(six ? AF_INET6 : AF_INET, address, text, sizeof text);
	if (port < 0)
		say(l, "%s", text);
	else
		say(l, six ? "[%s]:%d" : "%s:%d", text, port);
}

static void say_type(struct line *l, const struct named *names, const uint8_t *icmp)
{
	const char *name = name_of(names, icmp[0]);

	if (name)
		say(l, " %s", name);
	else
		say(l, " type=%u", icmp[0]);
	if (icmp[1])
		say(l, " code=%u", icmp[1]);
}

static void say_tcp(struct line *l, const uint8_t *tcp)
{
	static const char letters[] = "FSRPAUECN";
	unsigned flags = be16(tcp + 12) & 0x1ff;
	char set[sizeof letters];
	size_t count = 0;

	for (unsigned i = 0; letters[i]; i++)
		if (flags >> i & 1)
			set[count++] = letters[i];
	set[count] = '\0';
	say(l, " TCP %s seq=%" PRIu32, count ? set : "none", be32(tcp + 4));
	if (flags & 0x10)
		say(l, " ack=%" PRIu32, be32(tcp + 8));
	say(l, " win=%u", be16(tcp + 14));
}

static void say_icmp(struct line *l, const uint8_t *icmp, enum packet_layer layer)
{
	say(l, layer == PACKET_ICMP ? " ICMP" : " ICMP6");
	say_type(l, layer == PACKET_ICMP ? icmp_types : icmp6_types, icmp);
	if (icmp_is_query(layer, icmp[0]))
		say(l, " id=%u seq=%u", be16(icmp + 4), be16(icmp + 6));
}

const char *packet_proto_name(uint8_t proto)
{
	return name_of(protos, proto);
}

static void say_proto(struct line *l, uint8_t proto)
{
	const char *name = packet_proto_name(proto);

	if (name)
		say(l, " %s", name);
	else
		say(l, " proto=%u", proto);
}

static void say_transport(struct line *l, const uint8_t *bytes, const struct packet_view *v)
{
	if (packet_has(v, PACKET_TCP))
		say_tcp(l, bytes + v->offset[PACKET_TCP]);
	else if (packet_has(v, PACKET_ICMP))
		say_icmp(l, bytes + v->offset[PACKET_ICMP], PACKET_ICMP);
	else if (packet_has(v, PACKET_ICMP6))
		say_icmp(l, bytes + v->offset[PACKET_ICMP6], PACKET_ICMP6);
	else
		say_proto(l, v->ip_proto);
	if (v->fragment)
		say(l, " fragment");
}

/* What the headers say of the payload's length, which a short capture need not hold. */
static uint32_t told_length(const uint8_t *bytes, const struct packet_view *v)
{
	bool six = packet_has(v, PACKET_IP6);
	uint32_t start = v->offset[six ? PACKET_IP6 : PACKET_IP];
	uint32_t before = v->offset[PACKET_PAYLOAD] - start;
	uint32_t told = six ? be16(bytes + start + 4) : be16(bytes + start + 2);

	if (packet_has(v, PACKET_UDP)) {
		uint16_t udp = be16(bytes + v->offset[PACKET_UDP] + 4);
		if (udp >= UDP_SIZE)
			return udp - UDP_SIZE;
	}
	if (six && told)
		told += IP6_SIZE;
	return told > before ? told - before : v->payload_length;
}

static void say_ip(struct line *l, const uint8_t *bytes, const struct packet_view *v)
{
	bool six = packet_has(v, PACKET_IP6);
	const uint8_t *from = bytes + (six ? v->offset[PACKET_IP6] + 8 : v->offset[PACKET_IP] + 12);
	int source = -1, destination = -1;

	if (packet_has(v, PACKET_TCP) || packet_has(v, PACKET_UDP)) {
		enum packet_layer layer = packet_has(v, PACKET_TCP) ? PACKET_TCP : PACKET_UDP;
		source = be16(bytes + v->offset[layer]);
		destination = be16(bytes + v->offset[layer] + 2);
	}
	say(l, six ? "IP6 " : "IP ");
	say_address(l, from, six, source);
	say(l, " > ");
	say_address(l, from + (six ? 16 : 4), six, destination);
	say_transport(l, bytes, v);
	say(l, " len=%" PRIu32, told_length(bytes, v));
}

static void say_arp(struct line *l, const uint8_t *arp)
{
	enum { REQUEST = 1, REPLY = 2 };
	uint16_t op = be16(arp + 6);

	say(l, op == REQUEST ? "ARP who-has " : "ARP ");
	say_address(l, op == REQUEST ? arp + 24 : arp + 14, false, -1);
	if (op == REQUEST) {
		say(l, " tell ");
		say_address(l, arp + 14, false, -1);
	} else if (op == REPLY) {
		say(l, " is-at ");
		say_mac(l, arp + 8);
	} else {
		say(l, " op=%u", op);
	}
}

static void say_ether_type(struct line *l, const struct packet_view *v)
{
	const char *name = name_of(ether_types, v->ether_type);

	if (name)
		say(l, "%s", name);
	else if (v->ether_type)
		say(l, "type=0x%04x", v->ether_type);
	else
		say(l, "802.3");
}

static void say_other(struct line *l, const struct pt_msg *m, const struct packet_view *v)
{
	const char *link = link_type_name(m->link_type);

	if (packet_has(v, PACKET_ETH)) {
		const uint8_t *eth = m->bytes + v->offset[PACKET_ETH];
		say(l, "ETH ");
		say_mac(l, eth + 6);
		say(l, " > ");
		say_mac(l, eth);
		say(l, " ");
		say_ether_type(l, v);
	} else if (link) {
		say(l, "%s", link);
	} else {
		say(l, "link type %u", m->link_type);
	}
	say(l, " len=%" PRIu32, v->payload_length);
}

static void say_plain(struct line *l, const struct pt_msg *m)
{
	enum { SHOWN = 64 };

	say(l, "%" PRIu32 " bytes \"", m->length);
	for (uint32_t i = 0; i < m->length && i < SHOWN; i++) {
		uint8_t byte = m->bytes[i];
		if (byte == '"' || byte == '\\')
			say(l, "\\%c", byte);
		else if (byte >= ' ' && byte <= '~')
			say(l, "%c", byte);
		else
			say(l, "\\x%02x", byte);
	}
	say(l, m->length > SHOWN ? "\"..." : "\"");
}

static void say_packet(struct line *l, const struct pt_msg *m)
{
	struct packet_view v;

	packet_dissect(m, &v);
	if (packet_has(&v, PACKET_VLAN))
		say(l, "VLAN %u ", be16(m->bytes + v.offset[PACKET_VLAN]) & 0xfff);
	if (packet_has(&v, PACKET_IP) || packet_has(&v, PACKET_IP6))
		say_ip(l, m->bytes, &v);
	else if (packet_has(&v, PACKET_ARP))
		say_arp(l, m->bytes + v.offset[PACKET_ARP]);
	else
		say_other(l, m, &v);
	if (m->wire_length > m->length)
		say(l, " (%" PRIu32 " of %" PRIu32 " bytes)", m->length, m->wire_length);
}

size_t packet_summary(const struct pt_msg *m, char *out, size_t room)
{
	struct line l = {out, room, 0};

	if (!room)
		return 0;
	out[0] = '\0';
	if (pt_msg_is_packet(m))
		say_packet(&l, m);
	else
		say_plain(&l, m);
	return l.length;
}
