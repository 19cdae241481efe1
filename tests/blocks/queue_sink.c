/* SPDX-License-Identifier: BSD-2-Clause */
/* QueueSink. */
#include "base/buf.h"
#include "rig.h"
#include "unit.h"
#include <pipetool/queue.h>
#include <stdlib.h>
#include <string.h>

static void expect_received(struct rig *r, const char *canal, const char *text)
{
	const json_t *got = ask(r, "recv", "{\"block\": \"it\"}");
	const json_t *m = json_array_get(json_object_get(got, "messages"), 0);
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(json_string_value(json_object_get(m, "message")), text);
	ck_assert_str_eq(json_string_value(json_object_get(m, "canal")), canal);
}

static size_t receive_all(struct rig *r)
{
	const json_t *got = ask(r, "recv", "{\"block\": \"it\", \"max\": 1000}");
	return json_array_size(json_object_get(got, "messages"));
}

START_TEST(both_canals_come_out_of_one_queue_in_order)
{
	struct rig *r = rig("QueueSink", "");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	push(r, LOW, "c");
	ck_assert_uint_eq(rig_block(r, "it")->count.held, 3);
	expect_received(r, "low", "a");
	expect_received(r, "high", "b");
	expect_received(r, "low", "c");
	ck_assert_uint_eq(receive_all(r), 0);
	rig_end(r);
}
END_TEST

START_TEST(messages_are_there_after_the_stop)
{
	struct rig *r = rig("QueueSink", "");
	push(r, LOW, "a");
	ck_assert(ask(r, "stop", "{\"wait\": true}"));
	expect_received(r, "low", "a");
	rig_end(r);
}
END_TEST

START_TEST(beyond_its_limit_the_oldest_go)
{
	struct rig *r = rig("QueueSink", "limit=200");
	push_all(r, LOW, (const char *const[]){"a", "b", "c", "d", "e"}, 5);
	expect_received(r, "low", "c");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "overflow");
	rig_end(r);
}
END_TEST

START_TEST(or_the_newest_are_dropped)
{
	struct rig *r = rig("QueueSink", "limit=200, overflow='drop-newest'");
	push_all(r, LOW, (const char *const[]){"a", "b", "c", "d", "e"}, 5);
	expect_received(r, "low", "a");
	ck_assert_uint_eq(receive_all(r), 2);
	rig_end(r);
}
END_TEST

/* Nothing goes for it: whatever the queue does beyond its limit. */
static void expect_refused(const char *arguments, size_t length)
{
	struct rig *r = rig("QueueSink", arguments);
	char *text = must_calloc(1, length + 1);
	memset(text, 'x', length);
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	push(r, HIGH, text);
	const struct pt_block *it = rig_block(r, "it");
	ck_assert_str_eq(it->count.gone[0].why, "too-long");
	ck_assert_uint_eq(it->count.gone[0].count, 1);
	ck_assert_ptr_null(it->count.gone[1].why);
	ck_assert_uint_eq(receive_all(r), 3);
	free(text);
	rig_end(r);
}

START_TEST(what_can_never_fit_is_refused_before_anything_goes)
{
	expect_refused("limit=200", 200 - sizeof(struct pt_msg) + 1);
	expect_refused("limit=200, overflow='drop-newest'", 1000);
	expect_refused("limit=200, overflow='block'", 200 + PT_OVERRUN);
}
END_TEST

START_TEST(what_fits_alone_takes_the_place_of_all)
{
	struct rig *r = rig("QueueSink", "limit=200");
	char text[200 - sizeof(struct pt_msg) + 1] = "";
	memset(text, 'x', sizeof text - 1);
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	push(r, LOW, text);
	ck_assert_uint_eq(rig_block(r, "it")->count.gone[0].count, 3);
	expect_received(r, "low", text);
	rig_end(r);
}
END_TEST

START_TEST(what_is_on_its_way_to_a_full_one_is_kept)
{
	const char *vector[64];
	struct rig *r = rig("QueueSink", "limit=200, overflow='block'");
	for (int i = 0; i < 64; i++)
		vector[i] = "a";
	push_all(r, LOW, vector, 64);
	ck_assert(rig_block(r, "it")->full);
	ck_assert_uint_eq(receive_all(r), 64);
	rig_end(r);
}
END_TEST

START_TEST(a_receiver_that_waits_gets_the_first_message)
{
	struct rig *r =
		rig_graph("f = CLIFeeder(); it = QueueSink(); f > it; p = PeriodicSource('t', 1); "
	                  "p > it");
	receive_all(r);
	ck_assert_uint_eq(receive_all(r), 0);
	pass_time(r, 1);
	expect_received(r, "low", "t");
	rig_end(r);
}
END_TEST

static void on_received(struct pt_request *q)
{
	q->done = NULL;
}

START_TEST(and_what_comes_last_at_the_stop)
{
	struct rig *r = rig_graph("v = TriggeredQueueingValve(False); it = QueueSink(); v > it\n"
	                          "f = CLIFeeder(); q = QueueSink(limit=1, overflow='block')\n"
	                          "f > v > q");
	struct pt_request q;
	ck_assert(ask(r, "send", "{\"block\": \"f\", \"messages\": [\"a\", \"b\"]}"));
	ck_assert(ask(r, "trigger", "{\"block\": \"v\"}")); /* "b" waits for q */
	ck_assert_uint_eq(receive_all(r), 1);
	rig_request(&q, "recv", "{\"block\": \"it\", \"timeout_s\": 9}");
	q.done = on_received;
	pt_engine_ask(rig_engine(r), &q);
	ck_assert(ask(r, "stop", "{}"));
	turn(r);
	ck_assert_ptr_null(q.done);
	ck_assert_uint_eq(json_array_size(json_object_get(q.result, "messages")), 1);
	rig_request_clear(&q);
	rig_end(r);
}
END_TEST

START_TEST(a_sink_that_keeps_nothing_cannot_be_received_from)
{
	struct rig *r = rig("Sink", "");
	ck_assert(!ask(r, "recv", "{\"block\": \"it\"}"));
	ck_assert_str_eq(rig_kind(r), "wrong-state");
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/queue_sink", both_canals_come_out_of_one_queue_in_order,
           messages_are_there_after_the_stop, beyond_its_limit_the_oldest_go,
           or_the_newest_are_dropped, what_can_never_fit_is_refused_before_anything_goes,
           what_fits_alone_takes_the_place_of_all, what_is_on_its_way_to_a_full_one_is_kept,
           a_receiver_that_waits_gets_the_first_message, and_what_comes_last_at_the_stop,
           a_sink_that_keeps_nothing_cannot_be_received_from)
