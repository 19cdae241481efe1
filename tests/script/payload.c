/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksum after a payload is written is that of the whole, counted anew. */
#include "script/payload.h"

#include "script/run.h"

static void write_random(struct pt_msg *m)
{
	struct packet_view v;
	uint8_t payload[64];
	packet_dissect(m, &v);
	ck_assert_uint_le(v.payload_length, sizeof payload);
	for (uint32_t i = 0; i < v.payload_length; i++)
		payload[i] = (uint8_t)random();
	payload_write(pt_msg_edit(&m), &v, payload);
	ck_assert_mem_eq(m->bytes + v.offset[PACKET_PAYLOAD], payload, v.payload_length);
}

START_TEST(any_payload_comes_out_right)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *udp = PACKET(pool, UDP_PACKET), *tcp = PACKET(pool, TCP6_PACKET);
	srandom(1);
	for (int i = 0; i < 70000; i++) { /* a sum of 0 too */
		write_random(udp);
		ck_assert(sum_is_right(udp));
		ck_assert_uint_ne(udp->bytes[40] << 8 | udp->bytes[41], 0);
		write_random(tcp);
		ck_assert(sum_is_right(tcp));
	}
	pt_msg_unref(udp);
	pt_msg_unref(tcp);
	pool_free(pool);
}
END_TEST

START_TEST(no_checksum_stays_none)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	uint8_t *bytes = pt_msg_edit(&m);
	bytes[40] = bytes[41] = 0;
	write_random(m);
	ck_assert_uint_eq(m->bytes[40] << 8 | m->bytes[41], 0);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(a_wrong_checksum_stays_wrong)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	pt_msg_edit(&m)[40] ^= 0x10;
	write_random(m);
	ck_assert(!sum_is_right(m));
	pt_msg_edit(&m)[40] ^= 0x10;
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(bytes_behind_the_datagram_do_not_count)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	uint8_t *bytes = pt_msg_edit(&m);
	struct packet_view v;
	packet_dissect(m, &v);
	bytes[39] = 8 + 3; /* the datagram's length: "lo" lies behind it */
	uint8_t sum[2] = {bytes[40], bytes[41]};
	payload_write(bytes, &v, "helXY");
	ck_assert_mem_eq(bytes + 40, sum, 2);
	payload_write(bytes, &v, "jelXY");
	ck_assert(memcmp(bytes + 40, sum, 2));
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("script/payload", any_payload_comes_out_right, no_checksum_stays_none,
           a_wrong_checksum_stays_wrong, bytes_behind_the_datagram_do_not_count)
