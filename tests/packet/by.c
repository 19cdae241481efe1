/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of packets: where two headers are enough, they are what the whole packet gives. */
#include "unit.h"
#include "packet/make.h"

#include "packet/by.h"

static struct packet_by by_words(const char *const *words)
{
	struct packet_by by;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(packet_by_read(&by, (char *const *)(uintptr_t)words, "by", &err), 0);
	return by;
}

static void make_anything(struct made *m)
{
	make_random(m);
	for (unsigned hits = random_below(8); hits--;)
		m->bytes[random_below((uint32_t)m->length)] = (uint8_t)random();
	if (!random_below(4))
		m->link_type = (uint16_t)random_below(300);
	if (random_below(2))
		m->length = random_below((uint32_t)m->length + 1);
}

START_TEST(two_headers_are_enough_where_no_more_is_asked_for)
{
	static const char *const front[] = {"ip.src", "eth.dst", "host", "ip.ttl", NULL},
				 *const whole[] = {"ip.src", "eth.dst",   "host",
	                                           "ip.ttl", "tcp.dport", NULL};
	struct packet_by few = by_words(front), all = by_words(whole);
	ck_assert(!few.looks_behind && all.looks_behind);
	srandom(4);
	for (int i = 0; i < TIMES(20000); i++) {
		struct made m;
		uint8_t one[PACKET_BY_SIZE], other[PACKET_BY_SIZE];
		make_anything(&m);
		uint8_t *bytes = exact(m.bytes, m.length);
		struct pt_msg msg = made_msg(&m);
		msg.bytes = bytes;
		packet_by_key(&few, &msg, one);
		packet_by_key(&all, &msg, other);
		ck_assert_mem_eq(one, other, few.size);
		exact_free(bytes, m.length);
	}
	packet_by_free(&few);
	packet_by_free(&all);
}
END_TEST

UNIT_TESTS("packet/by", two_headers_are_enough_where_no_more_is_asked_for)
