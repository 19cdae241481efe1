/* SPDX-License-Identifier: BSD-2-Clause */
/* PaceDrain, in faked time. */
#include "rig.h"
#include "unit.h"

static uint64_t out(struct rig *r)
{
	return rig_block(r, "it")->count.out;
}

static void expect_out(struct rig *r, double later, uint64_t count)
{
	pass_time(r, later);
	ck_assert_uint_eq(out(r), count);
}

static void push_some(struct rig *r, unsigned count)
{
	while (count--)
		push(r, LOW, "x");
}

START_TEST(each_goes_in_its_time)
{
	struct rig *r = rig("PaceDrain", "pps=2");
	push(r, LOW, "a");
	expect(r, LOW, "a");
	push(r, HIGH, "b");
	push(r, LOW, "c");
	expect_nothing(r);
	pass_time(r, 0.4);
	expect_nothing(r);
	pass_time(r, 0.2);
	expect(r, HIGH, "b");
	expect_nothing(r);
	pass_time(r, 0.5);
	expect(r, LOW, "c");
	pass_time(r, 10);
	push_some(r, 3);
	ck_assert_uint_eq(out(r), 4); /* nothing was saved up */
	expect_out(r, 2, 6);
	rig_end(r);
}
END_TEST

START_TEST(the_rate_is_kept)
{
	struct rig *r = rig("PaceDrain", "pps=100000, limit='64MiB'");
	push_some(r, 30000);
	pass_time(r, 0.1);
	ck_assert_uint_ge(out(r), 9900);
	ck_assert_uint_le(out(r), 10001);
	for (int i = 0; i < 100; i++)
		pass_time(r, 0.001);
	ck_assert_uint_ge(out(r), 19800);
	ck_assert_uint_le(out(r), 20001);
	rig_end(r);
}
END_TEST

START_TEST(bits_are_those_on_the_wire)
{
	struct rig *r = rig("PaceDrain", "rate='8kbit'");
	const char packet[100] = {0};
	for (int i = 0; i < 3; i++)
		push_packet(r, packet, sizeof packet, 1);
	ck_assert_uint_eq(out(r), 1);
	expect_out(r, 0.09, 1);
	expect_out(r, 0.02, 2);
	expect_out(r, 0.1, 3);
	rig_end(r);
}
END_TEST

START_TEST(a_rate_of_next_to_nothing_is_one)
{
	struct rig *r = rig("PaceDrain", "rate='0.0000000001bit'");
	push_some(r, 3);
	expect_out(r, 1e6, 1);
	rig_end(r);
}
END_TEST

START_TEST(a_burst_goes_at_once)
{
	struct rig *r = rig("PaceDrain", "pps=1, burst=3");
	push_some(r, 5);
	ck_assert_uint_eq(out(r), 3);
	expect_out(r, 1.01, 4);
	expect_out(r, 1, 5);
	pass_time(r, 10);
	push_some(r, 5);
	ck_assert_uint_eq(out(r), 8);
	rig_end(r);
}
END_TEST

static void drops(const char *arguments, const char *const kept[2])
{
	struct rig *r = rig("PaceDrain", arguments);
	push(r, LOW, "0");
	expect(r, LOW, "0");
	for (const char *digit = "1234"; *digit; digit++)
		push(r, LOW, (const char[]){*digit, 0});
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 2);
	pass_time(r, 1.01);
	expect(r, LOW, kept[0]);
	pass_time(r, 1);
	expect(r, LOW, kept[1]);
	pass_time(r, 10);
	expect_nothing(r);
	rig_end(r);
}

START_TEST(what_is_too_much_is_dropped)
{
	drops("pps=1, overflow='drop-oldest', limit=150", (const char *const[]){"3", "4"});
	drops("pps=1, overflow='drop-newest', limit=150", (const char *const[]){"1", "2"});
}
END_TEST

START_TEST(a_full_queue_holds_back)
{
	struct rig *r = rig("PaceDrain", "pps=10, limit=150");
	push_some(r, 8);
	ck_assert(rig_block(r, "it")->full);
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 7);
	pass_time(r, 10);
	ck_assert(!rig_block(r, "it")->full);
	ck_assert_uint_eq(out(r), 8);
	rig_end(r);
}
END_TEST

START_TEST(a_stop_sends_the_rest)
{
	struct rig *r = rig("PaceDrain", "pps=0.001");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	push(r, LOW, "c");
	expect(r, LOW, "a");
	expect_nothing(r);
	ck_assert(ask(r, "stop", "{}"));
	expect(r, HIGH, "b");
	expect(r, LOW, "c");
	rig_end(r);
}
END_TEST

START_TEST(a_new_pace_counts_from_now)
{
	struct rig *r = rig("PaceDrain", "pps=0.001");
	push_some(r, 3);
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": "
	              "{\"rate\": \"8bit\"}}]}"));
	expect_out(r, 0.9, 1);
	expect_out(r, 0.2, 2);
	expect_out(r, 1, 3);
	ck_assert(!ask(r, "change",
	               "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": "
	               "{\"rate\": \"much\"}}]}"));
	ck_assert_str_eq(rig_kind(r), "bad-parameter");
	rig_end(r);
}
END_TEST

START_TEST(a_successor_goes_on)
{
	struct rig *r = rig("PaceDrain", "pps=1");
	push(r, LOW, "a");
	push(r, LOW, "b");
	expect(r, LOW, "a");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"replace\", \"name\": \"it\", \"type\": \"PaceDrain\", "
	              "\"params\": {\"pps\": 2}}]}"));
	expect_nothing(r);
	pass_time(r, 0.51);
	expect(r, LOW, "b");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/pace_drain", each_goes_in_its_time, the_rate_is_kept, bits_are_those_on_the_wire,
           a_rate_of_next_to_nothing_is_one, a_burst_goes_at_once, what_is_too_much_is_dropped,
           a_full_queue_holds_back, a_stop_sends_the_rest, a_new_pace_counts_from_now,
           a_successor_goes_on)
