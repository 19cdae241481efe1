/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces: what is told of a message at each block, wherever it goes and whatever is made of it. */
#include "ear.h"
#include "engine/deliver.h"
#include <stdlib.h>
#include <string.h>

static void add_names(struct buf *b, const json_t *step, const char *list, char before)
{
	size_t i;
	json_t *name;
	json_array_foreach (json_object_get(step, list), i, name)
		buf_addf(b, "%c%s", i ? ',' : before, json_string_value(name));
}

static const char *text(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

/* "0 a: d passed >t,s; t changed=payload >s; s delivered" */
static void hear(void *arg, const char *bytes, size_t length)
{
	struct ear *ear = arg;
	json_t *told = json_loadb(bytes, length, 0, NULL), *step;
	size_t i;
	ck_assert(ear->answered && !ear->ended);
	ck_assert_str_eq(text(told, "engine"), "rig");
	if (json_object_get(told, "id"))
		buf_addf(&ear->heard,
		         "%d %s:", (int)json_integer_value(json_object_get(told, "id")),
		         text(json_object_get(told, "message"), "message"));
	json_array_foreach (json_object_get(told, "steps"), i, step) {
		const char *canal = text(step, "canal"), *why = text(step, "why");
		buf_addf(&ear->heard, "%s %s%s %s", i ? ";" : "", text(step, "block"),
		         strcmp(canal, "low") ? (strcmp(canal, "high") ? "^" : ">>") : "",
		         text(step, "did"));
		add_names(&ear->heard, step, "changed", '=');
		if (why)
			buf_addf(&ear->heard, "(%s)", why);
		if (json_object_get(step, "to"))
			buf_adds(&ear->heard, " ");
		add_names(&ear->heard, step, "to", '>');
	}
	buf_adds(&ear->heard, json_object_get(told, "ended") ? " END\n" : "\n");
	json_decref(told);
}

static int trace(struct rig *r, struct ear *ear, const char *json)
{
	return ear_ask(r, ear, "trace", json, hear, NULL);
}

static void send_one(struct rig *r, const char *block, const char *message)
{
	json_t *params = json_pack("{s:s, s:s}", "block", block, "message", message);
	char *json = json_dumps(params, 0);
	ck_assert_ptr_nonnull(ask(r, "send", json));
	free(json);
	json_decref(params);
}

/* Of the graph's first message, which `f` sends. */
static struct rig *traced(struct ear *ear, const char *graph, const char *json, const char *wanted)
{
	struct rig *r = rig_graph(graph);
	*ear = (struct ear){0};
	ck_assert_int_eq(trace(r, ear, json), 0);
	send_one(r, "f", "a");
	expect_heard(r, ear, wanted);
	return r;
}

#define FOLLOW "{\"follow\": true}"

static struct rig *queued(struct ear *ear)
{
	return traced(ear, "f = CLIFeeder(); q = QueueSink(); f > q", FOLLOW, "0 a: q held\n");
}

static void replace(struct rig *r, const char *type, const char *params)
{
	char *json = must_printf("{\"ops\": [{\"op\": \"replace\", \"name\": \"q\", "
	                         "\"type\": \"%s\", \"params\": %s}]}",
	                         type, params);
	ck_assert_ptr_nonnull(ask(r, "change", json));
	free(json);
}

START_TEST(each_way_of_a_copy_is_told_depth_first)
{
	struct ear ear;
	struct rig *r =
		traced(&ear,
	               "f = CLIFeeder(); d = Drain(); t = TransformDrain('upper')\n"
	               "k = RigSink(); l = Sink(); f > d > t > k; d > l; f > l",
	               "{}",
	               "0 a: d passed >t,l; t changed=payload >k; k delivered; l delivered; "
	               "l delivered END\n");
	ck_assert(ear.ended);
	send_one(r, "f", "b"); /* nobody traces any more */
	expect_at(r, "k>", "A");
	expect_at(r, "k>", "B");
	rig_end(r);
}
END_TEST

START_TEST(what_a_function_makes_of_it_is_still_it)
{
	struct ear ear;
	struct rig *r = traced(
		&ear,
		"f = CLIFeeder(); t = TransformDrain('function(m) return m .. \"!\" end')\n"
		"u = TransformDrain('function(m) return m end'); k = RigSink(); f > t > u > k",
		"{}", "0 a: t changed=payload >u; u passed >k; k delivered END\n");
	expect_at(r, "k>", "a!");
	rig_end(r);
}
END_TEST

START_TEST(what_does_not_go_on_is_told_with_its_reason)
{
	struct rig *r = rig_graph(
		"f = CLIFeeder(); p = FilterDrain(\"equals 'b'\"); v = TriggeredValve(false)\n"
		"e = FilterDrain('function(m) error(\"broken\") end'); d = Drain(); k = RigSink()\n"
		"f > p > k; f > v > k; f > e > k; f > d");
	struct ear ear = {0};
	trace(r, &ear, "{}");
	send_one(r, "f", "a");
	turn(r);
	ck_assert_ptr_nonnull(
		strstr(ear.heard.data, "0 a: p filtered(filtered); v filtered(closed); e error("));
	ck_assert_ptr_nonnull(strstr(ear.heard.data, "broken"));
	ck_assert_ptr_nonnull(strstr(ear.heard.data, "; d filtered(unlinked) END\n"));
	buf_free(&ear.heard);
	rig_end(r);
}
END_TEST

START_TEST(a_source_without_links_is_told_too)
{
	struct ear ear;
	struct rig *r = traced(&ear, "f = CLIFeeder(); k = RigSink()", "{}",
	                       "0 a: f filtered(unlinked) END\n");
	rig_end(r);
}
END_TEST

START_TEST(what_was_held_is_released_under_its_id)
{
	struct ear ear;
	struct rig *r = traced(&ear,
	                       "f = CLIFeeder(); v = TriggeredQueueingValve(false)\n"
	                       "t = TransformDrain('upper'); k = RigSink(); it = Drain()\n"
	                       "f > v > t > k; g = TriggerDrain('always'); h = CLIFeeder()\n"
	                       "h > g; g ^ v",
	                       "{\"max\": 2, \"follow\": true}", "0 a: v held\n");
	pass_time(r, 600);
	send_one(r, "h", "b");
	expect_heard(r, &ear,
	             "0 a: v released >t; t changed=payload >k; k delivered\n"
	             "1 b: g filtered(unlinked); v^ triggered END\n");
	expect_at(r, "k>", "A");
	rig_end(r);
}
END_TEST

START_TEST(a_trace_ends_with_the_last_at_rest)
{
	struct ear ear;
	struct rig *r = traced(&ear,
	                       "f = CLIFeeder(); v = TriggeredQueueingValve(false)\n"
	                       "k = RigSink(); f > v > k",
	                       "{}", "0 a: v held END\n");
	ck_assert(ear.ended);
	deliver_trigger(rig_block(r, "v")); /* what was traced once goes its way */
	expect_at(r, "k>", "a");
	rig_end(r);
}
END_TEST

START_TEST(what_is_lost_at_a_trigger_is_told)
{
	struct ear ear;
	struct rig *r = traced(&ear,
	                       "f = CLIFeeder(); v = TriggeredQueueingValve(false, seconds=1)\n"
	                       "k = RigSink(); f > v > k",
	                       FOLLOW, "0 a: v held\n");
	pass_time(r, 2);
	deliver_trigger(rig_block(r, "v"));
	expect_heard(r, &ear, "0 a: v filtered(old) END\n");
	rig_end(r);
}
END_TEST

START_TEST(a_queue_holds_and_gives_or_loses)
{
	struct rig *r = rig_graph("f = CLIFeeder(); q = QueueSink(limit=200); f > q");
	struct ear ear = {0};
	trace(r, &ear, "{\"max\": 4, \"follow\": true}");
	send_one(r, "f", "a");
	send_one(r, "f", "b");
	send_one(r, "f", "c");
	send_one(r, "f", "d");
	expect_heard(
		r, &ear,
		"0 a: q held\n1 b: q held\n2 c: q held\n0 a: q dropped(overflow)\n3 d: q held\n");
	ck_assert_ptr_nonnull(ask(r, "recv", "{\"block\": \"q\", \"max\": 2}"));
	expect_heard(r, &ear, "1 b: q delivered\n2 c: q delivered\n");
	ck_assert_ptr_nonnull(
		ask(r, "change", "{\"ops\": [{\"op\": \"remove\", \"name\": \"q\"}]}"));
	expect_heard(r, &ear, "3 d: q dropped(stopped) END\n");
	rig_end(r);
}
END_TEST

START_TEST(a_replaced_block_still_holds_it)
{
	struct ear ear;
	struct rig *r = queued(&ear);
	replace(r, "QueueSink", "{\"limit\": 5000}");
	expect_heard(r, &ear, "");
	ck_assert_ptr_nonnull(ask(r, "recv", "{\"block\": \"q\"}"));
	expect_heard(r, &ear, "0 a: q delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(what_the_successor_cannot_take_over_is_told)
{
	struct ear ear;
	struct rig *r = queued(&ear);
	replace(r, "Sink", "{}");
	expect_heard(r, &ear, "0 a: q dropped(replaced) END\n");
	rig_end(r);
}
END_TEST

START_TEST(what_a_stop_leaves_in_a_queue_is_still_it)
{
	struct ear ear;
	struct rig *r = queued(&ear);
	ck_assert_ptr_nonnull(ask(r, "stop", "{}"));
	ck_assert_ptr_nonnull(ask(r, "start", "{}"));
	expect_heard(r, &ear, "");
	ck_assert_ptr_nonnull(ask(r, "recv", "{\"block\": \"q\"}"));
	expect_heard(r, &ear, "0 a: q delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(what_a_block_makes_is_not_traced)
{
	struct ear ear;
	struct rig *r = traced(&ear,
	                       "f = CLIFeeder(); g = TriggerDrain('always')\n"
	                       "m = TriggeredMessage('made'); k = RigSink(); f > g > k; g ^ m\n"
	                       "m > k",
	                       "{}", "0 a: g passed >k; m^ triggered; k delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(a_trigger_too_deep_is_told)
{
	struct rig *r = rig_graph("f = CLIFeeder(); g = TriggerDrain('always'); k = RigSink()\n"
	                          "f > g > k; g ^ k");
	struct ear ear = {0};
	rig_block(r, "k")->trigger_depth = TRIGGER_DEEP;
	trace(r, &ear, "{}");
	send_one(r, "f", "a");
	rig_block(r, "k")->trigger_depth = 0;
	expect_heard(r, &ear, "0 a: g passed >k; k^ dropped(too-deep); k delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(one_of_a_vector_goes_alone_and_none_overtakes)
{
	struct rig *r = rig_graph("it = Drain(); d = TransformDrain('upper'); k = RigSink()\n"
	                          "it > d > k");
	struct ear ear = {0}, other = {0};
	const char *const texts[] = {"a", "b", "c", "d"};
	trace(r, &ear, "{\"block\": \"it\", \"max\": 2}");
	trace(r, &other, "{\"block\": \"d\"}");
	push_all(r, LOW, texts, 4);
	for (unsigned i = 0; i < 4; i++)
		expect_at(r, "k>", (const char *const[]){"A", "B", "C", "D"}[i]);
	expect_heard(r, &ear,
	             "0 a: d changed=payload >k; k delivered\n"
	             "1 b: d changed=payload >k; k delivered END\n");
	expect_heard(r, &other, "0 A: k delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(only_packets_that_a_filter_matches)
{
	struct rig *r = rig_graph("it = Drain(); k = Sink(); it > k");
	struct ear ear = {0}, other = {0};
	ck_assert_int_ne(trace(r, &other, "{\"filter\": \"udp prt 5\"}"), 0);
	trace(r, &ear, "{\"block\": \"it\", \"filter\": \"ip[1] = 0x62\"}");
	push(r, LOW, "text");
	push_packet(r,
	            "\x45"
	            "a...................",
	            20, 101);
	push_packet(r,
	            "\x45"
	            "b...................",
	            20, 101);
	expect_heard(r, &ear, "0 Eb..................: k delivered END\n");
	rig_end(r);
}
END_TEST

START_TEST(a_field_that_was_set_is_named)
{
	static const char packet[] = "\x45\0\0\x1c\0\1\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2"
				     "\0\1\0\2\0\x08\0";
	struct rig *r = rig_graph("it = Drain(); k = Sink()\n"
	                          "t = TransformDrain(\"set{['ip.src']='192.0.2.1', "
	                          "['udp.dport']=53}\"); it > t > k");
	struct ear ear = {0};
	trace(r, &ear, "{\"block\": \"it\"}");
	push_packet(r, packet, sizeof packet, 101);
	turn(r);
	ck_assert_ptr_nonnull(
		strstr(ear.heard.data, ": t changed=ip.src,udp.dport >k; k delivered END\n"));
	buf_free(&ear.heard);
	rig_end(r);
}
END_TEST

START_TEST(who_does_not_listen_is_not_told_of_new_ones)
{
	struct rig *r = rig_graph("f = CLIFeeder(); q = QueueSink(); f > q");
	struct ear ear = {.deaf = true};
	trace(r, &ear, "{}");
	send_one(r, "f", "a");
	expect_heard(r, &ear, "");
	ear.deaf = false;
	send_one(r, "f", "b");
	expect_heard(r, &ear, "0 b: q held END\n");
	rig_end(r);
}
END_TEST

START_TEST(a_trace_ends_with_its_block_or_by_word)
{
	struct rig *r = rig_graph("f = CLIFeeder(); d = Drain(); q = QueueSink(); f > d > q");
	struct ear ear = {0}, other = {0}, last = {0};
	trace(r, &ear, "{\"block\": \"d\"}");
	trace(r, &other, "{\"max\": 5, \"follow\": true}");
	trace(r, &last, "{}");
	send_one(r, "f", "a");
	expect_heard(r, &other, "0 a: d passed >q; q held\n");
	expect_heard(r, &last, "0 a: d passed >q; q held END\n");
	expect_heard(r, &ear, "0 a: q held END\n");
	ear = (struct ear){0};
	trace(r, &ear, "{\"block\": \"d\"}");
	ck_assert_ptr_nonnull(
		ask(r, "change", "{\"ops\": [{\"op\": \"remove\", \"name\": \"d\"}]}"));
	expect_heard(r, &ear, " END\n");
	ck_assert(ear.ended && !other.ended);
	pt_engine_untap(rig_engine(r), &other);
	turn(r);
	ck_assert(other.ended);
	expect_heard(r, &other, " END\n");
	ck_assert_ptr_nonnull(ask(r, "recv", "{\"block\": \"q\"}"));
	rig_end(r);
}
END_TEST

START_TEST(what_cannot_be_traced_is_refused)
{
	struct rig *r = rig_graph("it = CLIFeeder(); s = RigSink(); it > s");
	struct ear ear = {0};
	ck_assert_int_eq(trace(r, &ear, "{\"block\": \"if\"}"), -PT_ENOBLOCK);
	ck_assert_int_eq(trace(r, &ear, "{\"block\": \"s\"}"), -PT_EPARAM);
	rig_end(r);
	ck_assert(!ear.ended);
}
END_TEST

UNIT_TESTS("engine/trace", each_way_of_a_copy_is_told_depth_first,
           what_a_function_makes_of_it_is_still_it, what_does_not_go_on_is_told_with_its_reason,
           a_source_without_links_is_told_too, what_was_held_is_released_under_its_id,
           a_trace_ends_with_the_last_at_rest, what_is_lost_at_a_trigger_is_told,
           a_queue_holds_and_gives_or_loses, a_replaced_block_still_holds_it,
           what_the_successor_cannot_take_over_is_told, what_a_stop_leaves_in_a_queue_is_still_it,
           what_a_block_makes_is_not_traced, a_trigger_too_deep_is_told,
           one_of_a_vector_goes_alone_and_none_overtakes, only_packets_that_a_filter_matches,
           a_field_that_was_set_is_named, who_does_not_listen_is_not_told_of_new_ones,
           a_trace_ends_with_its_block_or_by_word, what_cannot_be_traced_is_refused)
