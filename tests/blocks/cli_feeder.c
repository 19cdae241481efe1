/* SPDX-License-Identifier: BSD-2-Clause */
/* CLIFeeder, CLIHighFeeder and AutoSource. */
#include "rig.h"
#include "unit.h"

static void give(struct rig *r, const char *text)
{
	char json[128];
	snprintf(json, sizeof json, "{\"block\": \"it\", \"message\": \"%s\"}", text);
	ck_assert_msg(ask(r, "send", json) != NULL, "%s", rig_words(r));
}

START_TEST(a_message_goes_through_the_graph_before_the_answer)
{
	struct rig *r = rig("CLIFeeder", "");
	give(r, "foo");
	expect(r, LOW, "foo");
	rig_end(r);
}
END_TEST

START_TEST(the_high_feeder_sends_on_the_high_exit)
{
	struct rig *r = rig("CLIHighFeeder", "");
	give(r, "foo");
	expect(r, HIGH, "foo");
	rig_end(r);
}
END_TEST

START_TEST(an_auto_source_feeds_either_exit)
{
	struct rig *r = rig("AutoSource", "");
	give(r, "a");
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"message\": \"b\", \"canal\": \"high\"}"));
	expect(r, LOW, "a");
	expect(r, HIGH, "b");
	rig_end(r);
}
END_TEST

START_TEST(a_feeder_without_the_exit_refuses_the_canal)
{
	struct rig *r = rig("CLIFeeder", "");
	ck_assert(!ask(r, "send", "{\"block\": \"it\", \"message\": \"b\", \"canal\": \"high\"}"));
	ck_assert_str_eq(rig_kind(r), "bad-parameter");
	rig_end(r);
}
END_TEST

/* Scapy loses all but the first of these. */
START_TEST(what_was_sent_and_closed_before_the_start_arrives_whole)
{
	struct rig *r = rig("CLIFeeder", "");
	ck_assert(ask(r, "stop", "{}"));
	for (const char *m = "12345"; *m; m++)
		give(r, (char[]){*m, 0});
	ck_assert(ask(r, "close", "{\"block\": \"it\"}"));
	expect_nothing(r);
	ck_assert(ask(r, "start", "{}"));
	ck_assert(ask(r, "stop", "{\"wait\": true}"));
	for (const char *m = "12345"; *m; m++)
		expect(r, LOW, (char[]){*m, 0});
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_closed_feeder_refuses_until_the_next_start)
{
	struct rig *r = rig("CLIFeeder", "");
	ck_assert(ask(r, "close", "{\"block\": \"it\"}"));
	ck_assert(!ask(r, "send", "{\"block\": \"it\", \"message\": \"b\"}"));
	ck_assert_str_eq(rig_kind(r), "wrong-state");
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(ask(r, "start", "{}"));
	give(r, "c");
	expect(r, LOW, "c");
	rig_end(r);
}
END_TEST

START_TEST(a_fault_in_one_message_refuses_all)
{
	struct rig *r = rig("CLIFeeder", "");
	ck_assert(!ask(r, "send", "{\"block\": \"it\", \"messages\": [\"a\", {\"hex\": \"zz\"}]}"));
	ck_assert_str_eq(rig_kind(r), "bad-parameter");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_full_sink_holds_the_messages_back_in_order)
{
	struct rig *r =
		rig_graph("it = CLIFeeder(); q = QueueSink(limit=200, overflow='block'); it > q");
	for (int i = 0; i < 9; i++)
		give(r, (char[]){(char)('0' + i), 0});
	for (int i = 0; i < 9; i++) {
		const json_t *got = ask(r, "recv", "{\"block\": \"q\", \"timeout_s\": 5}");
		const json_t *message = json_array_get(json_object_get(got, "messages"), 0);
		char wanted[2] = {(char)('0' + i), 0};
		ck_assert_str_eq(json_string_value(json_object_get(message, "message")), wanted);
		turn(r);
	}
	rig_end(r);
}
END_TEST

START_TEST(what_one_request_sends_is_held_back_too)
{
	struct rig *r =
		rig_graph("it = CLIFeeder(); q = QueueSink(limit=200, overflow='block'); it > q");
	ck_assert(ask(
		r, "send",
		"{\"block\": \"it\", \"messages\": [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\"]}"));
	ck_assert_uint_eq(rig_block(r, "q")->count.held, 4);
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 2);
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/cli_feeder", a_message_goes_through_the_graph_before_the_answer,
           the_high_feeder_sends_on_the_high_exit, an_auto_source_feeds_either_exit,
           a_feeder_without_the_exit_refuses_the_canal,
           what_was_sent_and_closed_before_the_start_arrives_whole,
           a_closed_feeder_refuses_until_the_next_start, a_fault_in_one_message_refuses_all,
           a_full_sink_holds_the_messages_back_in_order, what_one_request_sends_is_held_back_too)
