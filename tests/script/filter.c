/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters match as tcpdump's do, whatever the link type. */
#include "script/filter.h"

#include "script/run.h"

static struct filter *filter(const char *text)
{
	struct filter *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(!filter_new(text, &f, &err), "%s", pt_error_text(&err, ""));
	return f;
}

static int matches(const char *text, struct pt_msg *m)
{
	struct filter *f = filter(text);
	int rc = filter_test(f, m, NULL);
	filter_free(f);
	return rc;
}

START_TEST(packets_match_or_not)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *udp = PACKET(pool, UDP_PACKET), *tcp = PACKET(pool, TCP6_PACKET);
	ck_assert_int_eq(matches("udp port 53", udp), 1);
	ck_assert_int_eq(matches("udp port 54", udp), 0);
	ck_assert_int_eq(matches("ip6", udp), 0);
	ck_assert_int_eq(matches("vlan 7 and ip6 and tcp dst port 443", tcp), 1);
	ck_assert_int_eq(matches("", udp), 1);
	pt_msg_unref(udp);
	pt_msg_unref(tcp);
	pool_free(pool);
}
END_TEST

/* Where it has no header for it: tcpdump refuses that of files. */
START_TEST(a_direction_is_told_or_refused)
{
	static const char *const texts[] = {"inbound", "not outbound", "ip and outbound"};
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *ether = PACKET(pool, UDP_PACKET);
	struct pt_msg *radio = pt_msg_packet(pool, (const uint8_t[40]){[2] = 8}, 40, 40, 127, 0);
	struct pt_msg *cooked = pt_msg_packet(pool, (const uint8_t[16]){[5] = 6}, 16, 16, 113, 0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_error err = PT_ERROR_INIT;
		struct filter *f = filter(texts[i]);
		ck_assert_int_lt(filter_test(f, ether, &err), 0);
		ck_assert_ptr_nonnull(
			strstr(pt_error_text(&err, ""), "does not tell its direction"));
		pt_error_clear(&err);
		ck_assert_int_lt(filter_test(f, radio, NULL), 0);
		ck_assert_int_eq(filter_test(f, cooked, NULL), i < 2);
		filter_free(f);
	}
	pt_msg_unref(ether);
	pt_msg_unref(radio);
	pt_msg_unref(cooked);
	pool_free(pool);
}
END_TEST

/* With a family in either byte order, of any system. */
START_TEST(loopbacks_of_all_systems_are_known)
{
	static const uint8_t families[] = {24, 28, 30, 10};
	struct pt_pool *pool = pool_new(0);
	for (unsigned i = 0; i < 3 * sizeof families; i++) {
		uint8_t bytes[4 + 40 + 8] = {[4] = 0x60, [9] = 8, [10] = 17, [45] = 53};
		bool is_loop = i % 3 == 2, big = i % 3;
		if (i % 3 == 1 && families[i / 3] == 10)
			continue; /* no file of Linux is of the other order */
		bytes[big ? 3 : 0] = families[i / 3];
		struct pt_msg *m = pt_msg_packet(pool, bytes, sizeof bytes, sizeof bytes,
		                                 is_loop ? PACKET_LINK_LOOP : PACKET_LINK_NULL, 0);
		ck_assert_int_eq(matches("ip6", m), 1);
		ck_assert_int_eq(matches("not ip6", m), 0);
		ck_assert_int_eq(matches("udp port 53", m), 1);
		ck_assert_int_eq(matches("ip", m), 0);
		ck_assert_int_eq(matches("not ip", m), 1);
		pt_msg_unref(m);
	}
	for (unsigned big = 0; big < 2; big++) {
		uint8_t bytes[4 + 20] = {[4] = 0x45, [13] = 17};
		bytes[3 * big] = 2;
		struct pt_msg *m = pt_msg_packet(pool, bytes, sizeof bytes, sizeof bytes, 0, 0);
		ck_assert_int_eq(matches("ip and udp", m), 1);
		ck_assert_int_eq(matches("ip6", m), 0);
		pt_msg_unref(m);
	}
	pool_free(pool);
}
END_TEST

START_TEST(a_broadcast_is_one_in_every_net)
{
	struct pt_pool *pool = pool_new(0);
	uint8_t bytes[20] = {0x45, [16] = 255, 255, 255, 255};
	struct pt_msg *all = pt_msg_packet(pool, bytes, sizeof bytes, sizeof bytes, 101, 0);
	bytes[16] = 10;
	struct pt_msg *one = pt_msg_packet(pool, bytes, sizeof bytes, sizeof bytes, 101, 0);
	ck_assert_int_eq(matches("ip broadcast", all), 1);
	ck_assert_int_eq(matches("ip broadcast", one), 0);
	pt_msg_unref(all);
	pt_msg_unref(one);
	pool_free(pool);
}
END_TEST

START_TEST(an_interface_is_told_or_refused)
{
	struct pt_pool *pool = pool_new(0);
	struct filter *f = filter("ifindex 3");
	struct pt_msg *cooked = pt_msg_packet(pool, (const uint8_t[20]){[7] = 3}, 20, 20, 276, 0);
	struct pt_msg *radio = pt_msg_packet(pool, (const uint8_t[40]){[2] = 8}, 40, 40, 127, 0);
	ck_assert_int_eq(filter_test(f, cooked, NULL), 1);
	ck_assert_int_lt(filter_test(f, radio, NULL), 0);
	pt_msg_unref(cooked);
	pt_msg_unref(radio);
	filter_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(link_types_come_mixed)
{
	struct pt_pool *pool = pool_new(0);
	struct filter *f = filter("udp src port 53");
	struct pt_msg *ether = PACKET(pool, UDP_PACKET);
	const uint8_t *ip = ether->bytes + 14;
	size_t length = ether->length - 14;
	struct pt_msg *raw = pt_msg_packet(pool, ip, length, length, PACKET_LINK_RAW, 0);
	struct pt_msg *plain = pt_msg_new(pool, ip, length);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(filter_test(f, ether, NULL), 1);
		ck_assert_int_eq(filter_test(f, raw, NULL), 1);
		ck_assert_int_eq(filter_test(f, plain, NULL), 0);
	}
	raw->link_type = PACKET_LINK_IPV4;
	ck_assert_int_eq(filter_test(f, raw, NULL), 1);
	for (unsigned type = 0; type < 300; type++) { /* more than are kept; some have no packets */
		raw->link_type = (uint16_t)type;
		ck_assert_int_le(filter_test(f, raw, NULL), 1);
	}
	ck_assert_int_eq(filter_test(f, ether, NULL), 1);
	pt_msg_unref(ether);
	pt_msg_unref(raw);
	pt_msg_unref(plain);
	filter_free(f);
	pool_free(pool);
}
END_TEST

/* In runs of any length, of link types that the filter is for, is not for, and of no packets. */
START_TEST(many_match_as_each_does)
{
	static const uint16_t types[] = {1, PACKET_LINK_RAW, 105, PT_NO_LINK_TYPE};
	struct pt_pool *pool = pool_new(0);
	struct filter *f = filter("ether src 02:00:00:00:00:01 or not udp");
	struct pt_msg *messages[64];
	uint64_t unsure, passed;
	srandom(4);
	for (unsigned n = 0; n < 64; n++)
		messages[n] = random() % 2 ? PACKET(pool, UDP_PACKET) : PACKET(pool, TCP6_PACKET);
	for (unsigned round = 0; round < TIMES(1000); round++) {
		unsigned count = round % 64 + 1;
		for (unsigned n = 0; n < count; n++)
			messages[n]->link_type = n && random() % 6 ? messages[n - 1]->link_type
			                                           : types[random() % 4];
		passed = filter_test_many(f, messages, count, &unsure);
		ck_assert_uint_eq(passed & unsure, 0);
		ck_assert_uint_eq((passed | unsure) & ~(UINT64_MAX >> (64 - count)), 0);
		for (unsigned n = 0; n < count; n++)
			if (!(unsure >> n & 1))
				ck_assert_int_eq(filter_test(f, messages[n], NULL),
				                 (int)(passed >> n & 1));
	}
	for (unsigned n = 0; n < 64; n++)
		messages[n]->link_type = 1;
	filter_test_many(f, messages, 64, &unsure);
	ck_assert_uint_eq(unsure, 0);
	for (unsigned n = 0; n < 64; n++)
		pt_msg_unref(messages[n]);
	filter_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(the_length_on_the_wire_counts)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = pt_msg_packet(pool, UDP_PACKET, sizeof UDP_PACKET - 1, 1000, 1, 0);
	ck_assert_int_eq(matches("greater 1000", m), 1);
	ck_assert_int_eq(matches("greater 1001", m), 0);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(a_filter_that_is_wrong_is_refused)
{
	struct filter *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(filter_new("tcp and and", &f, &err), -PT_ESCRIPT);
	ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "syntax error"));
	pt_error_clear(&err);
	char long_text[10000];
	memset(long_text, ' ', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	ck_assert_int_eq(filter_new(long_text, &f, NULL), -PT_ELIMIT);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(a_filter_for_another_link_type_is_an_error_there_alone)
{
	struct pt_pool *pool = pool_new(0);
	struct filter *f = filter("type mgt subtype beacon"); /* of 802.11 */
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	struct pt_error err = PT_ERROR_INIT;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(filter_test(f, m, &err), -PT_ESCRIPT);
		ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "link type 1: "));
		pt_error_clear(&err);
	}
	m->link_type = 105;
	ck_assert_int_eq(filter_test(f, m, NULL), 0);
	pt_msg_unref(m);
	filter_free(f);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("script/filter", packets_match_or_not, a_direction_is_told_or_refused,
           loopbacks_of_all_systems_are_known, a_broadcast_is_one_in_every_net,
           an_interface_is_told_or_refused, link_types_come_mixed, many_match_as_each_does,
           the_length_on_the_wire_counts, a_filter_that_is_wrong_is_refused,
           a_filter_for_another_link_type_is_an_error_there_alone)
