/* SPDX-License-Identifier: BSD-2-Clause */
/* From a link's header to the network layer, and what is no IP there. */
#include "packet/walk.h"

#include <string.h>

/* ---- ARP: RFC 826, 903, 2390; of ATM: RFC 2225 ---- */

static void atm_arp(struct walk *w, uint32_t at, uint32_t end)
{
	const uint8_t *header = w->bytes + at;
	if (walk_left(at, end) < 12) {
		walk_broken(w, at, end);
		return;
	}
	uint32_t place = at + 12 + (header[4] & 63u) + (header[5] & 63u);

	if (header[8] == 4)
		walk_address(w, place, end);
	place += header[8] + (header[9] & 63u) + (header[10] & 63u);
	if (header[11] == 4)
		walk_address(w, place, end);
}

static void arp(struct walk *w, uint32_t at, uint32_t end)
{
	enum { ATM = 19, MAC_SIZE = 6 };
	uint32_t left = walk_left(at, end);
	const uint8_t *header = w->bytes + at;

	if (left < 8) {
		walk_broken(w, at, end);
		return;
	}
	if (be16(header + 2) != ETHER_TYPE_IP) {
		walk_opaque(w, at, end);
		return;
	}
	if (be16(header) == ATM) {
		atm_arp(w, at, end);
		return;
	}
	uint32_t hardware = header[4], protocol = header[5],
		 stop = at + 8 + 2 * (hardware + protocol);
	stop = stop < end ? stop : end;
	for (uint32_t i = 0, place = at + 8; i < 2; i++, place += hardware + protocol) {
		if (hardware == MAC_SIZE)
			walk_mac(w, place, stop);
		if (protocol == 4)
			walk_address(w, place + hardware, stop);
		else if (protocol)
			walk_opaque(w, end, end);
	}
	walk_payload(w, stop, end);
}

/* ---- PPP: RFC 1332, 1877, 5072 ---- */

static void interface_id(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t address[16] = {0xfe, 0x80};

	if (walk_left(at, end) < 8)
		return;
	memcpy(address + 8, w->bytes + at, 8);
	pseudonym_ip6(w->pseudonyms, address, w->options->mac);
	walk_put(w, at, address + 8, 8);
}

static void negotiated(struct walk *w, uint32_t at, uint32_t end, bool six)
{
	enum { CONFIGURE_LAST = 4, COMPRESSION = 2 };

	if (walk_left(at, end) < 4 || !w->bytes[at] || w->bytes[at] > CONFIGURE_LAST) {
		walk_payload(w, at, end);
		return;
	}
	uint32_t stop = at + be16(w->bytes + at + 2);
	stop = stop < end ? stop : end;
	for (at += 4; walk_left(at, stop) >= 2;) {
		uint32_t size = w->bytes[at + 1];
		if (size < 2)
			break;
		if (six && w->bytes[at] == 1)
			interface_id(w, at + 2, stop);
		else if (!six && w->bytes[at] != COMPRESSION)
			walk_addresses(w, at + 2, at + size < stop ? at + size : stop, 4);
		at += size;
	}
	walk_payload(w, stop, end);
}

void walk_ppp(struct walk *w, uint32_t at, uint32_t end)
{
	if (walk_left(at, end) >= 2 && be16(w->bytes + at) == 0xff03)
		at += 2;
	uint32_t size = walk_left(at, end) && w->bytes[at] & 1 ? 1 : 2;
	if (walk_left(at, end) < size) {
		walk_broken(w, at, end);
		return;
	}
	uint16_t protocol = size == 1 ? w->bytes[at] : be16(w->bytes + at);
	at += size;
	switch (protocol) {
	case 0x0021: walk_ip(w, at, end); break;
	case 0x0057: walk_ip6(w, at, end); break;
	case 0x0281:
	case 0x0283: walk_mpls(w, at, end); break;
	case 0x8021: negotiated(w, at, end, false); break;
	case 0x8057: negotiated(w, at, end, true); break;
	case 0x002d: /* compressed headers, encrypted; what negotiates that, links and names */
	case 0x0053:
	case 0x8053:
	case 0x80fd:
	case 0x8281:
	case 0xc021:
	case 0xc023:
	case 0xc025:
	case 0xc029:
	case 0xc02b:
	case 0xc02d:
	case 0xc223:
	case 0xc227: walk_payload(w, at, end); break;
	default: walk_opaque(w, at, end);
	}
}

/* ---- links ---- */

/* What lies in an IEEE 802.3 frame and is no EtherType: bridges and others of the link alone. */
static void llc(struct walk *w, uint32_t at, uint32_t end)
{
	enum {
		SPANNING_TREE = 0x4242,
		IPX = 0xe0e0,
		NETBIOS = 0xf0f0,
		BARE_IPX = 0xffff,
		NONE = 0
	};
	enum { SNAP = 0xaaaa, CISCO = 0x0300000c, CISCO_TREE = 0x010b, CISCO_LINK = 0x0111 };
	uint16_t points = walk_left(at, end) < 3 ? NONE : be16(w->bytes + at);
	bool vendor = points == SNAP && walk_left(at, end) >= 8;
	uint16_t type = vendor ? be16(w->bytes + at + 6) : 0;
	bool harmless = points == IPX || points == NETBIOS || points == BARE_IPX || points == NONE;

	if (vendor && be32(w->bytes + at + 2) == CISCO)
		harmless = !w->options->mac && (type == CISCO_TREE || type == CISCO_LINK);
	if (points == SPANNING_TREE)
		harmless = !w->options->mac;
	if (harmless)
		walk_payload(w, at, end);
	else
		walk_opaque(w, at, end);
}

/* IEEE 802.1AE: what is only signed was walked. */
static void macsec(struct walk *w, uint32_t at, uint32_t end)
{
	enum { ENCRYPTED = 0x0c };

	if (walk_left(at, end) && w->bytes[at] & ENCRYPTED)
		walk_payload(w, at, end);
	else
		walk_broken(w, at, end);
}

/* Where no packet was found. */
static void other_link(struct walk *w, uint32_t at, uint32_t end, uint16_t link_type)
{
	static const struct walk_net bare = {0};

	switch (link_other(link_type)) {
	case OTHER_LLC: llc(w, at, end); break;
	case OTHER_PPP: walk_ppp(w, at, end); break;
	case OTHER_WIRELESS: walk_wireless(w, at, end); break;
	case OTHER_SCTP: walk_sctp(w, at, end, &bare); break;
	case OTHER_HARMLESS: walk_payload(w, at, end); break;
	case OTHER_OPAQUE: walk_opaque(w, at, end); break;
	}
}

/* EtherTypes that hold no IP address; some tell of MAC addresses. */
static const struct harmless {
	uint16_t ether_type;
	bool macs;
} harmless_types[] = {
	{0x0842, true},                                    /* wake on LAN */
	{0x6002, false}, {0x6003, false},                  /* DEC's */
	{0x6004, false}, {0x6007, false}, {0x80d5, false}, /* SNA */
	{0x809b, false}, {0x80f3, false},                  /* AppleTalk */
	{0x8137, false}, {0x8138, false},                  /* IPX */
	{0x8191, false},                                   /* NetBEUI */
	{0x8808, false},                                   /* pause */
	{0x8809, true},                                    /* aggregation, OAM */
	{0x8863, false},                                   /* PPPoE's discovery */
	{0x886d, true},                                    /* teaming */
	{0x888e, false},                                   /* IEEE 802.1X */
	{0x88a2, false},                                   /* ATA */
	{0x88b5, false}, {0x88b6, false},                  /* experiments: an application's */
	{0x88b8, false}, {0x88b9, false}, {0x88ba, false}, /* IEC 61850 */
	{0x88c7, false},                                   /* IEEE 802.11's keys */
	{0x88e1, true},  {0x8912, true},                   /* power lines */
	{0x88f7, true},                                    /* time */
	{0x88fb, true},                                    /* redundancy's supervision */
	{0x8906, false}, {0x8914, true},                   /* Fibre Channel */
	{0x9000, true},                                    /* loopback */
};

static void unknown(struct walk *w, uint32_t at, uint32_t end, uint16_t ether_type)
{
	for (size_t i = 0; i < sizeof harmless_types / sizeof harmless_types[0]; i++)
		if (harmless_types[i].ether_type == ether_type &&
		    !(harmless_types[i].macs && w->options->mac)) {
			walk_payload(w, at, end);
			return;
		}
	walk_opaque(w, at, end);
}

static void network(struct walk *w, uint32_t at, uint32_t end, const struct packet_view *v,
                    uint16_t link_type)
{
	enum { RARP = 0x8035, PPP = 0x880b, LLC = 0x8870, MACSEC = 0x88e5 };
	uint32_t place = at + network_at(v);

	switch (v->ether_type) {
	case ETHER_TYPE_IP: walk_ip(w, place, end); break;
	case ETHER_TYPE_IP6: walk_ip6(w, place, end); break;
	case ETHER_TYPE_ARP:
	case RARP: arp(w, place, end); break;
	case ETHER_TYPE_PPPOE:
	case PPP:
		walk_ppp(w, place, place + v->payload_length);
		walk_padding(w, place + v->payload_length, end);
		break;
	case LLC: llc(w, place, end); break;
	case MACSEC: macsec(w, place, end); break;
	case 0:
		if (!packet_has(v, PACKET_ETH)) {
			if (place < end)
				other_link(w, place, end, link_type);
			break;
		}
		llc(w, place, place + v->payload_length);
		walk_padding(w, place + v->payload_length, end);
		break;
	default: unknown(w, place, end, v->ether_type);
	}
}

void walk_link(struct walk *w, uint32_t at, uint32_t end, uint16_t link_type)
{
	const struct packet_view *before = w->link;
	uint32_t before_at = w->link_at;
	struct packet_view v;

	if (w->depth == WALK_DEPTH_MAX) {
		walk_opaque(w, at, end);
		return;
	}
	w->depth++;
	packet_dissect_bytes(w->bytes + at, walk_left(at, end), link_type, &v);
	w->link = &v;
	w->link_at = at;
	for (unsigned i = 0; w->options->mac && i < v.mac_count; i++)
		walk_mac(w, at + v.mac[i], end);
	bool wireless = link_other(link_type) == OTHER_WIRELESS;
	uint32_t stop = wireless ? walk_joined_first(w, at, end, &v) : end;
	network(w, at, stop, &v, link_type);
	if (stop < end)
		walk_joined_others(w, stop, end, at + v.offset[PACKET_ETH]);
	w->link = before;
	w->link_at = before_at;
	w->depth--;
}

void walk_ether_type(struct walk *w, uint32_t at, uint32_t end, uint16_t ether_type)
{
	struct packet_view v;

	if (w->depth == WALK_DEPTH_MAX || !ether_type) {
		walk_opaque(w, at, end);
		return;
	}
	w->depth++;
	packet_dissect_ether_type(w->bytes + at, walk_left(at, end), ether_type, &v);
	for (unsigned i = 0; w->options->mac && i < v.mac_count; i++)
		walk_mac(w, at + v.mac[i], end);
	network(w, at, end, &v, PT_NO_LINK_TYPE);
	w->depth--;
}

void walk_mpls(struct walk *w, uint32_t at, uint32_t end)
{
	walk_ether_type(w, at, end, 0x8847);
}

void walk_link_group_alone(struct walk *w)
{
	for (unsigned i = 0; w->link && i < w->link->mac_count; i++) {
		uint8_t group[16] = {0xff, 2, [11] = 1};
		uint32_t at = w->link_at + w->link->mac[i];
		memcpy(group + 12, w->bytes + at + 2, 4);
		if (be16(w->bytes + at) != 0x3333 || !pseudonym_is_solicited(group))
			continue;
		pseudonym_solicited(w->pseudonyms, group, NULL, w->options->mac);
		walk_put(w, at + 2, group + 12, 4);
	}
}

void walk_link_group(struct walk *w, const uint8_t before[16], const uint8_t after[16])
{
	for (unsigned i = 0; i < w->link->mac_count; i++) {
		uint32_t at = w->link_at + w->link->mac[i];
		if (be16(w->bytes + at) == 0x3333 && !memcmp(w->bytes + at + 2, before + 12, 4))
			walk_put(w, at + 2, after + 12, 4);
	}
}
