/* SPDX-License-Identifier: BSD-2-Clause */
/* One line a packet, and nothing in it that a terminal would obey. */
#include "unit.h"
#include "packet/make.h"

static const char *summary(const struct made *m)
{
	static char line[512];
	struct pt_msg msg = made_msg(m);
	ck_assert_uint_eq(packet_summary(&msg, line, sizeof line), strlen(line));
	return line;
}

START_TEST(ip_with_its_transport)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	ck_assert_str_eq(summary(&m),
	                 "IP 10.0.0.1:443 > 10.0.0.2:55312 TCP SA seq=1 ack=2 win=64 len=0");

	struct made ping = {.link_type = PACKET_LINK_RAW};
	make_ip(&ping, 1, NULL, 0);
	make_icmp(&ping, 8);
	put_random(&ping, 56);
	make_end(&ping);
	ck_assert_str_eq(summary(&ping),
	                 "IP 10.0.0.1 > 10.0.0.2 ICMP echo-request id=7 seq=9 len=56");

	struct made six = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&six, 17);
	make_udp(&six, 3);
	put_random(&six, 3);
	make_end(&six);
	ck_assert_str_eq(summary(&six), "IP6 [2001:db8::1]:53 > [2001:db8::2]:1024 UDP len=3");
}
END_TEST

START_TEST(fragments_and_other_protocols)
{
	struct made m = {0};
	make_tcp4(&m, 12);
	set16(&m, m.ip + 6, 0x00b9);
	ck_assert_str_eq(summary(&m), "IP 10.0.0.1 > 10.0.0.2 TCP fragment len=32");

	struct made gre = {.link_type = PACKET_LINK_RAW};
	make_ip(&gre, 47, NULL, 0);
	put_random(&gre, 9);
	make_end(&gre);
	ck_assert_str_eq(summary(&gre), "IP 10.0.0.1 > 10.0.0.2 GRE len=9");
	gre.bytes[9] = 253;
	ck_assert_str_eq(summary(&gre), "IP 10.0.0.1 > 10.0.0.2 proto=253 len=9");
}
END_TEST

START_TEST(arp_asks_and_answers)
{
	struct made m = {0};
	make_ethernet(&m, 0x8100);
	put16(&m, 100), put16(&m, 0x0806);
	put16(&m, 1), put16(&m, 0x0800), put8(&m, 6), put8(&m, 4), put16(&m, 1);
	put16(&m, 0x0200), put32(&m, 5), put32(&m, 0xc0000201);
	put16(&m, 0), put32(&m, 0), put32(&m, 0xc0000202);
	ck_assert_str_eq(summary(&m), "VLAN 100 ARP who-has 192.0.2.2 tell 192.0.2.1");
	set16(&m, 18 + 6, 2);
	ck_assert_str_eq(summary(&m), "VLAN 100 ARP 192.0.2.1 is-at 02:00:00:00:00:05");
}
END_TEST

START_TEST(what_is_not_ip)
{
	struct made m = {0};
	make_ethernet(&m, 0x88cc);
	put_random(&m, 46);
	ck_assert_str_eq(summary(&m), "ETH 02:00:00:00:00:02 > 02:00:00:00:00:01 LLDP len=46");
	set16(&m, 12, 0x9999);
	ck_assert_str_eq(summary(&m),
	                 "ETH 02:00:00:00:00:02 > 02:00:00:00:00:01 type=0x9999 len=46");
	set16(&m, 12, 38);
	ck_assert_str_eq(summary(&m), "ETH 02:00:00:00:00:02 > 02:00:00:00:00:01 802.3 len=38");
	m.link_type = 105;
	ck_assert_str_eq(summary(&m), "IEEE802_11 len=60");
	m.link_type = 40000;
	ck_assert_str_eq(summary(&m), "link type 40000 len=60");
}
END_TEST

START_TEST(short_captures_say_so)
{
	struct made m = {0};
	char line[128];
	make_tcp4(&m, 1000 - 54);
	struct pt_msg msg = made_msg(&m);
	msg.length = 60;
	packet_summary(&msg, line, sizeof line);
	ck_assert_str_eq(line, "IP 10.0.0.1:443 > 10.0.0.2:55312 TCP SA seq=1 ack=2 win=64 len=946 "
	                       "(60 of 1000 bytes)");
}
END_TEST

START_TEST(plain_bytes_are_escaped)
{
	struct made m = {.link_type = PT_NO_LINK_TYPE, .bytes = "a\"\\\n\x1b\xff", .length = 6};
	ck_assert_str_eq(summary(&m), "6 bytes \"a\\\"\\\\\\x0a\\x1b\\xff\"");
}
END_TEST

START_TEST(a_line_is_cut_where_room_ends)
{
	struct made m = {0};
	char line[512], part[512];
	make_tcp4(&m, 0);
	struct pt_msg msg = made_msg(&m);
	size_t whole = packet_summary(&msg, line, sizeof line);

	for (size_t room = 1; room <= whole + 2; room++) {
		size_t length = room - 1 < whole ? room - 1 : whole;
		ck_assert_uint_eq(packet_summary(&msg, part, room), length);
		ck_assert_uint_eq(strlen(part), length);
		ck_assert_int_eq(strncmp(part, line, length), 0);
	}
	ck_assert_uint_eq(packet_summary(&msg, NULL, 0), 0);
}
END_TEST

START_TEST(garbage_is_printable)
{
	srandom(6);
	for (unsigned i = 0; i < TIMES(50000); i++) {
		struct made m;
		make_random(&m);
		for (unsigned hits = random_below(8); hits--;)
			m.bytes[random_below((uint32_t)m.length)] = (uint8_t)random();
		m.length = random_below((uint32_t)m.length + 1);
		m.link_type = random_below(4) ? 1 : (uint16_t)random_below(300);
		for (const char *c = summary(&m); *c; c++)
			ck_assert(*c >= ' ' && *c <= '~');
	}
}
END_TEST

UNIT_TESTS("packet/summary", ip_with_its_transport, fragments_and_other_protocols,
           arp_asks_and_answers, what_is_not_ip, short_captures_say_so, plain_bytes_are_escaped,
           a_line_is_cut_where_room_ends, garbage_is_printable)
