/* SPDX-License-Identifier: BSD-2-Clause */
/* ReorderDrain, in faked time. */
#include "engine/carry.h"
#include "rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

/* A packet that is dated so many seconds, and says so. */
static struct pt_msg *dated(struct rig *r, int seconds)
{
	char text[16];
	size_t length = (size_t)snprintf(text, sizeof text, "%d", seconds);
	return pt_msg_packet(rig_engine(r)->pool, text, length, length, 1,
	                     seconds * INT64_C(1000000000));
}

static void push_at(struct rig *r, enum pt_canal canal, int seconds)
{
	struct pt_msg *m = dated(r, seconds);
	push_messages(r, canal, &m, 1);
}

static void push_each(struct rig *r, const char *digits)
{
	for (; *digits; digits++)
		push_at(r, LOW, *digits - '0');
}

static void expect_each(struct rig *r, const char *digits)
{
	for (; *digits; digits++)
		expect(r, LOW, (const char[]){*digits, 0});
	expect_nothing(r);
}

static int64_t late(struct rig *r)
{
	json_t *shown = carry_show(rig_block(r, "it"));
	int64_t count = json_integer_value(json_object_get(shown, "late"));
	json_decref(shown);
	return count;
}

START_TEST(they_go_in_the_order_of_time)
{
	struct rig *r = rig("ReorderDrain", "seconds=3");
	push_each(r, "13254");
	expect_each(r, "12");
	push_each(r, "9");
	expect_each(r, "345");
	push_at(r, HIGH, 8);
	push_each(r, "7");
	ck_assert(ask(r, "stop", "{}"));
	expect(r, LOW, "7");
	expect(r, HIGH, "8");
	expect(r, LOW, "9");
	ck_assert_int_eq(late(r), 0);
	rig_end(r);
}
END_TEST

START_TEST(what_is_late_passes_and_is_counted)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	push_each(r, "157");
	expect_each(r, "15");
	push_each(r, "4");
	expect_each(r, "4");
	push_each(r, "56");
	expect_each(r, "5");
	ck_assert_int_eq(late(r), 1);
	rig_end(r);
}
END_TEST

START_TEST(it_is_late_also_in_a_vector)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	struct pt_msg *messages[] = {dated(r, 1), dated(r, 5), dated(r, 9), dated(r, 4),
	                             dated(r, 8)};
	push_messages(r, LOW, messages, 5);
	expect_each(r, "154");
	ck_assert_int_eq(late(r), 1);
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 2);
	rig_end(r);
}
END_TEST

START_TEST(the_clock_lets_them_go)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	push_each(r, "54");
	pass_time(r, 1.9);
	expect_nothing(r);
	push_each(r, "6");
	pass_time(r, 0.2);
	expect_each(r, "45");
	pass_time(r, 2);
	expect_each(r, "6");
	rig_end(r);
}
END_TEST

START_TEST(what_is_too_much_goes_before_its_time)
{
	struct rig *r = rig("ReorderDrain", "seconds=5, limit=250");
	push_each(r, "3214");
	expect_each(r, "1");
	push_each(r, "5");
	expect_each(r, "2");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"limit\": "
	              "100}}]}"));
	turn(r);
	expect_each(r, "34");
	rig_end(r);
}
END_TEST

START_TEST(what_has_no_time_stays_in_its_place)
{
	struct rig *r = rig("ReorderDrain", "seconds=5");
	push(r, LOW, "x");
	expect(r, LOW, "x");
	push_each(r, "23");
	push(r, LOW, "y");
	push_each(r, "41");
	expect_nothing(r);
	ck_assert(ask(r, "stop", "{}"));
	expect_each(r, "123y4");
	rig_end(r);
}
END_TEST

START_TEST(a_start_knows_nothing_of_the_times_before)
{
	struct rig *r = rig("ReorderDrain", "seconds=5");
	push_each(r, "9");
	ck_assert(ask(r, "stop", "{}"));
	expect_each(r, "9");
	ck_assert(ask(r, "start", "{}"));
	pt_full(rig_block(r, "recorder"), true);
	push(r, LOW, "x");
	push_each(r, "5");
	push(r, LOW, "y");
	expect_nothing(r);
	pt_full(rig_block(r, "recorder"), false);
	ck_assert(ask(r, "stop", "{}"));
	expect_each(r, "x5y");
	rig_end(r);
}
END_TEST

START_TEST(a_successor_goes_on)
{
	struct rig *r = rig("ReorderDrain", "seconds=3");
	push_each(r, "25436");
	expect_each(r, "23");
	push_each(r, "1");
	expect_each(r, "1");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"replace\", \"name\": \"it\", \"type\": "
	              "\"ReorderDrain\", \"params\": {\"seconds\": 2}}]}"));
	turn(r);
	expect_each(r, "4");
	push_each(r, "28");
	expect_each(r, "256");
	ck_assert_int_eq(late(r), 2);
	rig_end(r);
}
END_TEST

START_TEST(one_that_is_dated_far_ahead_makes_nothing_late)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	push_each(r, "13");
	expect_each(r, "1");
	push_at(r, LOW, 5000);
	push_each(r, "254");
	expect_each(r, "23");
	push_each(r, "6");
	expect_each(r, "4");
	pass_time(r, 2.1);
	expect(r, LOW, "5000");
	expect_each(r, "56");
	push_each(r, "879");
	expect_each(r, "7");
	ck_assert_int_eq(late(r), 0);
	ck_assert(ask(r, "stop", "{}"));
	expect_each(r, "89");
	rig_end(r);
}
END_TEST

START_TEST(the_first_may_be_the_one)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	push_at(r, LOW, 5000);
	push_each(r, "315");
	expect_each(r, "13");
	push_each(r, "4");
	ck_assert(ask(r, "stop", "{}"));
	expect(r, LOW, "4");
	expect(r, LOW, "5");
	expect(r, LOW, "5000");
	ck_assert_int_eq(late(r), 0);
	rig_end(r);
}
END_TEST

START_TEST(too_much_far_ahead_is_what_time_it_is)
{
	struct rig *r = rig("ReorderDrain", "seconds=2, limit=250");
	push_each(r, "1");
	for (int i = 0; i < 3; i++)
		push_at(r, LOW, 5000);
	expect_each(r, "1");
	push_at(r, LOW, 5000);
	expect(r, LOW, "5000");
	expect_nothing(r);
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 3);
	rig_end(r);
}
END_TEST

START_TEST(a_gap_between_packets_is_none)
{
	struct rig *r = rig("ReorderDrain", "seconds=2");
	push_each(r, "12");
	push_at(r, LOW, 5001);
	push_at(r, LOW, 5000);
	expect_nothing(r);
	push_at(r, LOW, 5002);
	expect(r, LOW, "1");
	expect(r, LOW, "2");
	expect(r, LOW, "5000");
	push_at(r, LOW, 9000);
	push_at(r, LOW, 9999);
	expect(r, LOW, "5001");
	expect(r, LOW, "5002");
	expect_nothing(r);
	ck_assert_int_eq(late(r), 0);
	rig_end(r);
}
END_TEST

/* As qsort has them. */
static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

START_TEST(any_order_comes_out_sorted)
{
	enum { COUNT = 2000 };
	struct rig *r = rig("ReorderDrain", "seconds=100");
	int times[COUNT];
	srand(1);
	for (int i = 0; i < COUNT; i++) {
		times[i] = 1 + i / 2 + rand() % 99;
		push_at(r, LOW, times[i]);
	}
	ck_assert(ask(r, "stop", "{}"));
	qsort(times, COUNT, sizeof *times, compare);
	for (int i = 0; i < COUNT; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", times[i]);
		expect(r, LOW, text);
	}
	ck_assert_int_eq(late(r), 0);
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/reorder_drain", they_go_in_the_order_of_time, what_is_late_passes_and_is_counted,
           it_is_late_also_in_a_vector, the_clock_lets_them_go,
           what_is_too_much_goes_before_its_time, what_has_no_time_stays_in_its_place,
           a_start_knows_nothing_of_the_times_before, a_successor_goes_on,
           one_that_is_dated_far_ahead_makes_nothing_late, the_first_may_be_the_one,
           too_much_far_ahead_is_what_time_it_is, a_gap_between_packets_is_none,
           any_order_comes_out_sorted)
