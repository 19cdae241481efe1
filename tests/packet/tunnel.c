/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnels and sums of packets that are cut, damaged, or made to do harm. */
#include "packet/tunnel.h"

#include "msg/pool.h"
#include "packet/digest.h"
#include "packet/make.h"
#include "unit.h"

#define MACS  "020000000002 020000000001"
#define OUTER "4500 0000 0000 4000 40"
#define ENDS  "0000 c0000201 c0000202"
#define INNER "4500 0018 0000 4000 4006 0000 0a000001 0a000002 01020304"
#define FRAME MACS "0800" INNER
#define UDP   MACS "0800" OUTER "11" ENDS "1000"

/* Each with its header alone, or what carries one, in front of the packet inside. */
static const char *const tunnels[] = {
	MACS "8100 0005 0800" INNER,
	MACS "88a8 0006 8100 0005 0800" INNER,
	MACS "8847 00046040 00047140" INNER,
	MACS "8847 00047140 00000000" FRAME,
	MACS "8864 1100 0007 001a 0021" INNER,
	MACS "0800" OUTER "2f" ENDS "0000 0800" INNER,
	MACS "0800" OUTER "2f" ENDS "b000 6558 00000000 0000004d 00000001" FRAME,
	MACS "0800" OUTER "2f" ENDS "3081 880b 001a0008 00000001 00000000 ff03 0021" INNER,
	MACS "0800" OUTER "2f" ENDS "1000 88be 00000001 1000000c 00000000" FRAME,
	MACS "0800" OUTER "2f" ENDS "1000 22eb 00000001 2000000c 00000000 00000001"
	     "0000000000000000" FRAME,
	MACS "0800" OUTER "2f" ENDS "0000 883e 00000000" INNER,
	UDP "12b5 0000 0000 08000000 00002a00" FRAME,
	UDP "12b6 0000 0000 0c000003 00002a00" FRAME,
	UDP "17c1 0000 0000 02006558 00002b00 0102800161626364" FRAME,
	UDP "0868 0000 0000 34ff001c 00000009 00000085 01000000" INNER,
	UDP "0868 0000 0000 30ff0018 00000009" INNER,
	UDP "0d3a 0000 0000 1eff0018 0000000000000000 0000000000000000" INNER,
	UDP "06a5 0000 0000 4a02 002a 0003 0009 00000000 0004 00000000 ff03 0021" INNER,
	UDP "06a5 0000 0000 0003 0000 00000009 00000000" FRAME,
	UDP "9090 0000 0000 01000001 0a0101 00 01" FRAME,
	UDP "19eb 0000 0000 00047140" INNER,
	MACS "0800" OUTER "73" ENDS "00000102 00000000" FRAME,
	MACS "0800" OUTER "04" ENDS INNER,
	MACS "86dd 60000000 0024 3c40 20010db8000000000000000000000001"
	     "20010db8000000000000000000000002 0400010400000000" INNER,
};
enum { TUNNELS = sizeof tunnels / sizeof *tunnels };

static void make(struct made *m, const char *hex)
{
	*m = (struct made){.link_type = PACKET_LINK_EN10MB};
	put_hex(m, hex);
}

/* What it says lies in the packet, and is what the message becomes. */
static bool check(struct pt_pool *pool, const struct pt_msg *m, unsigned kinds, unsigned depth)
{
	struct packet_inner in;
	if (!packet_unwrap(m, kinds, depth, &in))
		return false;
	ck_assert_uint_gt(in.length, 0);
	ck_assert_uint_le((uint64_t)in.at + in.length, m->length);
	ck_assert_uint_le((uint64_t)in.at + in.wire_length, m->wire_length);
	ck_assert_uint_ge(in.wire_length, in.length);
	ck_assert_uint_le(in.link_size ? in.link_at + in.link_size : 0, in.at);
	ck_assert(kinds >> in.outermost & 1);
	struct pt_msg *made =
		pt_msg_packet(pool, m->bytes, m->length, m->wire_length, m->link_type, 0);
	ck_assert_int_eq(packet_unwrap_message(&made, &in), 0);
	ck_assert_uint_eq(made->length, in.length + in.link_size);
	ck_assert_uint_eq(made->wire_length, in.wire_length + in.link_size);
	ck_assert_mem_eq(made->bytes + in.link_size, m->bytes + in.at, in.length);
	pt_msg_unref(made);
	return true;
}

/* At the very end of its memory; of more on the wire, or not. */
static bool look(struct pt_pool *pool, const struct made *m, unsigned kinds, unsigned depth)
{
	static const uint64_t key[2] = {1, 2};
	uint8_t *bytes = exact(m->bytes, m->length);
	struct pt_msg msg = made_msg(m);
	uint32_t id;
	msg.bytes = bytes;
	msg.wire_length += random_below(2) ? 0 : random_below(100);
	for (unsigned ignore = 0; ignore < 16; ignore++)
		packet_digest(&msg, key, ignore);
	packet_tunnel_id(&msg, &id);
	bool found = check(pool, &msg, kinds, depth);
	exact_free(bytes, m->length);
	return found;
}

START_TEST(each_is_found)
{
	struct pt_pool *pool = pool_new(0);
	for (unsigned i = 0; i < TUNNELS; i++) {
		struct made m;
		make(&m, tunnels[i]);
		ck_assert_msg(look(pool, &m, UINT32_MAX, 8), "%s", tunnels[i]);
	}
	pool_free(pool);
}
END_TEST

START_TEST(cut_ones_are_survived)
{
	struct pt_pool *pool = pool_new(0);
	for (unsigned i = 0; i < TUNNELS; i++) {
		struct made m;
		make(&m, tunnels[i]);
		for (; m.length; m.length--)
			look(pool, &m, UINT32_MAX, 8);
	}
	pool_free(pool);
}
END_TEST

static void damage(struct made *m)
{
	static const uint8_t likely[] = {0,    1,    4,    6,    0x08, 0x45,
	                                 0x4f, 0x60, 0x7f, 0x80, 0x81, 0xff};
	for (unsigned n = random_below(6); n && m->length; n--) {
		uint8_t *at = &m->bytes[random_below((uint32_t)m->length)];
		switch (random_below(4)) {
		case 0: *at = (uint8_t)random(); break;
		case 1: *at = likely[random_below(sizeof likely)]; break;
		case 2: *at ^= (uint8_t)(1u << random_below(8)); break;
		default: m->length -= random_below(3) ? 0 : random_below((uint32_t)m->length);
		}
	}
}

/* One in another, damaged, of any kinds and depth. */
START_TEST(damaged_ones_are_survived)
{
	struct pt_pool *pool = pool_new(0);
	unsigned found = 0;
	srandom(3);
	for (unsigned n = 0; n < TIMES(30000); n++) {
		struct made m, inside;
		make(&m, tunnels[random_below(TUNNELS)]);
		make(&inside, tunnels[random_below(TUNNELS)]);
		size_t front = m.length - random_below(40);
		memcpy(m.bytes + front, inside.bytes, inside.length);
		m.length = front + inside.length;
		damage(&m);
		m.link_type = random_below(3) ? PACKET_LINK_EN10MB : (uint16_t)random_below(300);
		found += look(pool, &m, n % 2 ? UINT32_MAX : (unsigned)random(),
		              1 + random_below(64));
	}
	ck_assert_uint_gt(found, TIMES(30000) / 4);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("packet/tunnel", each_is_found, cut_ones_are_survived, damaged_ones_are_survived)
