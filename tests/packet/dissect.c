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

START_TEST(every_link_type_leads_to_ip)
{
	static const struct {
		uint16_t link_type;
		uint8_t header[20];
		size_t size;
	} links[] = {
		{PACKET_LINK_RAW, {0}, 0},
		{PACKET_LINK_IPV4, {0}, 0},
		{PACKET_LINK_NULL, {2, 0, 0, 0}, 4},
		{PACKET_LINK_NULL, {0, 0, 0, 2}, 4},
		{PACKET_LINK_LOOP, {0, 0, 0, 2}, 4},
		{PACKET_LINK_LINUX_SLL, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, 16},
		{PACKET_LINK_LINUX_SLL2, {8, 0, 0, 0, 0, 0, 0, 1, 0, 1}, 20},
		{PACKET_LINK_PPP, {0xff, 3, 0, 0x21}, 4},
		{PACKET_LINK_PPP, {0, 0x21}, 2},
		{PACKET_LINK_PPP, {0x21}, 1},
		{PACKET_LINK_PPP_SERIAL, {0xff, 3, 0, 0x21}, 4},
		{PACKET_LINK_PPP_ETHER, {0x11, 0, 0, 1, 0, 30, 0, 0x21}, 8},
		{PACKET_LINK_C_HDLC, {0x0f, 0, 8, 0}, 4},
		{PACKET_LINK_EN10MB, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, 14},
	};

	for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++) {
		struct made m = {.link_type = links[i].link_type};
		memcpy(m.bytes, links[i].header, links[i].size);
		m.length = links[i].size;
		make_ip(&m, 17, NULL, 0);
		make_udp(&m, 0);
		make_end(&m);
		struct packet_view v = view_of(&m);
		ck_assert_msg(packet_has(&v, PACKET_UDP), "row %u", i);
		ck_assert_uint_eq(v.offset[PACKET_IP], links[i].size);
		ck_assert_uint_eq(v.ether_type, 0x0800);
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

UNIT_TESTS("packet/dissect", tcp_in_ethernet, of_stacked_tags_the_outermost_counts,
           padding_is_no_payload, a_frame_with_a_length_has_no_type, every_link_type_leads_to_ip,
           of_other_links_all_is_payload, ip6_extension_headers_are_walked,
           too_many_extension_headers_are_not_followed, later_fragments_have_no_transport_layer,
           of_a_tunnel_the_outer_header_is_meant, lengths_that_cannot_be_are_not_believed,
           headers_that_cannot_be_are_no_layers, a_layer_is_there_once_its_header_is,
           random_packets_are_seen_as_they_were_made)
