/* SPDX-License-Identifier: BSD-2-Clause */
/* PeriodicSource, in faked time. */
#include "rig.h"
#include "unit.h"

START_TEST(it_sends_at_once_and_then_every_period)
{
	struct rig *r = rig("PeriodicSource", "'x', 0.5");
	expect(r, LOW, "x");
	expect_nothing(r);
	pass_time(r, 0.4);
	expect_nothing(r);
	pass_time(r, 0.1);
	expect(r, LOW, "x");
	pass_time(r, 10);
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 22);
	rig_end(r);
}
END_TEST

START_TEST(a_list_goes_round_with_period2_after_each_round)
{
	struct rig *r = rig("PeriodicSource", "['a', 'b'], 1, period2=10");
	expect(r, LOW, "a");
	pass_time(r, 1);
	expect(r, LOW, "b");
	pass_time(r, 10.9);
	expect_nothing(r);
	pass_time(r, 0.2);
	expect(r, LOW, "a");
	rig_end(r);
}
END_TEST

START_TEST(an_empty_list_is_exhausted)
{
	struct rig *r = rig("PeriodicSource", "[], 1");
	expect_nothing(r);
	ck_assert(ask(r, "stop", "{\"wait\": true}"));
	rig_end(r);
}
END_TEST

START_TEST(a_negative_period_is_refused)
{
	struct rig *r = rig("PeriodicSource", "[], 1");
	ck_assert(!ask_change(r, "p = PeriodicSource('x', -1)"));
	ck_assert_str_eq(rig_kind(r), "bad-parameter");
	rig_end(r);
}
END_TEST

START_TEST(a_changed_message_keeps_the_pace)
{
	struct rig *r = rig("PeriodicSource", "'x', 1");
	expect(r, LOW, "x");
	pass_time(r, 0.5);
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": "
	              "{\"msg\": [\"y\", \"z\"]}}]}"));
	expect_nothing(r);
	pass_time(r, 0.5);
	expect(r, LOW, "y");
	pass_time(r, 1);
	expect(r, LOW, "z");
	rig_end(r);
}
END_TEST

START_TEST(packets_and_text_go_out_as_they_were_given)
{
	static const char given[] =
		"[{'message': 'a', 'text': True}, {'message': {'hex': '45ff'}, 'link_type': 101, "
		"'time': '12.5', 'wire_length': 60}, b'\\xff']";
	static const char sent[] =
		"[{\"message\": \"a\", \"canal\": \"low\", \"text\": true}, {\"message\": "
		"{\"base64\": "
		"\"Rf8=\"}, \"canal\": \"low\", \"time\": \"12.500000000\", \"link_type\": 101, "
		"\"wire_length\": 60}, {\"message\": {\"base64\": \"/w==\"}, \"canal\": \"low\"}]";
	char text[512];
	snprintf(text, sizeof text, "p = PeriodicSource(%s, 1); q = QueueSink()\np > q", given);
	struct rig *r = rig_graph(text);
	pass_time(r, 2);
	const json_t *got = ask(r, "recv", "{\"block\": \"q\", \"max\": 9}");
	json_t *wanted = json_loads(sent, 0, NULL);
	ck_assert(json_equal(json_object_get(got, "messages"), wanted));
	json_decref(wanted);
	ck_assert(!ask_change(r, "x = PeriodicSource({'message': 'a', 'link_type': -1}, 1)"));
	ck_assert_str_eq(rig_kind(r), "bad-parameter");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/periodic_source", it_sends_at_once_and_then_every_period,
           a_list_goes_round_with_period2_after_each_round, an_empty_list_is_exhausted,
           a_negative_period_is_refused, a_changed_message_keeps_the_pace,
           packets_and_text_go_out_as_they_were_given)
