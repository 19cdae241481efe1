/* SPDX-License-Identifier: BSD-2-Clause */
/* Drain, UpDrain, DownDrain and Sink. */
#include "rig.h"
#include "unit.h"

START_TEST(a_drain_repeats_each_canal_on_its_own)
{
	struct rig *r = rig("Drain", "");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect(r, LOW, "a");
	expect(r, HIGH, "b");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(an_up_drain_takes_low_messages_up)
{
	struct rig *r = rig("UpDrain", "");
	push(r, LOW, "a");
	expect(r, HIGH, "a");
	rig_end(r);
}
END_TEST

START_TEST(a_down_drain_takes_high_messages_down)
{
	struct rig *r = rig("DownDrain", "");
	push(r, HIGH, "a");
	expect(r, LOW, "a");
	rig_end(r);
}
END_TEST

START_TEST(a_sink_discards_and_counts)
{
	struct rig *r = rig("Sink", "");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect_nothing(r);
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 2);
	rig_end(r);
}
END_TEST

START_TEST(what_has_no_link_is_counted_as_unlinked)
{
	struct rig *r = rig_graph("it = Drain()");
	push(r, LOW, "a");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "unlinked");
	ck_assert_uint_eq(rig_block(r, "it")->count.gone[0].count, 1);
	ck_assert_uint_eq(block_sum(rig_block(r, "it"), true), 1);
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/drain", a_drain_repeats_each_canal_on_its_own, an_up_drain_takes_low_messages_up,
           a_down_drain_takes_high_messages_down, a_sink_discards_and_counts,
           what_has_no_link_is_counted_as_unlinked)
