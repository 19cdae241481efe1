/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums follow what they cover, whatever that is, and can be computed anew. */
#include "unit.h"
#include "packet/make.h"

static unsigned get16(const struct made *m, size_t at)
{
	return (unsigned)(m->bytes[at] << 8 | m->bytes[at + 1]);
}

static struct packet_view view_of(const struct made *m)
{
	struct packet_view v;
	packet_dissect_bytes(m->bytes, m->length, m->link_type, &v);
	return v;
}

static void set(struct made *m, const char *dotted, const char *text)
{
	struct packet_view v = view_of(m);
	struct packet_set one = {.field = packet_field_get(dotted, NULL)};
	ck_assert_int_eq(packet_value_parse(one.field, text, &one.value, NULL), 0);
	ck_assert(packet_rewrite(m->bytes, m->length, &v, &one, 1));
}

static bool anew(struct made *m)
{
	struct packet_view v = view_of(m);
	return packet_checksums(m->bytes, m->length, &v);
}

static uint32_t pseudo_sum(const struct made *m, size_t length)
{
	size_t address = m->version == 6 ? 16 : 4;
	return made_sum(m->bytes + m->source, address) +
	       made_sum(m->bytes + m->destination, address) + (uint32_t)length + m->proto;
}

/* ---- protocols ---- */

struct message {
	const char *name;
	unsigned version, proto;
	const char *bytes;  /* with a checksum of 0 */
	size_t at, covered; /* 0: all */
	bool plain;         /* no pseudo-header */
	size_t length;      /* in the pseudo-header; 0: the message's */
};

static const struct message messages[] = {
	{"UDP-Lite, all", 6, 136, "0001 0002 0000 0000 61626364", 6},
	{"UDP-Lite, its header", 6, 136, "0001 0002 0008 0000 61626364", 6, 8},
	{"UDP-Lite, a part", 4, 136, "0001 0002 0009 0000 61626364", 6, 9},
	{"DCCP, all", 6, 33, "0001 0002 04 00 0000 00000000 00000000 6162", 6},
	{"DCCP, its header", 4, 33, "0001 0002 04 01 0000 00000000 00000000 6162", 6, 16},
	{"DCCP, a word more", 4, 33, "0001 0002 04 02 0000 00000000 00000000 6162636465", 6, 20},
	{"OSPFv3", 6, 89,
         "03010024 0a000001 00000000 0000 0000 00000001 01000013 000a0028 00000000"
         "00000000",
         12},
	{"PIM", 6, 103, "2000 0000 0001 0002 0069 0014 0004 11223344", 2},
	{"PIM, register", 6, 103, "2100 0000 00000000 60000000 0000 3b 40", 2, 8, false, 8},
	{"PIM over IPv4", 4, 103, "2000 0000 0001 0002 0069 0014 0004 11223344", 2, 0, true},
	{"VRRPv3", 6, 112, "31016401 000a 0000 fe800000000000000000000000000001", 6},
	{"VRRPv3 over IPv4", 4, 112, "31016401 000a 0000 c0000201", 6},
	{"VRRPv3 over IPv4, plain", 4, 112, "31016401 000a 0000 c0000201", 6, 0, true},
	{"VRRPv2", 4, 112, "21016401 0001 0000 c0000201 0000000000000000", 6, 0, true},
	{"Mobility Header", 6, 135, "3b 00 00 00 0000 0000", 4},
	{"HIP", 6, 139,
         "3b 04 01 11 0000 0000 0000000000000000000000000000000000000000000000000000"
         "0000000000001234",
         4},
	{"HIP over IPv4", 4, 139, "3b 00 01 11 0000 0000", 4},
	{"IGMP", 4, 2, "16 00 0000 e0000116", 2, 0, true},
};

static void make_message(struct made *m, const struct message *message)
{
	m->link_type = PACKET_LINK_RAW;
	if (message->version == 6)
		make_ip6(m, message->proto);
	else
		make_ip(m, message->proto, NULL, 0);
	m->transport = m->length;
	put_hex(m, message->bytes);
	size_t length = m->length - m->transport;
	m->end = m->length;
	set16(m, m->ip + (message->version == 6 ? 4 : 2),
	      (unsigned)(message->version == 6 ? length : length + 20));
}

static unsigned right_sum(const struct made *m, const struct message *message)
{
	struct made copy = *m;
	size_t length = m->length - m->transport;
	size_t covered = message->covered ? message->covered : length;
	set16(&copy, m->transport + message->at, 0);
	unsigned sum = checksum_of(
		made_sum(copy.bytes + m->transport, covered) +
		(message->plain ? 0 : pseudo_sum(m, message->length ? message->length : length)));
	return message->proto == 136 && !sum ? 0xffff : sum;
}

static void set_addresses(struct made *m)
{
	bool six = m->version == 6;
	set(m, six ? "ip6.src" : "ip.src", six ? "2001:db8:9::7" : "203.0.113.77");
	set(m, six ? "ip6.dst" : "ip.dst", six ? "2001:db8:9::8" : "198.51.100.8");
}

START_TEST(every_protocols_checksum_follows_the_addresses)
{
	for (unsigned i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct made m = {0};
		make_message(&m, &messages[i]);
		size_t at = m.transport + messages[i].at;
		set16(&m, at, right_sum(&m, &messages[i]));
		set_addresses(&m);
		ck_assert_msg(get16(&m, at) == right_sum(&m, &messages[i]), "%s: %04x, not %04x",
		              messages[i].name, get16(&m, at), right_sum(&m, &messages[i]));
	}
}
END_TEST

START_TEST(every_protocols_checksum_is_computed_anew)
{
	for (unsigned i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct made m = {0};
		make_message(&m, &messages[i]);
		size_t at = m.transport + messages[i].at;
		set16(&m, at, 0x1234);
		if (messages[i].plain) /* which of two it is can be seen in what was right */
			set16(&m, at, right_sum(&m, &messages[i]));
		anew(&m);
		ck_assert_msg(get16(&m, at) == right_sum(&m, &messages[i]), "%s: %04x, not %04x",
		              messages[i].name, get16(&m, at), right_sum(&m, &messages[i]));
		ck_assert(!anew(&m));
	}
}
END_TEST

/* The home address is what the pseudo-header has, and the last of a route that is not used up. */
START_TEST(a_host_that_is_elsewhere_has_its_home_address)
{
	struct made m = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&m, 43);
	put8(&m, 60), put8(&m, 2), put8(&m, 2), put8(&m, 1), put32(&m, 0);
	m.destination = m.length;
	put_random(&m, 16);
	put8(&m, 135), put8(&m, 2), put16(&m, 0x0102), put16(&m, 0), put8(&m, 0xc9), put8(&m, 16);
	m.source = m.length;
	put_random(&m, 16);
	m.proto = 135;
	m.transport = m.length;
	put_hex(&m, "3b 01 05 00 0000 0001 8000 003c 01 02 0000");
	m.end = m.length;
	set16(&m, m.ip + 4, (unsigned)(m.end - m.ip - 40));
	const struct message update = {.version = 6, .proto = 135, .at = 4};
	set16(&m, m.transport + 4, right_sum(&m, &update));
	unsigned before = get16(&m, m.transport + 4);

	set_addresses(&m);
	ck_assert_uint_eq(get16(&m, m.transport + 4), before);
	set16(&m, m.transport + 4, 0);
	ck_assert(anew(&m));
	ck_assert_uint_eq(get16(&m, m.transport + 4), before);
}
END_TEST

/* ---- left to the network card ---- */

static unsigned folded(uint32_t sum)
{
	return ~checksum_of(sum) & 0xffff;
}

static void make_offloaded(struct made *m, unsigned version, unsigned proto, bool with_length)
{
	m->link_type = PACKET_LINK_RAW;
	if (version == 6)
		make_ip6(m, proto);
	else
		make_ip(m, proto, NULL, 0);
	if (proto == 6)
		make_tcp(m, 0x18, 0);
	else
		make_udp(m, 32);
	put_random(m, 32);
	make_end(m);
	size_t length = with_length ? m->end - m->transport : 0;
	set16(m, made_checksum(m), folded(pseudo_sum(m, length)));
}

static void check_offloaded(unsigned version, unsigned proto, bool with_length)
{
	struct made m = {0};
	make_offloaded(&m, version, proto, with_length);
	size_t length = with_length ? m.end - m.transport : 0;
	struct packet_view v = view_of(&m);
	uint8_t payload[32] = {1, 2, 3};

	set_addresses(&m);
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), folded(pseudo_sum(&m, length)));
	set(&m, proto == 6 ? "tcp.dport" : "udp.dport", "4242");
	packet_rewrite_payload(m.bytes, &v, payload);
	ck_assert_mem_eq(m.bytes + v.offset[PACKET_PAYLOAD], payload, sizeof payload);
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), folded(pseudo_sum(&m, length)));
	ck_assert(anew(&m));
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), made_transport_sum(&m));
}

START_TEST(what_is_left_to_the_card_stays_so)
{
	for (unsigned i = 0; i < 8; i++)
		check_offloaded(i & 1 ? 6 : 4, i & 2 ? 6 : 17, i & 4);
}
END_TEST

/* A checksum that is right by all it covers and has the pseudo-header's sum by chance is right. */
START_TEST(what_looks_left_to_the_card_and_is_right_is_adjusted)
{
	struct made m = {0};
	make_offloaded(&m, 4, 6, true);
	unsigned wanted = get16(&m, made_checksum(&m));
	set16(&m, m.end - 2, 0);
	unsigned missing = made_transport_sum(&m);
	set16(&m, m.end - 2, folded(missing + (~wanted & 0xffff))); /* so that it comes to that */
	ck_assert_uint_eq(made_transport_sum(&m), wanted);

	set_addresses(&m);
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), made_transport_sum(&m));
}
END_TEST

/* ---- payloads ---- */

static void write_random(struct made *m)
{
	struct packet_view v = view_of(m);
	uint8_t payload[64];
	ck_assert_uint_le(v.payload_length, sizeof payload);
	for (uint32_t i = 0; i < v.payload_length; i++)
		payload[i] = (uint8_t)random();
	packet_rewrite_payload(m->bytes, &v, payload);
	ck_assert_mem_eq(m->bytes + v.offset[PACKET_PAYLOAD], payload, v.payload_length);
}

START_TEST(any_payload_comes_out_right)
{
	srandom(1);
	for (unsigned i = 0; i < TIMES(40000); i++) { /* a sum of 0 too */
		struct made m;
		make_random(&m);
		write_random(&m);
		ck_assert_uint_eq(get16(&m, made_checksum(&m)),
		                  m.checksum_off ? 0 : made_transport_sum(&m));
	}
}
END_TEST

START_TEST(a_wrong_checksum_stays_wrong)
{
	struct made m = {0};
	make_tcp4(&m, 33);
	m.bytes[made_checksum(&m)] ^= 0x10;
	unsigned off =
		checksum_of(get16(&m, made_checksum(&m)) + (~made_transport_sum(&m) & 0xffff));
	write_random(&m);
	set(&m, "ip.src", "192.0.2.7");
	ck_assert_uint_eq(off, checksum_of(get16(&m, made_checksum(&m)) +
	                                   (~made_transport_sum(&m) & 0xffff)));
}
END_TEST

START_TEST(bytes_behind_the_datagram_do_not_count)
{
	struct made m = {.link_type = PACKET_LINK_RAW};
	make_ip(&m, 17, NULL, 0);
	make_udp(&m, 3);
	put_hex(&m, "6162636465");
	make_end(&m);
	m.end -= 2;
	made_fix(&m);
	struct packet_view v = view_of(&m);
	ck_assert_uint_eq(v.payload_length, 3);
	v.payload_length = 5;
	unsigned before = get16(&m, made_checksum(&m));

	packet_rewrite_payload(m.bytes, &v, "abcXY");
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), before);
	packet_rewrite_payload(m.bytes, &v, "abdXY");
	ck_assert_uint_eq(get16(&m, made_checksum(&m)), made_transport_sum(&m));
}
END_TEST

/* ---- anew ---- */

static bool is_part(const struct made *m)
{
	struct packet_view v = view_of(m);
	return v.part;
}

START_TEST(anew_is_what_it_was_made_with)
{
	srandom(4);
	for (unsigned i = 0; i < TIMES(40000); i++) {
		struct made m, wanted;
		make_random(&m);
		if (m.version == 6)
			m.checksum_off = false; /* IPv6 wants one */
		made_fix(&m);
		wanted = m;
		if (m.version == 4)
			m.bytes[m.ip + 10] ^= (uint8_t)random();
		if (!m.checksum_off && !is_part(&m))
			set16(&m, made_checksum(&m), random_below(0x10000));
		anew(&m);
		ck_assert_mem_eq(m.bytes, wanted.bytes, m.length);
		ck_assert(!anew(&m));
	}
}
END_TEST

START_TEST(what_is_not_all_there_is_left_alone)
{
	struct made m = {0};
	make_tcp4(&m, 20);
	set16(&m, made_checksum(&m), 0x1234);
	set16(&m, m.ip + 10, 0);
	struct made cut = m, part = m, header = m;

	cut.length -= 1;
	ck_assert(anew(&cut));
	ck_assert_uint_eq(get16(&cut, made_checksum(&m)), 0x1234);
	ck_assert_uint_ne(get16(&cut, m.ip + 10), 0);
	set16(&part, part.ip + 6, 0x2000);
	ck_assert(anew(&part));
	ck_assert_uint_eq(get16(&part, made_checksum(&m)), 0x1234);
	header.bytes[m.ip] = 0x4f; /* as long as the capture is not */
	header.length = m.ip + 40;
	ck_assert(!anew(&header));
}
END_TEST

UNIT_TESTS("packet/checksum", every_protocols_checksum_follows_the_addresses,
           every_protocols_checksum_is_computed_anew, a_host_that_is_elsewhere_has_its_home_address,
           what_is_left_to_the_card_stays_so, what_looks_left_to_the_card_and_is_right_is_adjusted,
           any_payload_comes_out_right, a_wrong_checksum_stays_wrong,
           bytes_behind_the_datagram_do_not_count, anew_is_what_it_was_made_with,
           what_is_not_all_there_is_left_alone)
