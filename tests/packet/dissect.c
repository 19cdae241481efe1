/* SPDX-License-Identifier: BSD-2-Clause */
/* Layers are found where they are, and nothing is believed of a packet that lies. */
#include "unit.h"
#include "packet/make.h"

static struct packet_view view_of(const struct made *m)
{
	struct packet_view v;
	packet_dissect_bytes(m->bytes, m->length, m->link_type, &v);
	return v;
}

static uint32_t layers(unsigned count, ...)
{
	uint32_t set = 0;
	va_list ap;
	va_start(ap, count);
	while (count--)
		set |= 1u << va_arg(ap, int);
	va_end(ap);
	return set;
}

START_TEST(tcp_in_ethernet)
{
	struct made m = {0};
	make_tcp4(&m, 10);
	struct packet_view v = view_of(&m);

	ck_assert_uint_eq(v.present, layers(4, PACKET_ETH, PACKET_IP, PACKET_TCP, PACKET_PAYLOAD));
	ck_assert_uint_eq(v.offset[PACKET_ETH], 0);
	ck_assert_uint_eq(v.offset[PACKET_IP], 14);
	ck_assert_uint_eq(v.offset[PACKET_TCP], 34);
	ck_assert_uint_eq(v.offset[PACKET_PAYLOAD], 54);
	ck_assert_uint_eq(v.payload_length, 10);
	ck_assert_uint_eq(v.checksum, 50);
	ck_assert_uint_eq(v.ether_type, 0x0800);
	ck_assert_uint_eq(v.ip_proto, 6);
	ck_assert(!v.fragment);
}
END_TEST

START_TEST(of_stacked_tags_the_outermost_counts)
{
	struct made m = {0};
	make_ethernet(&m, 0x88a8);
	put16(&m, 0x2064), put16(&m, 0x8100);
	put16(&m, 200), put16(&m, 0x0800);
	make_ip(&m, 99, NULL, 0);
	make_end(&m);
	struct packet_view v = view_of(&m);

	ck_assert_uint_eq(v.present, layers(3, PACKET_ETH, PACKET_VLAN, PACKET_IP));
	ck_assert_uint_eq(v.offset[PACKET_VLAN], 14);
	ck_assert_uint_eq(v.offset[PACKET_IP], 22);
	ck_assert_uint_eq(v.ether_type, 0x0800);
}
END_TEST

START_TEST(padding_is_no_payload)
{
	struct made m = {0};
	make_tcp4(&m, 2);
	put_random(&m, 4);
	ck_assert_uint_eq(view_of(&m).payload_length, 2);

	struct made arp = {0};
	make_ethernet(&arp, 0x0806);
	put16(&arp, 1), put16(&arp, 0x0800), put8(&arp, 6), put8(&arp, 4), put16(&arp, 1);
	put_random(&arp, 20 + 18);
	ck_assert_uint_eq(view_of(&arp).present, layers(2, PACKET_ETH, PACKET_ARP));
	ck_assert_uint_eq(view_of(&arp).payload_length, 0);
}
END_TEST

START_TEST(a_frame_with_a_length_has_no_type)
{
	struct made m = {0};
	make_ethernet(&m, 3);
	put_random(&m, 46);
	struct packet_view v = view_of(&m);

	ck_assert_uint_eq(v.present, layers(2, PACKET_ETH, PACKET_PAYLOAD));
	ck_assert_uint_eq(v.payload_length, 3);
	ck_assert_uint_eq(v.ether_type, 0);
}
END_TEST

#define ZEROS "000000000000000000000000000000000000000000000000" /* 24 bytes */
#define MACS  "020000000001 020000000002 "
#define SNAP  "aaaa03 000000 0800 "
#define DATA  "0800 0000 020000000001 020000000002 020000000003 0000 "

/* Headers before an IPv4 packet of 28 bytes with UDP; where hardware addresses are. */
/* clang-format off */
static const struct lead {
	const char *name;
	uint16_t link_type;
	const char *header;
	uint16_t macs[PACKET_MACS];
	uint8_t mac_count;
} leads[] = {
	{"raw", PACKET_LINK_RAW, ""},
	{"raw of BSD", 12, ""},
	{"raw of OpenBSD", 14, ""},
	{"IPv4", PACKET_LINK_IPV4, ""},
	{"loopback, little", PACKET_LINK_NULL, "02000000"},
	{"loopback, big", PACKET_LINK_NULL, "00000002"},
	{"loopback of OpenBSD", PACKET_LINK_LOOP, "00000002"},
	{"cooked", PACKET_LINK_LINUX_SLL, "0000 0001 0006 020000000001 0000 0800", {6}, 1},
	{"cooked, no address", PACKET_LINK_LINUX_SLL, "0000 0001 0000 0000000000000000 0800"},
	{"cooked, LLC", PACKET_LINK_LINUX_SLL, "0000 0001 0000 0000000000000000 0004" SNAP},
	{"cooked, radio", PACKET_LINK_LINUX_SLL, "0000 0323 0000 0000000000000000 0000"
	 "00000800 00000000" DATA SNAP, {28, 34, 40}, 3},
	{"cooked, frame relay", PACKET_LINK_LINUX_SLL, "0000 0302 0000 0000000000000000 0000"
	 "1841 03cc"},
	{"cooked 2", PACKET_LINK_LINUX_SLL2, "0800 0000 00000001 0001 00 06 0200000000010000",
	 {12}, 1},
	{"PPP", PACKET_LINK_PPP, "ff03 0021"},
	{"PPP, bare", PACKET_LINK_PPP, "0021"},
	{"PPP, compressed", PACKET_LINK_PPP, "21"},
	{"PPP, MPLS", PACKET_LINK_PPP, "ff03 0281 00010140"},
	{"PPP, serial", PACKET_LINK_PPP_SERIAL, "ff03 0021"},
	{"PPP, Cisco's in its place", PACKET_LINK_PPP_SERIAL, "0f00 0800"},
	{"PPP, to all", PACKET_LINK_PPP_SERIAL, "8f00 0800"},
	{"PPP with direction", 204, "01 ff03 0021"},
	{"PPP of pppd", 166, "0003 0021"},
	{"PPP of BSD/OS", 103, "0000000000 0021 0000000000000000000000000000000000"},
	{"PPPoE alone", PACKET_LINK_PPP_ETHER, "1100 0001 001e 0021"},
	{"PPPoE", PACKET_LINK_EN10MB, MACS "8864 1100 0001 001e 0021", {0, 6}, 2},
	{"HDLC", PACKET_LINK_C_HDLC, "0f00 0800"},
	{"HDLC with direction", 205, "00 0f00 0800"},
	{"Ethernet", PACKET_LINK_EN10MB, MACS "0800", {0, 6}, 2},
	{"tags", PACKET_LINK_EN10MB, MACS "88a8 0001 9100 0002 9200 0003 8100 0004 0800",
	 {0, 6}, 2},
	{"MPLS", PACKET_LINK_EN10MB, MACS "8847 00010140", {0, 6}, 2},
	{"tag and labels", PACKET_LINK_EN10MB, MACS "8100 0005 8848 00020040 00010140", {0, 6}, 2},
	{"frame in MPLS", PACKET_LINK_EN10MB, MACS "8847 00010140" MACS "0800", {0, 6, 18, 24}, 4},
	{"frame behind a control word", PACKET_LINK_EN10MB,
	 MACS "8847 00010140 00000000" MACS "0800", {0, 6, 22, 28}, 4},
	{"MPLS alone", 219, "00010140"},
	{"SNAP", PACKET_LINK_EN10MB, MACS "0024" SNAP, {0, 6}, 2},
	{"SNAP, 802.1H", PACKET_LINK_EN10MB, MACS "0024 aaaa03 0000f8 0800", {0, 6}, 2},
	{"LLC", PACKET_LINK_EN10MB, MACS "001f 060603", {0, 6}, 2},
	{"LLC, OSI", PACKET_LINK_EN10MB, MACS "0020 fefe03 cc", {0, 6}, 2},
	{"tag, then LLC", PACKET_LINK_EN10MB, MACS "8100 0001 0024" SNAP, {0, 6}, 2},
	{"jumbo LLC", PACKET_LINK_EN10MB, MACS "8870" SNAP, {0, 6}, 2},
	{"backbone bridge", PACKET_LINK_EN10MB, MACS "88a8 0001 88e7 00000001"
	 MACS "8100 0002 0800",
	 {0, 6, 22, 28}, 4},
	{"FabricPath", PACKET_LINK_EN10MB, MACS "8903 0001" MACS "0800", {0, 6, 16, 22}, 4},
	{"TRILL with an option", PACKET_LINK_EN10MB, MACS "22f3 0041 0001 0002 00000000"
	 MACS "0800",
	 {0, 6, 24, 30}, 4},
	{"NSH", PACKET_LINK_EN10MB, MACS "894f 0fc2 0101 00000000", {0, 6}, 2},
	{"MACsec, signed", PACKET_LINK_EN10MB, MACS "88e5 0000 00000001 0800", {0, 6}, 2},
	{"MACsec with channel", PACKET_LINK_EN10MB, MACS "88e5 2000 00000001 0000000000000000 0800",
	 {0, 6}, 2},
	{"Cisco's metadata", PACKET_LINK_EN10MB, MACS "8909 0101 0001 0000 0800", {0, 6}, 2},
	{"timestamp tag", PACKET_LINK_EN10MB, MACS "8988 000000000000 0800", {0, 6}, 2},
	{"VN-Tag", PACKET_LINK_EN10MB, MACS "8926 00010000 0800", {0, 6}, 2},
	{"HSR", PACKET_LINK_EN10MB, MACS "892f 00010000 0800", {0, 6}, 2},
	{"E-Tag", PACKET_LINK_EN10MB, MACS "893f 000000000000 0800", {0, 6}, 2},
	{"Arista's time", PACKET_LINK_EN10MB, MACS "d28b 0001 0010 0000000000000000 0800",
	 {0, 6}, 2},
	{"Arista's shorter time", PACKET_LINK_EN10MB, MACS "d28b 0001 0120 000000000000 0800",
	 {0, 6}, 2},
	{"R-Tag", PACKET_LINK_EN10MB, MACS "f1c1 00000000 0800", {0, 6}, 2},
	{"Broadcom's tag", 281, MACS "00000000 0800", {0, 6}, 2},
	{"Broadcom's tag before", 282, "00000000" MACS "0800", {4, 10}, 2},
	{"Marvell's tag", 284, MACS "c0380000 0800", {0, 6}, 2},
	{"Marvell's longer tag", 285, MACS "dada0000c0380000 0800", {0, 6}, 2},
	{"netANALYZER", 240, "00000000" MACS "0800", {4, 10}, 2},
	{"netANALYZER, as heard", 241, "00000000 55555555555555d5" MACS "0800", {12, 18}, 2},
	{"EPON", 259, "55555555555555d5" MACS "0800", {8, 14}, 2},
	{"frame with preamble", 274, "55555555555555d5" MACS "0800", {8, 14}, 2},
	{"Token Ring", 6, "1040" MACS SNAP, {2, 8}, 2},
	{"Token Ring, routed", 6, "1040 020000000001 820000000002 0630 0011 0022" SNAP, {2, 8}, 2},
	{"FDDI", 10, "50" MACS SNAP, {1, 7}, 2},
	{"ARCnet", 7, "0102 d4 00 0000"},
	{"ARCnet, exception", 7, "0102 d4 ff ffff d4 00 0000"},
	{"ARCnet, old", 7, "0102 f0"},
	{"ARCnet of Linux", 129, "0102 0000 d4 00 0000"},
	{"ARCnet of Linux, old", 129, "0102 0000 f0"},
	{"SLIP", 8, "00 450000000000000000000000000000"},
	{"SLIP, bare", 8, ""},
	{"SLIP of BSD/OS", 102, "000000000000000000000000000000000000000000000000"},
	{"Symantec", 99, "000000000000 0800 000000000000000000000000000000000000"
	 "000000000000000000000000000000000000"},
	{"ATM, SNAP", 100, SNAP},
	{"ATM, NLPID", 100, "fefe03 cc"},
	{"ATM, bare", 100, ""},
	{"ATM, bridged", 100, "aaaa03 0080c2 0007 0000" MACS "0800", {10, 16}, 2},
	{"ATM, PPP", 100, "0021"},
	{"IP over ATM", 106, SNAP},
	{"IP over ATM, bare", 106, ""},
	{"SunATM", 123, "0200 0000" SNAP},
	{"SunATM, LANE", 123, "0100 0000 0001" MACS "0800", {6, 12}, 2},
	{"802.11", 105, DATA SNAP, {4, 10, 16}, 3},
	{"802.11 with quality", 105,
	 "8800 0000 020000000001 020000000002 020000000003 0000 0000" SNAP, {4, 10, 16}, 3},
	{"802.11, four addresses", 105,
	 "0803 0000 020000000001 020000000002 020000000003 0000 020000000004" SNAP,
	 {4, 10, 16, 24}, 4},
	{"802.11, joined", 105, "8802 0000 020000000001 020000000002 020000000003 0000 8000"
	 MACS "0024" SNAP, {4, 10, 16, 26, 32}, 5},
	{"radiotap", 127, "00000800 00000000" DATA SNAP, {12, 18, 24}, 3},
	{"radiotap, padded", 127, "00001900 03000080 00000000 00000000 0000000000000000 20"
	 "8800 0000 020000000001 020000000002 020000000003 0000 0000 0000" SNAP, {29, 35, 41}, 3},
	{"AVS", 163, "80211001 00000010 0000000000000000" DATA SNAP, {20, 26, 32}, 3},
	{"AVS as Prism", 119, "80211001 00000010 0000000000000000" DATA SNAP, {20, 26, 32}, 3},
	{"PPI", 192, "00000800 69000000" DATA SNAP, {12, 18, 24}, 3},
	{"PPI, Ethernet", 192, "00000800 01000000" MACS "0800", {8, 14}, 2},
	{"TZSP", 128, "01000001 0a0100 00 01" MACS "0800", {9, 15}, 2},
	{"NFLOG", 239, "02000000 0500010000000000 20000900"},
	{"NFLOG, big", 239, "02000000 0005000100000000 00200009"},
	{"NFLOG of a bridge", 239, "07000000 08000100 0800 0000 20000900"},
	{"frame relay", 107, "1841 03 cc"},
	{"frame relay, long address", 107, "1840 0001 03 00cc"},
	{"frame relay, SNAP", 107, "1841 03 00 80 000000 0800"},
	{"frame relay, bridged", 107, "1841 03 00 80 0080c2 0007" MACS "0800", {10, 16}, 2},
	{"frame relay, PPP", 107, "1841 03 cf 0021"},
	{"frame relay, Cisco's", 107, "1841 0800"},
	{"frame relay with direction", 206, "01 1841 03 cc"},
	{"multilink frame relay", 182, "c001 1841 03 cc"},
	{"enc", 109, "02000000 00000001 00000000"},
	{"pflog", 117, "3d020000 0000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000000000000000000000000000000000"},
	{"ipnet", 226, "01020000 00000000 00000000 00000000 00000000 00000000"},
	{"InfiniBand", 242, "00000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000 0800 0000"},
	{"IEEE 1394", 138, "00000000000000000000000000000000 0800"},
	{"Fibre Channel", 122, "0000 020000000001 0000 020000000002" SNAP, {2, 10}, 2},
	{"AX.25", 3, "0000000000006000000000000061 03 cc"},
	{"AX.25 in KISS", 202, "00 0000000000006000000000000060 00000000000061 03 cc"},
	{"Endace, Ethernet", 197, "0000000000000000 02 00 0000 0000 0000 0000" MACS "0800",
	 {18, 24}, 2},
	{"Endace, extended", 197, "0000000000000000 96 00 0000 0000 0000 0000000000000000"},
	{"PKTAP", 258, "0c000000 01000000 0c000000"},
	{"PKTAP by a user's number", 149, "6c000000 01000000 01000000" ZEROS ZEROS ZEROS ZEROS
	 MACS "0800", {108, 114}, 2},
	{"Juniper, Ethernet", 178, "4d474300" MACS "0800", {4, 10}, 2},
	{"Juniper, extended", 178, "4d474380 0003 010100" MACS "0800", {9, 15}, 2},
	{"Juniper, no link", 178, "4d474302 00000000"},
	{"Juniper, PPP", 179, "4d474301 ff03 0021"},
	{"Juniper, HDLC", 181, "4d474301 0f00 0800"},
	{"Juniper, frame relay", 180, "4d474301 1841 03 cc"},
	{"Juniper, PPPoE over ATM", 168, "4d474301 8864 1100 0001 001e 0021"},
	{"Juniper, ATM1", 137, "4d474301 00000001" SNAP},
	{"Juniper, services", 136, "4d474301 4700000000000000"},
};
/* clang-format on */

static void check_lead(const struct lead *lead)
{
	struct made m = {.link_type = lead->link_type};
	put_hex(&m, lead->header);
	size_t size = m.length;
	make_ip(&m, 17, NULL, 0);
	make_udp(&m, 0);
	make_end(&m);
	struct packet_view v = view_of(&m);

	ck_assert_msg(packet_has(&v, PACKET_UDP), "%s: no UDP", lead->name);
	ck_assert_msg(v.offset[PACKET_IP] == size, "%s: IP at %u", lead->name, v.offset[PACKET_IP]);
	ck_assert_msg(v.ether_type == 0x0800, "%s: type %04x", lead->name, v.ether_type);
	ck_assert_msg(v.mac_count == lead->mac_count, "%s: %u addresses", lead->name, v.mac_count);
	for (unsigned i = 0; i < v.mac_count; i++)
		ck_assert_msg(v.mac[i] == lead->macs[i], "%s: an address at %u", lead->name,
		              v.mac[i]);
}

/* However short: nothing is read behind the end. */
static void check_cut_lead(const struct lead *lead)
{
	struct made m = {.link_type = lead->link_type};
	put_hex(&m, lead->header);
	make_ip(&m, 17, NULL, 0);

	for (size_t length = 0; length < m.length; length++) {
		struct packet_view v;
		uint8_t *bytes = exact(m.bytes, length);
		packet_dissect_bytes(bytes, length, m.link_type, &v);
		ck_assert_msg(!packet_has(&v, PACKET_IP), "%s: of %zu bytes", lead->name, length);
		ck_assert_uint_le(v.offset[PACKET_PAYLOAD] + v.payload_length, length);
		for (unsigned i = 0; i < v.mac_count; i++)
			ck_assert_uint_le(v.mac[i] + 6, length);
		exact_free(bytes, length);
	}
}

START_TEST(every_link_type_leads_to_ip)
{
	for (unsigned i = 0; i < sizeof leads / sizeof leads[0]; i++) {
		check_lead(&leads[i]);
		check_cut_lead(&leads[i]);
	}
}
END_TEST

/* Families of IPv6 differ from system to system. */
START_TEST(links_lead_to_ip6)
{
	static const struct {
		uint16_t link_type;
		const char *header;
	} six[] = {
		{PACKET_LINK_RAW, ""},
		{PACKET_LINK_IPV6, ""},
		{14, ""},
		{PACKET_LINK_NULL, "0a000000"},
		{PACKET_LINK_NULL, "18000000"},
		{PACKET_LINK_NULL, "1c000000"},
		{PACKET_LINK_NULL, "1e000000"},
		{PACKET_LINK_LOOP, "00000018"},
		{109, "1e000000 00000001 00000000"},
		{PACKET_LINK_PPP, "0057"},
		{PACKET_LINK_PPP, "ff03 57"},
		{107, "1841 03 8e"},
		{226, "011a0000 00000000 00000000 00000000 00000000 00000000"},
		{239, "0a000000 34000900"},
		{7, "0102 c4 00 0000"},
		{PACKET_LINK_EN10MB, MACS "8847 00002140"},
		{PACKET_LINK_EN10MB, MACS "0038 aaaa03 000000 86dd"},
	};

	for (unsigned i = 0; i < sizeof six / sizeof six[0]; i++) {
		struct made m = {.link_type = six[i].link_type};
		put_hex(&m, six[i].header);
		make_ip6(&m, 17);
		make_udp(&m, 0);
		make_end(&m);
		struct packet_view v = view_of(&m);
		ck_assert_msg(packet_has(&v, PACKET_UDP), "row %u", i);
		ck_assert_uint_eq(v.ether_type, 0x86dd);
	}
}
END_TEST

START_TEST(what_an_ether_type_announces)
{
	struct made m = {0};
	struct packet_view v;
	make_tcp4(&m, 3);

	packet_dissect_ether_type(m.bytes, m.length, 0x6558, &v);
	ck_assert(packet_has(&v, PACKET_ETH) && packet_has(&v, PACKET_TCP));
	packet_dissect_ether_type(m.bytes + 14, m.length - 14, 0x0800, &v);
	ck_assert(!packet_has(&v, PACKET_ETH) && packet_has(&v, PACKET_TCP));
	packet_dissect_ether_type(m.bytes + 12, m.length - 12, 0x1234, &v);
	ck_assert_uint_eq(v.present, layers(1, PACKET_PAYLOAD));
	ck_assert_uint_eq(v.ether_type, 0x1234);
}
END_TEST

/* What is encrypted, empty, no data, or not the first part of something is not taken for IP. */
START_TEST(not_everything_leads_to_ip)
{
	static const struct {
		uint16_t link_type;
		const char *header;
	} none[] = {
		{105, "4800 0000 020000000001 020000000002 020000000003 0000" SNAP},
		{105, "0840 0000 020000000001 020000000002 020000000003 0000" SNAP},
		{105, "8000 0000 020000000001 020000000002 020000000003 0000" SNAP},
		{7, "0102 d4 02 0000"},
		{182, "4001 1841 03 cc"},
		{PACKET_LINK_EN10MB, MACS "88e5 0c00 00000001 0800"},
		{PACKET_LINK_EN10MB, MACS "0024 aaaa03 00000c 2000"},
		{PACKET_LINK_EN10MB, MACS "8847 00010040"},
		{PACKET_LINK_LINUX_SLL, "0000 0338 0000 0000000000000000 0800"},
		{192, "00000800 c0000000 00000800 01000000" MACS "0800"},
		{192, "00000000 c0000000"},
	};

	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct made m = {.link_type = none[i].link_type};
		put_hex(&m, none[i].header);
		put8(&m, 0x28);
		make_ip(&m, 17, NULL, 0);
		struct packet_view v = view_of(&m);
		ck_assert_msg(!packet_has(&v, PACKET_IP), "row %u", i);
	}
}
END_TEST

START_TEST(of_other_links_all_is_payload)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	m.link_type = 147;
	ck_assert_uint_eq(view_of(&m).present, layers(1, PACKET_PAYLOAD));
	ck_assert_uint_eq(view_of(&m).payload_length, m.length);
	m.link_type = PT_NO_LINK_TYPE;
	ck_assert_uint_eq(view_of(&m).payload_length, m.length);
}
END_TEST

START_TEST(ip6_extension_headers_are_walked)
{
	struct made m = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&m, 0);
	put8(&m, 43), put8(&m, 0), put16(&m, 0x0104), put32(&m, 0);
	put8(&m, 51), put8(&m, 2), put16(&m, 0x0000), put32(&m, 0), put_random(&m, 16);
	put8(&m, 60), put8(&m, 4), put_random(&m, 22);
	put8(&m, 44), put8(&m, 0), put_random(&m, 6);
	put8(&m, 58), put8(&m, 0), put16(&m, 1), put32(&m, 99);
	make_icmp(&m, 128);
	make_end(&m);
	struct packet_view v = view_of(&m);

	ck_assert_uint_eq(v.present, layers(2, PACKET_IP6, PACKET_ICMP6));
	ck_assert_uint_eq(v.offset[PACKET_ICMP6], m.transport);
	ck_assert_uint_eq(v.ip_proto, 58);
}
END_TEST

START_TEST(too_many_extension_headers_are_not_followed)
{
	struct made m = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&m, 60);
	for (unsigned i = 0; i < 80; i++)
		put8(&m, 60), put8(&m, 0), put16(&m, 0x0104), put32(&m, 0);
	make_end(&m);
	ck_assert_uint_eq(view_of(&m).present, layers(2, PACKET_IP6, PACKET_PAYLOAD));
}
END_TEST

START_TEST(later_fragments_have_no_transport_layer)
{
	struct made m = {0};
	make_tcp4(&m, 10);
	set16(&m, m.ip + 6, 0x2001);
	ck_assert_uint_eq(view_of(&m).present, layers(3, PACKET_ETH, PACKET_IP, PACKET_PAYLOAD));
	ck_assert(view_of(&m).fragment);
	ck_assert_uint_eq(view_of(&m).checksum, 0);
	set16(&m, m.ip + 6, 0x2000); /* the first */
	struct packet_view first = view_of(&m);
	ck_assert(packet_has(&first, PACKET_TCP));

	struct made six = {.link_type = PACKET_LINK_RAW};
	make_ip6(&six, 44);
	put8(&six, 17), put8(&six, 0), put16(&six, 8), put32(&six, 1);
	make_udp(&six, 0);
	make_end(&six);
	ck_assert_uint_eq(view_of(&six).present, layers(2, PACKET_IP6, PACKET_PAYLOAD));
	ck_assert(view_of(&six).fragment);
	ck_assert_uint_eq(view_of(&six).ip_proto, 17);
}
END_TEST

START_TEST(of_a_tunnel_the_outer_header_is_meant)
{
	struct made m = {.link_type = PACKET_LINK_RAW};
	make_ip(&m, 4, NULL, 0);
	make_ip(&m, 17, NULL, 0);
	make_udp(&m, 0);
	set16(&m, 2, (unsigned)m.length);
	struct packet_view v = view_of(&m);

	ck_assert_uint_eq(v.present, layers(2, PACKET_IP, PACKET_PAYLOAD));
	ck_assert_uint_eq(v.offset[PACKET_PAYLOAD], 20);
}
END_TEST

START_TEST(lengths_that_cannot_be_are_not_believed)
{
	static const unsigned lies[] = {0, 19, 0xffff};
	for (unsigned i = 0; i < 3; i++) {
		struct made m = {0};
		make_tcp4(&m, 10);
		set16(&m, m.ip + 2, lies[i]);
		ck_assert_uint_eq(view_of(&m).payload_length, 10);
	}
	struct made udp = {.link_type = PACKET_LINK_RAW};
	make_ip(&udp, 17, NULL, 0);
	make_udp(&udp, 5);
	put_random(&udp, 5);
	make_end(&udp);
	set16(&udp, udp.transport + 4, 7);
	ck_assert_uint_eq(view_of(&udp).payload_length, 5);
	set16(&udp, udp.transport + 4, 10);
	ck_assert_uint_eq(view_of(&udp).payload_length, 2);
}
END_TEST

START_TEST(headers_that_cannot_be_are_no_layers)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	m.bytes[m.ip] = 0x44; /* too short for a header */
	ck_assert_uint_eq(view_of(&m).present, layers(2, PACKET_ETH, PACKET_PAYLOAD));
	m.bytes[m.ip] = 0x65; /* not version 4 */
	ck_assert_uint_eq(view_of(&m).present, layers(2, PACKET_ETH, PACKET_PAYLOAD));
	m.bytes[m.ip] = 0x4f; /* options behind the end */
	ck_assert_uint_eq(view_of(&m).present, layers(2, PACKET_ETH, PACKET_IP));
}
END_TEST

START_TEST(a_layer_is_there_once_its_header_is)
{
	struct made m = {0};
	make_tcp4(&m, 4);
	for (size_t length = 0; length <= m.length; length++) {
		struct packet_view v;
		uint8_t *bytes = exact(m.bytes, length);
		packet_dissect_bytes(bytes, length, m.link_type, &v);
		ck_assert_int_eq(packet_has(&v, PACKET_ETH), length >= 14);
		ck_assert_int_eq(packet_has(&v, PACKET_IP), length >= 34);
		ck_assert_int_eq(packet_has(&v, PACKET_TCP), length >= 54);
		ck_assert_int_eq(v.checksum != 0, length >= 52);
		ck_assert_uint_eq(v.offset[PACKET_PAYLOAD] + v.payload_length, length);
		exact_free(bytes, length);
	}
}
END_TEST

START_TEST(random_packets_are_seen_as_they_were_made)
{
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		struct made m;
		make_random(&m);
		struct packet_view v = view_of(&m);
		enum packet_layer layer = m.proto == 6    ? PACKET_TCP
		                          : m.proto == 17 ? PACKET_UDP
		                          : m.proto == 1  ? PACKET_ICMP
		                                          : PACKET_ICMP6;
		ck_assert(packet_has(&v, layer));
		ck_assert_uint_eq(v.offset[layer], m.transport);
		ck_assert_uint_eq(v.offset[m.version == 4 ? PACKET_IP : PACKET_IP6], m.ip);
		ck_assert_uint_eq(v.offset[PACKET_PAYLOAD] + v.payload_length, m.end);
		ck_assert_uint_eq(v.checksum, made_checksum(&m));
	}
}
END_TEST

/* The fields that are addresses become others, one after the other. */
START_TEST(no_layer_lies_elsewhere_for_an_address)
{
	srandom(2);
	for (int round = 0; round < TIMES(2000); round++) {
		struct made m;
		make_random(&m);
		for (int i = 0; i < round % 4; i++) /* also what nobody would make */
			m.bytes[random() % m.length] = (uint8_t)random();
		const struct packet_view v = view_of(&m);
		for (const struct packet_field *f = packet_fields; f->name; f++) {
			if (!packet_field_is_address(f) || !packet_has(&v, f->in))
				continue;
			for (int i = 0; i < f->size; i++)
				m.bytes[v.offset[f->in] + f->offset + i] = (uint8_t)random();
			const struct packet_view after = view_of(&m);
			ck_assert_mem_eq(&after, &v,
			                 offsetof(struct packet_view, mac) + sizeof v.mac);
		}
	}
}
END_TEST

UNIT_TESTS("packet/dissect", tcp_in_ethernet, of_stacked_tags_the_outermost_counts,
           padding_is_no_payload, a_frame_with_a_length_has_no_type, every_link_type_leads_to_ip,
           links_lead_to_ip6, what_an_ether_type_announces, not_everything_leads_to_ip,
           of_other_links_all_is_payload, ip6_extension_headers_are_walked,
           too_many_extension_headers_are_not_followed, later_fragments_have_no_transport_layer,
           of_a_tunnel_the_outer_header_is_meant, lengths_that_cannot_be_are_not_believed,
           headers_that_cannot_be_are_no_layers, a_layer_is_there_once_its_header_is,
           random_packets_are_seen_as_they_were_made, no_layer_lies_elsewhere_for_an_address)
