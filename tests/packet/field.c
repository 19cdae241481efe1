/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields by name, their values from packets, and as text. */
#include "unit.h"
#include "packet/make.h"

static const char *read_as_text(const struct made *m, const char *dotted)
{
	static char text[64];
	struct packet_view v;
	struct packet_value value;
	const struct packet_field *field = packet_field_get(dotted, NULL);

	ck_assert_ptr_nonnull(field);
	packet_dissect_bytes(m->bytes, m->length, m->link_type, &v);
	if (!packet_read(m->bytes, &v, field, &value))
		return "none";
	packet_value_print(field, &value, text, sizeof text);
	return text;
}

static void expect(const struct made *m, const char *fields[][2])
{
	for (; (*fields)[0]; fields++) {
		const char *text = read_as_text(m, (*fields)[0]);
		ck_assert_msg(!strcmp(text, (*fields)[1]), "%s is %s, not %s", (*fields)[0], text,
		              (*fields)[1]);
	}
}

START_TEST(of_tcp_in_ip_in_a_vlan)
{
	struct made m = {0};
	make_ethernet(&m, 0x8100);
	put16(&m, 0x7064), put16(&m, 0x0800);
	make_ip(&m, 6, NULL, 0);
	m.bytes[m.ip + 1] = 0xb9;
	make_tcp(&m, 0x112, 4);
	make_end(&m);
	expect(&m, (const char *[][2]){
			   {"eth.src", "02:00:00:00:00:02"},
			   {"eth.dst", "02:00:00:00:00:01"},
			   {"eth.type", "33024"},
			   {"vlan.id", "100"},
			   {"vlan.vlan", "100"},
			   {"vlan.priority", "3"},
			   {"vlan.prio", "3"},
			   {"vlan.dei", "true"},
			   {"vlan.type", "2048"},
			   {"ip.src", "10.0.0.1"},
			   {"ip.dst", "10.0.0.2"},
			   {"ip.ttl", "64"},
			   {"ip.tos", "185"},
			   {"ip.dscp", "46"},
			   {"ip.ecn", "1"},
			   {"ip.id", "4660"},
			   {"ip.len", "44"},
			   {"ip.proto", "6"},
			   {"ip.flags", "2"},
			   {"ip.df", "true"},
			   {"ip.mf", "false"},
			   {"ip.frag", "0"},
			   {"ip.version", "4"},
			   {"ip.ihl", "5"},
			   {"tcp.sport", "443"},
			   {"tcp.dport", "55312"},
			   {"tcp.seq", "1"},
			   {"tcp.ack", "2"},
			   {"tcp.dataofs", "6"},
			   {"tcp.flags", "274"},
			   {"tcp.syn", "true"},
			   {"tcp.ackflag", "true"},
			   {"tcp.fin", "false"},
			   {"tcp.ns", "true"},
			   {"tcp.reserved", "0"},
			   {"tcp.window", "64"},
			   {"tcp.urgptr", "0"},
			   {"udp.sport", "none"},
			   {"ip6.src", "none"},
			   {NULL},
		   });
}
END_TEST

START_TEST(of_udp_and_icmp6_in_ip6)
{
	struct made m = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&m, 17);
	m.bytes[0] = 0x6b, m.bytes[1] = 0x91, m.bytes[2] = 0x23, m.bytes[3] = 0x45;
	make_udp(&m, 0);
	make_end(&m);
	expect(&m, (const char *[][2]){
			   {"ip6.version", "6"},
			   {"ip6.tc", "185"},
			   {"ip6.dscp", "46"},
			   {"ip6.ecn", "1"},
			   {"ip6.fl", "74565"},
			   {"ip6.plen", "8"},
			   {"ip6.nh", "17"},
			   {"ip6.hlim", "64"},
			   {"ip6.src", "2001:db8::1"},
			   {"ip6.dst", "2001:db8::2"},
			   {"udp.sport", "53"},
			   {"udp.dport", "1024"},
			   {"udp.len", "8"},
			   {"eth.src", "none"},
			   {NULL},
		   });

	struct made ping = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&ping, 58);
	make_icmp(&ping, 129);
	make_end(&ping);
	expect(&ping, (const char *[][2]){{"icmp6.type", "129"},
	                                  {"icmp6.code", "0"},
	                                  {"icmp6.id", "7"},
	                                  {"icmp6.seq", "9"},
	                                  {NULL}});
}
END_TEST

START_TEST(of_arp)
{
	struct made m = {0};
	make_ethernet(&m, 0x0806);
	put16(&m, 1), put16(&m, 0x0800), put8(&m, 6), put8(&m, 4), put16(&m, 2);
	put16(&m, 0x0200), put32(&m, 5), put32(&m, 0xc0000201);
	put16(&m, 0x0200), put32(&m, 6), put32(&m, 0xc0000202);
	expect(&m, (const char *[][2]){
			   {"arp.op", "2"},
			   {"arp.hwtype", "1"},
			   {"arp.ptype", "2048"},
			   {"arp.hwlen", "6"},
			   {"arp.plen", "4"},
			   {"arp.hwsrc", "02:00:00:00:00:05"},
			   {"arp.psrc", "192.0.2.1"},
			   {"arp.hwdst", "02:00:00:00:00:06"},
			   {"arp.pdst", "192.0.2.2"},
			   {NULL},
		   });
}
END_TEST

START_TEST(only_icmp_queries_have_an_identifier)
{
	static const struct {
		unsigned type;
		const char *id;
	} rows[] = {{8, "7"}, {0, "7"}, {13, "7"}, {3, "none"}, {11, "none"}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct made m = {.link_type = PACKET_LINK_RAW};
		make_ip(&m, 1, NULL, 0);
		make_icmp(&m, rows[i].type);
		make_end(&m);
		ck_assert_str_eq(read_as_text(&m, "icmp.id"), rows[i].id);
	}
}
END_TEST

START_TEST(an_unknown_field_is_told_with_the_nearest)
{
	struct pt_error err = PT_ERROR_INIT;

	ck_assert_ptr_null(packet_field_get("ip.scr", &err));
	ck_assert_int_eq(err.faults[0].code, -PT_EPARAM);
	ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "did you mean 'ip.src'?"));
	ck_assert_ptr_null(packet_field_get("ip", &err));
	ck_assert_ptr_null(packet_field_get("", &err));
	ck_assert_ptr_null(packet_field("ip", "sport"));
	pt_error_clear(&err);
}
END_TEST

START_TEST(names_are_unique_and_fields_fit_their_bytes)
{
	for (const struct packet_field *f = packet_fields; f->name; f++) {
		ck_assert_ptr_eq(packet_field(f->layer, f->name), f);
		ck_assert_uint_le(f->shift + f->bits, f->size * 8u);
	}
}
END_TEST

START_TEST(text_is_read)
{
	static const struct {
		const char *field, *text, *printed; /* NULL: refused */
	} rows[] = {
		{"tcp.dport", "443", "443"},
		{"tcp.dport", "0x10", "16"},
		{"tcp.dport", "010", "10"},
		{"tcp.dport", "65535", "65535"},
		{"tcp.dport", "65536", NULL},
		{"tcp.dport", "99999999999999999999999", NULL},
		{"tcp.dport", "-1", NULL},
		{"tcp.dport", "+1", NULL},
		{"tcp.dport", " 1", NULL},
		{"tcp.dport", "1 ", NULL},
		{"tcp.dport", "", NULL},
		{"tcp.dport", "0x", NULL},
		{"tcp.dport", "0x0x1", NULL},
		{"tcp.dport", "https", NULL},
		{"ip.dscp", "64", NULL},
		{"tcp.flags", "SA", "18"},
		{"tcp.flags", "SX", NULL},
		{"tcp.flags", "512", NULL},
		{"tcp.syn", "true", "true"},
		{"tcp.syn", "0", "false"},
		{"tcp.syn", "2", NULL},
		{"ip.src", "1.1.1.1", "1.1.1.1"},
		{"ip.src", "1.1.1", NULL},
		{"ip.src", "1.1.1.256", NULL},
		{"ip.src", "fe80::1", NULL},
		{"ip6.src", "FE80:0:0::1", "fe80::1"},
		{"ip6.src", "1.1.1.1", NULL},
		{"ip6.src", "fe80::1%lo", NULL},
		{"eth.src", "00:11:22:AA:bb:c", "00:11:22:aa:bb:0c"},
		{"eth.src", "00-11-22-33-44-55", "00:11:22:33:44:55"},
		{"eth.src", "00:11:22:33:44", NULL},
		{"eth.src", "00:11:22:33:44:55:66", NULL},
		{"eth.src", "00:11:22:33:44:555", NULL},
		{"eth.src", "00:11:22:33:44:0x", NULL},
		{"eth.src", "0:-1:22:33:44:55", NULL},
		{"eth.src", "00:11-22:33:44:55", NULL},
		{"eth.src", "", NULL},
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct packet_field *field = packet_field_get(rows[i].field, NULL);
		struct pt_error err = PT_ERROR_INIT;
		struct packet_value value;
		char text[64] = "";
		int code = packet_value_parse(field, rows[i].text, &value, &err);
		if (code == 0)
			packet_value_print(field, &value, text, sizeof text);
		ck_assert_msg(code == (rows[i].printed ? 0 : -PT_EPARAM), "%s '%s' gave %d",
		              rows[i].field, rows[i].text, code);
		ck_assert_uint_eq(err.count, rows[i].printed ? 0 : 1);
		ck_assert_str_eq(text, rows[i].printed ? rows[i].printed : "");
		pt_error_clear(&err);
	}
}
END_TEST

UNIT_TESTS("packet/field", of_tcp_in_ip_in_a_vlan, of_udp_and_icmp6_in_ip6, of_arp,
           only_icmp_queries_have_an_identifier, an_unknown_field_is_told_with_the_nearest,
           names_are_unique_and_fields_fit_their_bytes, text_is_read)
