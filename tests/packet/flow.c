/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows: both directions, fragments, text, and a hash that another program computes, too. */
#include "unit.h"
#include "packet/make.h"

#include "packet/flow.h"

static struct packet_flow flow_of(struct packet_parts *parts, const struct made *m)
{
	struct packet_flow f;
	struct packet_view v;
	struct pt_msg msg = made_msg(m);
	packet_dissect(&msg, &v);
	packet_flow_of(parts, &msg, &v, &f);
	struct packet_flow quick;
	packet_flow(parts, &msg, &quick);
	ck_assert_mem_eq(&quick, &f, sizeof f);
	return f;
}

static const char *text_of(struct packet_parts *parts, const struct made *m)
{
	static char text[PACKET_FLOW_TEXT];
	struct packet_flow f = flow_of(parts, m);
	ck_assert_uint_eq(packet_flow_text(&f, text), strlen(text));
	return text;
}

static void turn(struct made *m)
{
	struct made before = *m;
	size_t size = m->version == 6 ? 16 : 4;
	memcpy(m->bytes + m->source, before.bytes + m->destination, size);
	memcpy(m->bytes + m->destination, before.bytes + m->source, size);
	if (m->transport) {
		memcpy(m->bytes + m->transport, before.bytes + m->transport + 2, 2);
		memcpy(m->bytes + m->transport + 2, before.bytes + m->transport, 2);
	}
}

static void assert_flow(const struct made *m, const char *text, uint64_t hash)
{
	struct made turned = *m;
	turn(&turned);
	struct packet_flow f = flow_of(NULL, m), back = flow_of(NULL, &turned);
	ck_assert_mem_eq(&f, &back, sizeof f);
	ck_assert_str_eq(text_of(NULL, m), text);
	ck_assert_str_eq(text_of(NULL, &turned), text);
	if (hash)
		ck_assert(packet_flow_hash(&f) == hash);
}

START_TEST(two_directions_are_one)
{
	struct made four = {0}, six = {.link_type = PACKET_LINK_IPV6},
		    ping = {.link_type = PACKET_LINK_RAW};
	make_tcp4(&four, 10);
	assert_flow(&four, "tcp-10.0.0.1.443-10.0.0.2.55312", UINT64_C(0x5bc0200efba040bb));
	make_ip6(&six, 17);
	make_udp(&six, 0);
	make_end(&six);
	assert_flow(&six, "udp-2001:db8::1.53-2001:db8::2.1024", UINT64_C(0xba709229f9b0dc19));
	make_ip(&ping, 1, NULL, 0);
	make_icmp(&ping, 8);
	make_end(&ping);
	assert_flow(&ping, "icmp-10.0.0.1-10.0.0.2", 0);
	ping.bytes[ping.ip + 9] = 253;
	assert_flow(&ping, "proto253-10.0.0.1-10.0.0.2", 0);
}
END_TEST

START_TEST(one_host_with_itself_is_ordered_by_port)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	memcpy(m.bytes + m.destination, m.bytes + m.source, 4);
	assert_flow(&m, "tcp-10.0.0.1.443-10.0.0.1.55312", 0);
}
END_TEST

START_TEST(tags_do_not_count)
{
	struct made plain = {0}, tagged = {0};
	make_tcp4(&plain, 0);
	make_ethernet(&tagged, 0x8100);
	put16(&tagged, 100), put16(&tagged, 0x0800);
	make_ip(&tagged, 6, NULL, 0);
	make_tcp(&tagged, 2, 0);
	make_end(&tagged);
	struct packet_flow a = flow_of(NULL, &plain), b = flow_of(NULL, &tagged);
	ck_assert_mem_eq(&a, &b, sizeof a);
}
END_TEST

START_TEST(what_has_no_ip_is_one_flow)
{
	struct made arp = {0}, text = {.link_type = PT_NO_LINK_TYPE};
	make_ethernet(&arp, 0x0806);
	put_random(&arp, 28);
	put_random(&text, 9);
	ck_assert_str_eq(text_of(NULL, &arp), "none");
	ck_assert_str_eq(text_of(NULL, &text), "none");
	struct packet_flow f = flow_of(NULL, &arp);
	ck_assert(packet_flow_hash(&f) == UINT64_C(0x68a914128e01e473));
}
END_TEST

/* Up to the ports, a capture that is cut has what counts. */
START_TEST(ports_are_enough)
{
	struct made m = {0};
	make_tcp4(&m, 0);
	m.length = m.transport + 4;
	ck_assert_str_eq(text_of(NULL, &m), "tcp-10.0.0.1.443-10.0.0.2.55312");
	m.length--;
	ck_assert_str_eq(text_of(NULL, &m), "tcp-10.0.0.1.0-10.0.0.2.0");
}
END_TEST

static struct made fragment4(unsigned id, unsigned offset)
{
	struct made m = {.link_type = PACKET_LINK_RAW};
	make_ip(&m, 17, NULL, 0);
	if (!offset)
		make_udp(&m, 100);
	put_random(&m, 24);
	make_end(&m);
	set16(&m, m.ip + 4, id);
	set16(&m, m.ip + 6, offset ? offset / 8 : 0x2000);
	return m;
}

/* The second header behind the fragment's: later ones have only its number. */
static struct made fragment6(uint32_t id, unsigned offset)
{
	struct made m = {.link_type = PACKET_LINK_IPV6};
	make_ip6(&m, 0);
	put8(&m, 44), put8(&m, 0), put_random(&m, 6);
	put8(&m, 60), put8(&m, 0), put16(&m, offset ? offset : 1), put32(&m, id);
	if (!offset) {
		put8(&m, 17), put8(&m, 0), put_random(&m, 6);
		make_udp(&m, 100);
	}
	put_random(&m, 24);
	m.transport = 0;
	make_end(&m);
	return m;
}

START_TEST(later_fragments_are_of_the_first_ones_flow)
{
	struct packet_parts *parts = packet_parts_new();
	struct made later = fragment4(7, 32), first = fragment4(7, 0), other = fragment4(8, 32);
	ck_assert_str_eq(text_of(parts, &later), "udp-10.0.0.1.0-10.0.0.2.0");
	ck_assert_str_eq(text_of(parts, &first), "udp-10.0.0.1.53-10.0.0.2.1024");
	ck_assert_str_eq(text_of(parts, &later), "udp-10.0.0.1.53-10.0.0.2.1024");
	ck_assert_str_eq(text_of(parts, &other), "udp-10.0.0.1.0-10.0.0.2.0");
	ck_assert_str_eq(text_of(NULL, &later), "udp-10.0.0.1.0-10.0.0.2.0");

	struct made first6 = fragment6(1, 0), later6 = fragment6(1, 32), other6 = fragment6(2, 32);
	ck_assert_str_eq(text_of(parts, &first6), "udp-2001:db8::1.53-2001:db8::2.1024");
	ck_assert_str_eq(text_of(parts, &later6), "udp-2001:db8::1.53-2001:db8::2.1024");
	ck_assert_str_eq(text_of(parts, &other6), "proto60-2001:db8::1-2001:db8::2");
	packet_parts_free(parts);
}
END_TEST

START_TEST(garbage_has_a_flow_too)
{
	struct packet_parts *parts = packet_parts_new();
	srandom(8);
	for (unsigned i = 0; i < TIMES(50000); i++) {
		struct made m;
		make_random(&m);
		for (unsigned hits = random_below(8); hits--;)
			m.bytes[random_below((uint32_t)m.length)] = (uint8_t)random();
		m.length = random_below((uint32_t)m.length + 1);
		uint8_t *bytes = exact(m.bytes, m.length);
		struct pt_msg msg = made_msg(&m);
		struct packet_view v;
		struct packet_flow f, quick;
		char text[PACKET_FLOW_TEXT];
		msg.bytes = bytes;
		packet_dissect(&msg, &v);
		packet_flow_of(parts, &msg, &v, &f);
		packet_flow(parts, &msg, &quick);
		ck_assert_mem_eq(&quick, &f, sizeof f);
		ck_assert_uint_lt(packet_flow_text(&f, text), sizeof text);
		exact_free(bytes, m.length);
	}
	packet_parts_free(parts);
}
END_TEST

UNIT_TESTS("packet/flow", two_directions_are_one, one_host_with_itself_is_ordered_by_port,
           tags_do_not_count, what_has_no_ip_is_one_flow, ports_are_enough,
           later_fragments_are_of_the_first_ones_flow, garbage_has_a_flow_too)
