/* SPDX-License-Identifier: BSD-2-Clause */
/* TriggerDrain, TriggeredMessage, TriggeredValve, TriggeredQueueingValve and TriggeredSwitch. */
#include "base/buf.h"
#include "rig.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

START_TEST(a_trigger_drain_triggers_before_it_passes)
{
	struct rig *r = rig("TriggerDrain", "\"equals 'go'\"");
	push_all(r, LOW, (const char *const[]){"a", "go", "b"}, 3);
	expect(r, LOW, "a");
	expect_trigger(r);
	expect(r, LOW, "go");
	expect(r, LOW, "b");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(or_after_it_has_passed)
{
	struct rig *r = rig("TriggerDrain", "\"equals 'go'\", after=true");
	push_all(r, LOW, (const char *const[]){"a", "go", "b"}, 3);
	expect(r, LOW, "a");
	expect(r, LOW, "go");
	expect_trigger(r);
	expect(r, LOW, "b");
	push(r, HIGH, "go");
	expect(r, HIGH, "go");
	expect_trigger(r);
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_triggered_message_may_be_a_packet)
{
	struct rig *r = rig_graph("it = TriggeredMessage({'message': 'ab', 'link_type': 1}); "
	                          "q = QueueSink()\nit >> q");
	fire(r);
	const json_t *got = ask(r, "recv", "{\"block\": \"q\"}");
	const json_t *first = json_array_get(json_object_get(got, "messages"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(first, "link_type")), 1);
	rig_end(r);
}
END_TEST

START_TEST(a_triggered_message_goes_low_then_high_then_the_trigger)
{
	struct rig *r = rig("TriggeredMessage", "'hello'");
	push(r, HIGH, "a");
	expect(r, HIGH, "a");
	fire(r);
	expect(r, LOW, "hello");
	expect(r, HIGH, "hello");
	expect_trigger(r);
	rig_end(r);
}
END_TEST

START_TEST(a_valve_changes_on_each_trigger_and_passes_it_on)
{
	struct rig *r = rig("TriggeredValve", "start_state=False");
	push(r, LOW, "a");
	expect_nothing(r);
	fire(r);
	expect_trigger(r);
	push(r, LOW, "b");
	expect(r, LOW, "b");
	push(r, HIGH, "c");
	expect(r, HIGH, "c");
	fire(r);
	expect_trigger(r);
	push(r, HIGH, "d");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_queueing_valve_passes_the_trigger_on_and_then_releases)
{
	struct rig *r = rig("TriggeredQueueingValve", "start_state=False");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect_nothing(r);
	fire(r);
	expect_trigger(r);
	expect(r, LOW, "a");
	expect(r, HIGH, "b");
	push(r, HIGH, "c");
	expect(r, HIGH, "c"); /* Scapy lets this leave by the low exit */
	rig_end(r);
}
END_TEST

START_TEST(a_flight_recorder_keeps_the_last_seconds)
{
	struct rig *r = rig("TriggeredQueueingValve", "False, seconds=10");
	push(r, LOW, "1");
	pass_time(r, 6);
	push(r, HIGH, "2");
	pass_time(r, 5);
	push(r, LOW, "3");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "old");
	fire(r);
	expect_trigger(r);
	expect(r, HIGH, "2");
	expect(r, LOW, "3");
	fire(r);
	expect_trigger(r);
	push(r, LOW, "4");
	pass_time(r, 11); /* nothing has come since */
	fire(r);
	expect_trigger(r);
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(seconds_go_with_a_limit_and_none_is_missing_between)
{
	char text[12];
	struct rig *r = rig("TriggeredQueueingValve", "False, seconds=10, limit='9KB'");
	const uint64_t *held = &rig_block(r, "it")->count.held;
	for (int i = 0; i < 1000; i++) { /* at first the limit holds fewer */
		pass_time(r, i < 500 ? 0.01 : 0.1);
		snprintf(text, sizeof text, "%d", i);
		push(r, LOW, text);
		ck_assert_uint_le(*held, 9000 / 57);
	}
	ck_assert_uint_ge(*held, 100);
	ck_assert_uint_le(*held, 104);
	int first = 1000 - (int)*held;
	fire(r);
	expect_trigger(r);
	for (int i = first; i < 1000; i++) {
		snprintf(text, sizeof text, "%d", i);
		expect(r, LOW, text);
	}
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_valve_closes_by_itself_behind_the_last_trigger)
{
	struct rig *r = rig("TriggeredQueueingValve", "False, close_after=10");
	push(r, LOW, "a");
	fire(r);
	expect_trigger(r);
	expect(r, LOW, "a");
	pass_time(r, 9);
	push(r, LOW, "b");
	expect(r, LOW, "b");
	fire(r); /* makes it longer */
	expect_trigger(r);
	pass_time(r, 9);
	push(r, LOW, "c");
	expect(r, LOW, "c");
	pass_time(r, 1.1);
	push(r, LOW, "d");
	expect_nothing(r);
	fire(r);
	expect_trigger(r);
	expect(r, LOW, "d");
	rig_end(r);
}
END_TEST

START_TEST(a_flight_recorder_keeps_the_newest)
{
	struct rig *r = rig("TriggeredQueueingValve", "False, limit=200");
	push_all(r, LOW, (const char *const[]){"1", "2", "3", "4", "5"}, 5);
	fire(r);
	expect_trigger(r);
	expect(r, LOW, "3");
	expect(r, LOW, "4");
	expect(r, LOW, "5");
	rig_end(r);
}
END_TEST

START_TEST(a_switch_changes_the_exit)
{
	struct rig *r = rig("TriggeredSwitch", "");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect(r, LOW, "a");
	expect(r, LOW, "b");
	fire(r);
	expect_trigger(r);
	push(r, LOW, "c");
	push(r, HIGH, "d");
	expect(r, HIGH, "c");
	expect(r, HIGH, "d");
	rig_end(r);
}
END_TEST

/* A valve that is closed by what it let through: the second message must find it closed, although
   both came in one vector. */
START_TEST(a_trigger_back_acts_on_the_next_message)
{
	struct rig *r = rig_graph("it = TriggeredValve(); d = Drain(); t = TriggerDrain('always'); "
	                          "s = RigSink()\nit > d > t > s; t ^ it");
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	expect_at(r, "s>", "a");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_trigger_that_feeds_itself_is_bounded_and_counted)
{
	struct rig *r =
		rig_graph("it = TriggerDrain('always'); m = TriggeredMessage('x'); s = Sink()\n"
	                  "it ^ m; m > it; it > s");
	push(r, LOW, "a");
	expect_report(r, "64 deep");
	ck_assert_uint_eq(rig_block(r, "m")->count.triggers_too_deep, 1);
	rig_end(r);
}
END_TEST

/* Each message triggers two more: without a bound on all of them it would not end. */
START_TEST(each_trigger_is_a_sign_of_life)
{
	struct rig *r = rig("TriggeredSwitch", "");
	uint64_t before = pt_engine_pulse(rig_engine(r));
	fire(r); /* `it`, and by it the recorder */
	ck_assert_uint_ge(pt_engine_pulse(rig_engine(r)), before + 2);
	rig_end(r);
}
END_TEST

START_TEST(triggers_that_double_themselves_are_bounded_and_counted)
{
	struct rig *r = rig_graph("it = TriggerDrain('always'); m = TriggeredMessage('x'); "
	                          "n = TriggeredMessage('y'); s = Sink()\n"
	                          "it ^ m; it ^ n; m > it; n > it; it > s");
	for (int round = 1; round <= 2; round++) {
		push(r, LOW, "a");
		uint64_t begun = 0;
		for (const char *name = "mn"; *name; name++) {
			const struct pt_block *b = rig_block(r, (char[]){*name, 0});
			ck_assert_uint_gt(b->count.triggers_too_deep, 0);
			begun += b->count.triggers - b->count.triggers_too_deep;
		}
		/* what comes back lets come, at most, as many again that do not */
		ck_assert_uint_ge(begun, (uint64_t)round * TRIGGER_MOST);
		ck_assert_uint_lt(begun, (uint64_t)round * TRIGGER_MOST * 3);
	}
	rig_end(r);
}
END_TEST

static const json_t *now_of_it(struct rig *r)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(ask(r, "show", "{}"), "blocks"), i, block)
		if (!strcmp(json_string_value(json_object_get(block, "name")), "it"))
			return json_object_get(block, "now");
	return NULL;
}

START_TEST(it_shows_how_the_triggers_have_left_it)
{
	static const char *const types[] = {"TriggeredValve", "TriggeredQueueingValve"};
	for (int i = 0; i < 2; i++) {
		struct rig *r = rig(types[i], "");
		ck_assert(json_is_true(json_object_get(now_of_it(r), "open")));
		fire(r);
		expect_trigger(r);
		ck_assert(json_is_false(json_object_get(now_of_it(r), "open")));
		rig_end(r);
	}
	struct rig *r = rig("TriggeredSwitch", "False");
	ck_assert_str_eq(json_string_value(json_object_get(now_of_it(r), "exit")), "high");
	fire(r);
	expect_trigger(r);
	ck_assert_str_eq(json_string_value(json_object_get(now_of_it(r), "exit")), "low");
	rig_end(r);
}
END_TEST

/* start_state is for the start. */
START_TEST(what_is_replaced_stays_as_the_triggers_have_left_it)
{
	static const char *const types[] = {"TriggeredValve", "TriggeredQueueingValve",
	                                    "TriggeredSwitch"};
	const char *change = "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": "
			     "{\"start_state\": true}}]}";
	for (int i = 0; i < 3; i++) {
		struct rig *r = rig(types[i], "start_state=False");
		fire(r);
		expect_trigger(r);
		fire(r);
		expect_trigger(r);
		ck_assert_msg(ask(r, "change", change), "%s", rig_words(r));
		push(r, LOW, "a");
		if (i == 2)
			expect(r, HIGH, "a");
		else
			expect_nothing(r);
		ck_assert(ask(r, "stop", "{}"));
		ck_assert(ask(r, "start", "{}"));
		push(r, LOW, "b");
		if (i == 1)
			expect(r, LOW, "a");
		expect(r, LOW, "b");
		rig_end(r);
	}
}
END_TEST

/* Sixty times a mebibyte is more than a full sink bears at once. */
START_TEST(a_valve_releases_no_more_than_the_sink_takes)
{
	enum { COUNT = 60, LENGTH = 1 << 20 };
	struct rig *r = rig_graph("it = TriggeredQueueingValve(False)\n"
	                          "q = QueueSink(limit=1, overflow='block'); it > q");
	char *text = must_calloc(1, LENGTH + 1);
	memset(text, 'm', LENGTH);
	for (int i = 0; i < COUNT; i++)
		push(r, LOW, text);
	fire(r);
	for (int i = 0; i < COUNT; i++) {
		const json_t *got = ask(r, "recv", "{\"block\": \"q\"}");
		ck_assert_uint_eq(json_array_size(json_object_get(got, "messages")), 1);
		turn(r);
	}
	free(text);
	rig_end(r);
}
END_TEST

START_TEST(a_valve_that_closes_holds_nobody_back_for_what_waited_in_it)
{
	struct rig *r = rig_graph("it = TriggeredQueueingValve(False)\n"
	                          "q = QueueSink(limit=1, overflow='block'); it > q");
	push(r, LOW, "a");
	push(r, LOW, "b");
	fire(r); /* "a" fills the sink */
	push(r, LOW, "c");
	ck_assert(rig_block(r, "it")->full);
	fire(r);
	ck_assert(!rig_block(r, "it")->full);
	rig_end(r);
}
END_TEST

/* The time comes while something is held that must go first. */
START_TEST(a_valve_that_is_late_closes_behind_what_it_held)
{
	struct rig *r = rig_graph("it = TriggeredQueueingValve(False, close_after=10)\n"
	                          "q = QueueSink(limit=1, overflow='block'); it > q");
	push(r, LOW, "a");
	push(r, LOW, "b");
	fire(r); /* "a" fills the sink */
	pass_time(r, 11);
	ck_assert(json_is_true(json_object_get(now_of_it(r), "open")));
	ck_assert(ask(r, "recv", "{\"block\": \"q\"}"));
	turn(r);
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 2);
	ck_assert(json_is_false(json_object_get(now_of_it(r), "open")));
	push_packet(r, "c", 1, 1);
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 2);
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/triggers", a_trigger_drain_triggers_before_it_passes, or_after_it_has_passed,
           a_triggered_message_may_be_a_packet,
           a_triggered_message_goes_low_then_high_then_the_trigger,
           a_valve_changes_on_each_trigger_and_passes_it_on,
           a_queueing_valve_passes_the_trigger_on_and_then_releases,
           a_valve_releases_no_more_than_the_sink_takes,
           a_valve_that_closes_holds_nobody_back_for_what_waited_in_it,
           a_valve_closes_by_itself_behind_the_last_trigger,
           a_valve_that_is_late_closes_behind_what_it_held, a_flight_recorder_keeps_the_newest,
           a_flight_recorder_keeps_the_last_seconds,
           seconds_go_with_a_limit_and_none_is_missing_between, a_switch_changes_the_exit,
           a_trigger_back_acts_on_the_next_message,
           a_trigger_that_feeds_itself_is_bounded_and_counted, each_trigger_is_a_sign_of_life,
           triggers_that_double_themselves_are_bounded_and_counted,
           it_shows_how_the_triggers_have_left_it,
           what_is_replaced_stays_as_the_triggers_have_left_it)
